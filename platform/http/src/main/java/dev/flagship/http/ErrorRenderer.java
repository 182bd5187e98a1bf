package dev.flagship.http;

/** Gives errors their wire shape. Called from any thread; must not throw. */
@FunctionalInterface
public interface ErrorRenderer {
    /** A rendered error. The array is used as it is and must not change afterwards. */
    @SuppressWarnings("ArrayRecordComponent") // a message body on its way out, never compared
    record Body(String contentType, byte[] bytes) {}

    /**
     * Renders an error.
     *
     * @param status the HTTP status, 400 to 599
     * @param code stable lower_snake_case identifier
     * @param message for the client; holds no internals
     */
    Body render(int status, String code, String message);
}
