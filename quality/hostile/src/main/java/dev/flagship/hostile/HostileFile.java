package dev.flagship.hostile;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A file that lies, on its way to be a {@link HostileCase}.
 *
 * @param lie what is wrong with it
 * @param place words that the error must contain
 * @param covers null for that of its group
 */
@SuppressWarnings("ArrayRecordComponent") // handed on at once
record HostileFile(String lie, byte[] bytes, String place, @Nullable CveClass covers) {
    HostileFile(String lie, byte[] bytes, String place) {
        this(lie, bytes, place, null);
    }

    HostileFile as(CveClass other) {
        return new HostileFile(lie, bytes, place, other);
    }

    /** As a case of its own name, alone in a folder. */
    HostileCase alone(Format format, String name, CveClass group) {
        return new HostileCase(
                format, lie, covers == null ? group : covers, Map.of(name, bytes), name, place);
    }
}
