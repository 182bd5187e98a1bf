package dev.flagship.base;

import java.io.Serial;

/**
 * An argument that its method's contract rules out: a caller's mistake, raised by {@link Check}.
 */
public final class InvalidArgumentException extends FlagshipException {
    @Serial private static final long serialVersionUID = 1L;

    public InvalidArgumentException(String message) {
        super("invalid_argument", message, false, null);
    }
}
