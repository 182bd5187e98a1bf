package dev.flagship.launch;

import java.net.http.HttpResponse;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;

/**
 * Until when a server wants to be left alone, by all connections together. Safe for several
 * threads.
 */
final class Pause {
    private static final Duration LONGEST = Duration.ofDays(1);

    private final Duration most;
    private long until = System.nanoTime();
    private Duration asked = Duration.ZERO;

    /**
     * @param most all wishes together
     */
    Pause(Duration most) {
        this.most = most;
    }

    void await() throws InterruptedException {
        for (long left = left(); left > 0; left = left()) {
            Thread.sleep(Duration.ofNanos(left));
        }
    }

    private synchronized long left() {
        return until - System.nanoTime();
    }

    /**
     * Lets everybody wait.
     *
     * @throws SourceException if that is longer than anybody likes
     */
    synchronized void ask(Duration wish, int status) throws SourceException {
        long now = System.nanoTime();
        long wanted = now + wish.toNanos();
        if (wanted - until > 0) { // another connection may have been told the same
            asked = asked.plusNanos(wanted - Math.max(now, until));
            until = wanted;
        }
        if (asked.compareTo(most) > 0) {
            throw new SourceException(
                    "rate_limited",
                    "it has had too many questions (status %d) and asks to wait %d s; what is here already is kept, so try again then"
                            .formatted(status, wish.toSeconds()));
        }
    }

    /**
     * What {@code Retry-After} says (RFC 9110, section 10.2.3): seconds or a date; without it, ten
     * times the first wait after a failure.
     */
    static Duration wish(HttpResponse<?> response, Transfer transfer) {
        Duration said = said(response, transfer);
        if (said.compareTo(LONGEST) > 0) {
            return LONGEST;
        }
        // "now" from a server that is busy, or from one whose clock is behind, must not make a loop
        return said.compareTo(transfer.backoff()) < 0 ? transfer.backoff() : said;
    }

    private static Duration said(HttpResponse<?> response, Transfer transfer) {
        String text = response.headers().firstValue("retry-after").orElse("").strip();
        if (text.matches("\\d{1,9}")) {
            return Duration.ofSeconds(Long.parseLong(text));
        }
        try {
            Instant when =
                    ZonedDateTime.parse(text, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant();
            return Duration.between(Instant.now(), when);
        } catch (DateTimeException e) {
            return transfer.backoff().multipliedBy(10);
        }
    }
}
