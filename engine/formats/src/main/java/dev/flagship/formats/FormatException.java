package dev.flagship.formats;

import dev.flagship.base.FlagshipException;
import dev.flagship.base.Quoted;
import java.io.Serial;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A model file that breaks its format, or that asks for something this version does not read. The
 * only exception that the content of a file can cause. Never shown to a remote client: it names
 * local paths.
 */
public final class FormatException extends FlagshipException {
    @Serial private static final long serialVersionUID = 1L;

    /**
     * @param file the file as it was opened
     * @param place what of it: an offset, a key, a tensor (quoted by {@link #quote} where it comes
     *     from the file)
     * @param problem what is wrong, with both values where two clash; no full stop
     * @param remedy what the reader can do; whole sentences
     */
    public FormatException(Path file, String place, String problem, String remedy) {
        this(file, place, problem, remedy, null);
    }

    /** As the other constructor, with the library's error that revealed the problem. */
    public FormatException(
            Path file, String place, String problem, String remedy, @Nullable Throwable cause) {
        super("bad_model_file", file + ": " + place + ": " + problem + ". " + remedy, false, cause);
    }

    /** Text from a file, fit for a message, as {@link Quoted#of} makes it. */
    public static String quote(String text) {
        return Quoted.of(text);
    }
}
