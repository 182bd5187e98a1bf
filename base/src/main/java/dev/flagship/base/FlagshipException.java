package dev.flagship.base;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/**
 * Root of every error that Flagship itself raises. Each module declares its own final subclasses.
 *
 * <p>The message is written for its reader: the operation, the values that clashed, the place, and
 * a remedy. The code is stable and machine-readable. {@link #clientSafe()} tells whether a remote
 * client may see the message.
 */
public abstract class FlagshipException extends RuntimeException {
    @Serial private static final long serialVersionUID = 1L;

    private final String code;
    private final String message;
    private final boolean clientSafe;

    protected FlagshipException(
            String code, String message, boolean clientSafe, @Nullable Throwable cause) {
        super(message, cause);
        this.code = code;
        this.message = message;
        this.clientSafe = clientSafe;
    }

    /** Stable lower_snake_case identifier, for programs. */
    public final String code() {
        return code;
    }

    @Override
    public final String getMessage() {
        return message;
    }

    /** Whether the message may be shown to a remote client. */
    public final boolean clientSafe() {
        return clientSafe;
    }
}
