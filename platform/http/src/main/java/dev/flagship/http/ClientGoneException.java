package dev.flagship.http;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/**
 * The client closed its connection, or stopped reading for longer than the limit. Nothing more can
 * be sent to it.
 */
public final class ClientGoneException extends HttpException {
    @Serial private static final long serialVersionUID = 1L;

    ClientGoneException(String message, @Nullable Throwable cause) {
        super("client_gone", message, false, cause);
    }
}
