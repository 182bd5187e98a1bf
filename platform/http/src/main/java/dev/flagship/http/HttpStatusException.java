package dev.flagship.http;

import static dev.flagship.base.Check.check;

import java.io.Serial;
import java.util.Map;

/**
 * A request that is answered with an error status. A handler may throw it at any point before it
 * responds; the {@link ErrorRenderer} makes the body. Code and message reach the client.
 */
public final class HttpStatusException extends HttpException {
    @Serial private static final long serialVersionUID = 1L;

    private final int status;
    private final transient Map<String, String> headers;

    /**
     * An answer with further headers, such as {@code Allow} or {@code Retry-After}.
     *
     * @param status 400 to 599
     */
    public HttpStatusException(
            int status, String code, String message, Map<String, String> headers) {
        super(code, message, true, null);
        check(status >= 400 && status <= 599, "http: %s is not an error status", status);
        this.status = status;
        this.headers = Map.copyOf(headers);
    }

    /** An answer without further headers. */
    public HttpStatusException(int status, String code, String message) {
        this(status, code, message, Map.of());
    }

    /** The status, 400 to 599. */
    public int status() {
        return status;
    }

    /** Headers that go with the answer. */
    public Map<String, String> headers() {
        return headers;
    }
}
