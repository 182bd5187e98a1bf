package dev.flagship.launch;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/**
 * Why one source gave nothing: the next one is tried, and the message becomes a line of the final
 * error.
 */
final class SourceException extends Exception {
    @Serial private static final long serialVersionUID = 1L;

    SourceException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }

    SourceException(String message) {
        this(message, null);
    }

    String reason() {
        return String.valueOf(getMessage());
    }
}
