package dev.flagship.http;

import dev.flagship.base.Bytes;

/** The statuses that protocol and limits give, whoever notices them, with one wording each. */
final class Refusals {
    private Refusals() {}

    static HttpStatusException of(int status, Limits limits) {
        return switch (status) {
            case 408 ->
                    new HttpStatusException(
                            408, "request_timeout", "The request did not arrive in time");
            case 413 ->
                    new HttpStatusException(
                            413,
                            "body_too_large",
                            "The request body is larger than " + Bytes.human(limits.bodyBytes()));
            case 414 ->
                    new HttpStatusException(
                            414, "target_too_long", "The request target is too long");
            case 431 ->
                    new HttpStatusException(
                            431,
                            "headers_too_large",
                            "The request line and headers are larger than "
                                    + Bytes.human(limits.headBytes()));
            case 505 ->
                    new HttpStatusException(
                            505, "version_not_supported", "This server speaks HTTP/1.1");
            default ->
                    status >= 500
                            ? new HttpStatusException(500, "internal_error", "Internal error")
                            : new HttpStatusException(
                                    400, "bad_request", "The request is not valid HTTP/1.1");
        };
    }
}
