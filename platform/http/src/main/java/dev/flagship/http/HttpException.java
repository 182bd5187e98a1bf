package dev.flagship.http;

import dev.flagship.base.FlagshipException;
import java.io.Serial;
import org.jspecify.annotations.Nullable;

/** What can go wrong in this module. */
public abstract sealed class HttpException extends FlagshipException
        permits HttpStatusException, HttpStartException, ClientGoneException {
    @Serial private static final long serialVersionUID = 1L;

    HttpException(String code, String message, boolean clientSafe, @Nullable Throwable cause) {
        super(code, message, clientSafe, cause);
    }
}
