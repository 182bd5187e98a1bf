package dev.flagship.bench;

import dev.flagship.base.FlagshipException;
import java.io.PrintStream;
import java.io.Serial;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;

/**
 * What is still to be read. Says before each reading what is being waited for, and how long all the
 * rest may take if each takes as long as it did last. One thread; any other may stop it.
 */
final class Outlook {
    private final PrintStream out;
    private final Map<String, Integer> planned = new HashMap<>();
    private final Map<String, Double> seconds = new HashMap<>();

    private volatile boolean stopped;

    /** A reading was not taken, for somebody wants no more of them; {@code stopped}. */
    static final class Stopped extends FlagshipException {
        @Serial private static final long serialVersionUID = 1L;

        Stopped() {
            super(
                    "stopped",
                    "Stopped before the first round had ended: there are no figures.",
                    false,
                    null);
        }
    }

    Outlook(PrintStream out) {
        this.out = out;
    }

    /** No more readings are taken; the one that is under way ends as it does. */
    void stop() {
        stopped = true;
    }

    boolean stopped() {
        return stopped;
    }

    /** That many readings more will be taken. */
    void plan(String what, int readings) {
        planned.merge(what, readings, Integer::sum);
    }

    /** None more will be taken. */
    void drop(String what) {
        planned.remove(what);
    }

    /** Each will take so long, whatever the last one took. */
    void expect(String what, double each) {
        seconds.put(what, each);
    }

    /**
     * Takes a reading, one of those planned if any was.
     *
     * @throws Stopped if no more are wanted
     */
    <T> T read(String when, String what, Supplier<T> reading) {
        if (stopped) {
            throw new Stopped();
        }
        out.printf("%s: %s (%s)%n", when, what, left());
        long started = System.nanoTime();
        T result = reading.get();
        seconds.put(what, (System.nanoTime() - started) / 1e9);
        planned.computeIfPresent(what, (_, readings) -> readings > 1 ? readings - 1 : null);
        return result;
    }

    /** For people. */
    String left() {
        double sum = 0;
        boolean all = true;
        for (Map.Entry<String, Integer> each : planned.entrySet()) {
            Double one = seconds.get(each.getKey());
            all &= one != null;
            sum += one == null ? 0 : one * each.getValue();
        }
        if (sum == 0) {
            return "time left not known yet";
        }
        String amount =
                sum < 90
                        ? String.format(Locale.ROOT, "%.0f s", sum)
                        : String.format(Locale.ROOT, "%.0f min", sum / 60);
        return (all ? "about " : "at least ") + amount + " left";
    }
}
