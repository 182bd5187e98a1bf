package dev.flagship.launch;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/**
 * Why one source gave nothing: the next one is tried, and the message becomes a line of the final
 * error.
 */
final class SourceException extends Exception {
    @Serial private static final long serialVersionUID = 1L;

    private final boolean absent;

    private SourceException(String message, boolean absent, @Nullable Throwable cause) {
        super(message, cause);
        this.absent = absent;
    }

    SourceException(String message, @Nullable Throwable cause) {
        this(message, false, cause);
    }

    SourceException(String message) {
        this(message, null);
    }

    /**
     * For a source that was never set up here: worth a line in the final error, but no news by
     * itself.
     */
    static SourceException absent(String message) {
        return new SourceException(message, true, null);
    }

    boolean absent() {
        return absent;
    }

    String reason() {
        return String.valueOf(getMessage());
    }
}
