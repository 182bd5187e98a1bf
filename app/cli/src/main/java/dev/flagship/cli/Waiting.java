package dev.flagship.cli;

import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import org.jline.terminal.Terminal;

/**
 * A line that says that the prompt is being read, if that takes its time; gone without trace when
 * this is closed.
 */
final class Waiting implements AutoCloseable {
    private static final String FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";

    private final PrintWriter out;
    private final String text;
    private final Duration patience;
    private final Thread thread;
    private boolean shown;
    private boolean closed;

    private Waiting(Terminal terminal, int tokens, Duration patience) {
        this.out = terminal.writer();
        this.text = String.format(Locale.ROOT, "reading %,d tokens", tokens);
        this.patience = patience;
        this.thread = Thread.ofVirtual().unstarted(this::show);
    }

    /**
     * Begins to wait.
     *
     * @param tokens of the prompt
     * @param patience until the line is shown
     */
    static Waiting begin(Terminal terminal, int tokens, Duration patience) {
        var waiting = new Waiting(terminal, tokens, patience);
        waiting.thread.start();
        return waiting;
    }

    private void show() {
        try {
            Thread.sleep(patience);
            for (int frame = 0; draw(frame); frame++) {
                Thread.sleep(Duration.ofMillis(100));
            }
        } catch (InterruptedException e) {
            // closed
        }
    }

    private synchronized boolean draw(int frame) {
        if (closed) {
            return false;
        }
        char turning = FRAMES.charAt(frame % FRAMES.length());
        out.print("\r" + Style.DIM + turning + " " + text + Style.OFF);
        out.flush();
        shown = true;
        return true;
    }

    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        thread.interrupt();
        if (shown) {
            out.print(Style.CLEAR_LINE);
            out.flush();
        }
    }
}
