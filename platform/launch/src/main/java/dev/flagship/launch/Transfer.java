package dev.flagship.launch;

import static dev.flagship.base.Check.check;

import java.time.Duration;

/**
 * How files are fetched.
 *
 * @param connections at a time
 * @param chunk bytes of one request
 * @param patience how long a silent server is waited for, in its answer as between its bytes
 * @param backoff the first wait after a failure; each next is twice as long
 * @param longestWait how long a server may ask to wait, all its wishes together
 */
record Transfer(
        int connections, int chunk, Duration patience, Duration backoff, Duration longestWait) {
    /** More serves nobody, and hubs count them. */
    static final int MOST_CONNECTIONS = 16;

    Transfer {
        check(
                connections >= 1 && connections <= MOST_CONNECTIONS,
                "connections %s is not between 1 and %s",
                connections,
                MOST_CONNECTIONS);
        check(chunk > 0, "chunks of %s bytes", chunk);
    }

    static Transfer usual() {
        return new Transfer(
                4, 8 << 20, Duration.ofSeconds(30), Duration.ofMillis(500), Duration.ofMinutes(5));
    }

    Transfer withConnections(int count) {
        return new Transfer(count, chunk, patience, backoff, longestWait);
    }
}
