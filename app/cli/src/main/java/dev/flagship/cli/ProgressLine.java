package dev.flagship.cli;

import dev.flagship.base.Bytes;
import dev.flagship.base.Quoted;
import dev.flagship.launch.Progress;
import dev.flagship.serving.LoadListener;
import java.io.PrintStream;
import java.util.Locale;
import java.util.function.LongSupplier;

/**
 * Shows how fetching and loading go: a bar that redraws itself on a terminal, elsewhere one line a
 * stage and another every ten seconds. Stages that are over in a moment are not shown, and what
 * cannot be is told as it begins. Used by one thread; {@link #end} may be called by another.
 */
final class ProgressLine implements Progress, LoadListener, AutoCloseable {
    private static final int BAR = 24;
    private static final long REDRAW_NANOS = 100_000_000;
    private static final long PATIENCE_NANOS = 300_000_000;
    private static final long LINE_NANOS = 10_000_000_000L;

    /** Bytes that nobody handles in a moment, so that their stage is told at once. */
    private static final long MANY = 512 << 20;

    private static final long UNKNOWN = -1;

    private final PrintStream err;
    private final boolean terminal;
    private final LongSupplier clock;
    private String stage = "";
    private long began;
    private long startedAt;
    private long drawnAt;
    private boolean announced;
    private int width;
    private boolean ended;

    ProgressLine(PrintStream err, boolean terminal) {
        this(err, terminal, System::nanoTime);
    }

    /**
     * @param clock nanoseconds
     */
    ProgressLine(PrintStream err, boolean terminal, LongSupplier clock) {
        this.err = err;
        this.terminal = terminal;
        this.clock = clock;
    }

    @Override
    public void stage(String text) {
        begin(text, UNKNOWN);
        say(text);
        announced = true;
    }

    @Override
    public void bytes(long done, long total) {
        show(done, total);
    }

    @Override
    public void progress(String name, long done, long total) {
        if (!name.equals(stage)) {
            begin(name, done);
        }
        show(done, total);
    }

    @Override
    public void warning(String message) {
        say("Note: " + message);
    }

    private void begin(String name, long done) {
        stage = name;
        began = done;
        announced = false;
        startedAt = clock.getAsLong();
        drawnAt = startedAt;
    }

    private synchronized void show(long done, long total) {
        if (began == UNKNOWN) { // a fetch may go on where an earlier one ended
            began = done;
        }
        long now = clock.getAsLong();
        boolean soon = now - startedAt < PATIENCE_NANOS && (done > 0 || total < MANY);
        if (ended || total <= 0 || soon) {
            return;
        }
        if (!terminal) {
            if (!announced) {
                announced = true;
                drawnAt = now;
                say(stage + " (" + Bytes.human(total) + ")");
            } else if (done < total && now - drawnAt >= LINE_NANOS) {
                drawnAt = now;
                say("%s: %d %% of %s".formatted(stage, 100 * done / total, Bytes.human(total)));
            }
            return;
        }
        if (announced && done < total && now - drawnAt < REDRAW_NANOS) {
            return;
        }
        drawnAt = now;
        draw(done, total, (done - began) / (Math.max(1, now - startedAt) / 1e9));
    }

    private void draw(long done, long total, double rate) {
        int filled = (int) Math.clamp(BAR * done / total, 0L, BAR);
        String line =
                String.format(
                        Locale.ROOT,
                        "[%s%s] %3d %%  %s of %s, %s/s%s",
                        "#".repeat(filled),
                        "-".repeat(BAR - filled),
                        100 * done / total,
                        Bytes.human(done),
                        Bytes.human(total),
                        Bytes.human((long) rate),
                        left(total - done, rate));
        if (!announced) {
            announced = true;
            say(stage);
        }
        err.print("\r" + line + " ".repeat(Math.max(0, width - line.length())));
        err.flush();
        width = line.length();
    }

    /** How long the rest takes at this rate, if that can be told. */
    private static String left(long bytes, double rate) {
        if (bytes == 0 || rate < 1) {
            return "";
        }
        long seconds = (long) Math.ceil(bytes / rate);
        if (seconds < 100) {
            return ", %d s left".formatted(seconds);
        }
        return seconds < 6_000
                ? ", %d min left".formatted(Math.ceilDiv(seconds, 60))
                : ", %d h left".formatted(Math.ceilDiv(seconds, 3_600));
    }

    private synchronized void say(String text) {
        if (!ended) {
            clear();
            err.println(Quoted.visible(text)); // names of files and words of servers among it
        }
    }

    private void clear() {
        if (width > 0) {
            err.print("\r" + " ".repeat(width) + "\r");
            err.flush();
            width = 0;
        }
    }

    /** Says a last word, as when the process is told to end; nothing is shown after it. */
    synchronized void end(String text) {
        say(text);
        ended = true;
    }

    /** Makes room for what others print. */
    synchronized void erase() {
        clear();
    }

    /** Leaves no half line behind. */
    @Override
    public synchronized void close() {
        clear();
    }
}
