package dev.flagship.serving;

import com.sun.management.OperatingSystemMXBean;
import dev.flagship.base.Bytes;
import dev.flagship.tensor.OffHeap;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The memory from which weights are cut that no file keeps. */
interface Memory {

    /** What the operating system, or a container's limit, leaves to this process. */
    Memory OF_THIS_MACHINE =
            new Memory() {
                @Override
                public long total() {
                    var system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
                    return system.getTotalMemorySize();
                }

                @Override
                public OffHeap allocate(long bytes) {
                    return OffHeap.allocate(bytes);
                }
            };

    /** Bytes that there are, used or not. */
    long total();

    OffHeap allocate(long bytes);

    /**
     * Room for packed weights.
     *
     * @throws LoadException if there is not so much: Linux would grant more than it has, and then
     *     end the process without a word
     */
    default OffHeap take(Path model, long bytes) {
        if (bytes > total()) {
            throw tooLarge(model, bytes, null);
        }
        try {
            return allocate(bytes);
        } catch (OutOfMemoryError e) {
            throw tooLarge(model, bytes, e);
        }
    }

    private LoadException tooLarge(Path model, long bytes, @Nullable Throwable cause) {
        return new LoadException(
                model,
                "its packed weights take %s of memory; this machine has %s in all"
                        .formatted(Bytes.human(bytes), Bytes.human(total())),
                "Set FLAGSHIP_HOME to a folder with room, from which they are mapped; or close other programs, or choose a smaller model.",
                cause);
    }
}
