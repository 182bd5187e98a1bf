package dev.flagship.http;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/** The server could not start: the address is refused or taken. */
public final class HttpStartException extends HttpException {
    @Serial private static final long serialVersionUID = 1L;

    HttpStartException(String code, String message, @Nullable Throwable cause) {
        super(code, message, false, cause);
    }
}
