package dev.flagship.cli;

import dev.flagship.serving.api.Usage;
import java.util.Locale;

/**
 * What the last answer took, in words.
 *
 * @param context tokens that a conversation may have
 */
record AnswerStats(Usage usage, int context) {

    /** How much of the context is taken, in hundredths. */
    int percent() {
        return (int) (100L * usage.totalTokens() / context);
    }

    /** Of the context, as in {@code 6,605 of 8,192 tokens (80 %)}. */
    String taken() {
        return String.format(
                Locale.ROOT, "%,d of %,d tokens (%d %%)", usage.totalTokens(), context, percent());
    }

    /** All of it. */
    String table() {
        return """
        prompt       %s%s
        answer       %s at %s
        first token  after %s s
        context      %s\
        """
                .formatted(
                        counted(usage.promptTokens()),
                        reading(),
                        counted(usage.completionTokens()),
                        rate(usage.completionTokens() - 1, usage.decodeNanos()),
                        seconds(),
                        taken());
    }

    private String reading() {
        int read = usage.promptTokens() - usage.cachedTokens();
        String speed = rate(read, usage.prefillNanos());
        return usage.cachedTokens() == 0
                ? ", read at " + speed
                : String.format(
                        Locale.ROOT,
                        "; %,d kept from before, %,d read at %s",
                        usage.cachedTokens(),
                        read,
                        speed);
    }

    /** The most of it. */
    String line() {
        return "%s at %s, first after %s s; context %s"
                .formatted(
                        counted(usage.completionTokens()),
                        rate(usage.completionTokens() - 1, usage.decodeNanos()),
                        seconds(),
                        taken());
    }

    private static String counted(int tokens) {
        return String.format(Locale.ROOT, "%,d token%s", tokens, tokens == 1 ? "" : "s");
    }

    private String seconds() {
        long nanos = usage.queuedNanos() + usage.prefillNanos();
        return String.format(Locale.ROOT, "%.2f", nanos / 1e9);
    }

    private static String rate(int tokens, long nanos) {
        return tokens < 1 || nanos < 1
                ? "no speed to tell"
                : String.format(Locale.ROOT, "%.1f tok/s", tokens / (nanos / 1e9));
    }
}
