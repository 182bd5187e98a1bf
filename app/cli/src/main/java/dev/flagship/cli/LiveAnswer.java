package dev.flagship.cli;

import dev.flagship.serving.api.ChatModel;
import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.Event;
import dev.flagship.serving.api.Generation;
import java.io.PrintWriter;
import java.time.Duration;
import org.jline.terminal.Terminal;
import org.jline.terminal.Terminal.Signal;
import org.jspecify.annotations.Nullable;

/** One answer on a terminal while it grows. Ctrl-C stops it, from the moment it is asked for. */
final class LiveAnswer {
    private static final Duration PATIENCE = Duration.ofMillis(500);

    private final ChatModel model;
    private final Terminal terminal;
    private final Rendering rendering;
    private final boolean styled;
    private volatile boolean stopped;
    private volatile @Nullable Generation running;

    /**
     * @param styled whether the terminal can take back a line
     */
    LiveAnswer(ChatModel model, Terminal terminal, Rendering rendering, boolean styled) {
        this.model = model;
        this.terminal = terminal;
        this.rendering = rendering;
        this.styled = styled;
    }

    /**
     * What came of it.
     *
     * @param text as the model gave it, as far as it came
     */
    record Outcome(String text, Event.Finished end) {}

    /**
     * Asks and prints.
     *
     * @throws dev.flagship.serving.api.RequestException if the request cannot be served
     */
    Outcome print(ChatRequest request) throws InterruptedException {
        var before = terminal.handle(Signal.INT, _ -> stop());
        try (Generation generation = model.generate(request)) {
            running = generation;
            if (stopped) {
                generation.cancel();
            }
            return print(generation);
        } finally {
            running = null;
            terminal.handle(Signal.INT, before);
        }
    }

    private void stop() {
        stopped = true;
        Generation generation = running;
        if (generation != null) {
            generation.cancel();
        }
    }

    private Outcome print(Generation generation) throws InterruptedException {
        var answer = new StringBuilder();
        Waiting waiting = null;
        try {
            while (true) {
                switch (generation.next()) {
                    case Event.Started started -> {
                        if (styled) {
                            waiting = Waiting.begin(terminal, started.promptTokens(), PATIENCE);
                        }
                    }
                    case Event.Text text -> {
                        if (waiting != null) {
                            waiting.close();
                        }
                        answer.append(text.text());
                        show(rendering.accept(text.text()));
                    }
                    case Event.Finished end -> {
                        if (waiting != null) {
                            waiting.close();
                        }
                        show(rendering.finish());
                        if (!answer.isEmpty() && answer.charAt(answer.length() - 1) != '\n') {
                            terminal.writer().println();
                        }
                        terminal.flush();
                        return new Outcome(answer.toString(), end);
                    }
                }
            }
        } finally {
            if (waiting != null) {
                waiting.close();
            }
        }
    }

    private void show(String text) {
        PrintWriter out = terminal.writer();
        out.print(text);
        out.flush();
    }
}
