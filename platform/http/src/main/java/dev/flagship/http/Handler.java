package dev.flagship.http;

import java.io.IOException;

/**
 * Answers one request, on a virtual thread of its own, by {@link Exchange#respond} or {@link
 * Exchange#events}. An {@link HttpStatusException} becomes its status; any other exception becomes
 * a 500 with an id that is also in the log.
 */
@FunctionalInterface
public interface Handler {
    void handle(Exchange exchange) throws IOException, InterruptedException;
}
