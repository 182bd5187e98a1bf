package dev.flagship.server;

import dev.flagship.base.FlagshipException;
import dev.flagship.serving.api.RequestException;
import java.io.Serial;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A request that is answered with an error of OpenAI's shape. Its message reaches the client. */
final class ApiException extends FlagshipException {
    @Serial private static final long serialVersionUID = 1L;

    private final int status;
    private final @Nullable String param;
    private final transient Map<String, String> headers;

    private ApiException(
            int status,
            String code,
            @Nullable String param,
            String message,
            Map<String, String> headers,
            @Nullable Throwable cause) {
        super(code, message, true, cause);
        this.status = status;
        this.param = param;
        this.headers = headers;
    }

    /** A body that is no request at all. */
    static ApiException malformed(String message, @Nullable Throwable cause) {
        return new ApiException(400, "invalid_json", null, message, Map.of(), cause);
    }

    /** A parameter whose value has the wrong type or lies outside its range. */
    static ApiException invalid(String param, String message) {
        return new ApiException(400, "invalid_value", param, message, Map.of(), null);
    }

    /** A parameter that must be there and is not. */
    static ApiException missing(String param, String message) {
        return new ApiException(400, "missing_required_parameter", param, message, Map.of(), null);
    }

    /** A parameter, or a value of it, that this server cannot honour. */
    static ApiException unsupported(String param, String message) {
        return new ApiException(400, "unsupported_parameter", param, message, Map.of(), null);
    }

    /** A model that is not served here. */
    static ApiException modelNotFound(String message) {
        return new ApiException(404, "model_not_found", "model", message, Map.of(), null);
    }

    /** The service cannot answer now. */
    static ApiException unavailable(String code, String message, int retryAfterSeconds) {
        return new ApiException(503, code, null, message, retryAfter(retryAfterSeconds), null);
    }

    /** A generation that broke. */
    static ApiException failed(String message) {
        return new ApiException(500, "generation_failed", null, message, Map.of(), null);
    }

    /**
     * What a model says of a request that it cannot serve.
     *
     * @param prompt the parameter that holds the prompt
     */
    static ApiException of(RequestException e, String prompt) {
        String message = String.valueOf(e.getMessage());
        return switch (e.code()) {
            case "overloaded" -> new ApiException(503, e.code(), null, message, retryAfter(2), e);
            case "model_closed", "model_failed", "request_cancelled" ->
                    new ApiException(503, e.code(), null, message, retryAfter(10), e);
            default -> new ApiException(400, e.code(), prompt, message, Map.of(), e);
        };
    }

    private static Map<String, String> retryAfter(int seconds) {
        return Map.of("Retry-After", Integer.toString(seconds));
    }

    int status() {
        return status;
    }

    /** The parameter at fault, as a path such as {@code messages[2].role}. */
    Optional<String> param() {
        return Optional.ofNullable(param);
    }

    Map<String, String> headers() {
        return headers;
    }
}
