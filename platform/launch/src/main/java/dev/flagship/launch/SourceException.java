package dev.flagship.launch;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/**
 * Why one source gave nothing: the next one is tried, and the message becomes a line of the final
 * error. The code is that of the final error where there was one source only.
 */
final class SourceException extends Exception {
    @Serial private static final long serialVersionUID = 1L;

    private final String code;
    private final boolean absent;

    private SourceException(
            String code, String message, boolean absent, @Nullable Throwable cause) {
        super(message, cause);
        this.code = code;
        this.absent = absent;
    }

    SourceException(String message, @Nullable Throwable cause) {
        this("model_unavailable", message, false, cause);
    }

    SourceException(String message) {
        this(message, (Throwable) null);
    }

    SourceException(String code, String message) {
        this(code, message, false, null);
    }

    /**
     * For a source that was never set up here: worth a line in the final error, but no news by
     * itself.
     */
    static SourceException absent(String message) {
        return new SourceException("model_unavailable", message, true, null);
    }

    String code() {
        return code;
    }

    boolean absent() {
        return absent;
    }

    String reason() {
        return String.valueOf(getMessage());
    }
}
