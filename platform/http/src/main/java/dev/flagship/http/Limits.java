package dev.flagship.http;

import static dev.flagship.base.Check.check;

import java.time.Duration;

/**
 * What a client may use up. Beyond a limit the request ends with a typed status, or the connection
 * is closed.
 *
 * @param headBytes request line and headers together, else 431
 * @param bodyBytes a request's body, else 413
 * @param headTime from the first byte of a request to the end of its headers, else 408
 * @param bodyTime from the first call of {@link Exchange#body} to the end of the body, else 408
 * @param idleTime between requests of a connection, then it is closed
 * @param writeTime for one write to a client that does not read, then it counts as gone
 * @param closeTime for requests in flight when the server closes, then they are interrupted
 * @param connections open at once; more wait to be accepted
 */
public record Limits(
        int headBytes,
        int bodyBytes,
        Duration headTime,
        Duration bodyTime,
        Duration idleTime,
        Duration writeTime,
        Duration closeTime,
        int connections) {
    /** 16 KiB head, 1 MiB body; 10 s, 30 s, 60 s, 30 s and 2 s; 1,024 connections. */
    public static final Limits DEFAULT =
            new Limits(
                    16 << 10,
                    1 << 20,
                    Duration.ofSeconds(10),
                    Duration.ofSeconds(30),
                    Duration.ofSeconds(60),
                    Duration.ofSeconds(30),
                    Duration.ofSeconds(2),
                    1024);

    public Limits {
        check(headBytes >= 256, "limits: a head of %s bytes holds no request", headBytes);
        check(bodyBytes >= 0, "limits: a body of %s bytes is negative", bodyBytes);
        check(connections > 0, "limits: %s connections serve nobody", connections);
        for (var time : new Duration[] {headTime, bodyTime, idleTime, writeTime, closeTime}) {
            check(time.isPositive(), "limits: %s is not a positive time", time);
        }
    }
}
