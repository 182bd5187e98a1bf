package dev.flagship.cli;

import dev.flagship.launch.ExitHook;
import dev.flagship.serving.api.ChatModel;
import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.Event;
import dev.flagship.serving.api.Generation;
import java.io.PrintStream;

/** Prints one answer as it grows. Ctrl-C ends it in order: the process then exits with 130. */
final class OneAnswer {
    private static final int FAILED = 1;
    private static final int INTERRUPTED = 130;

    private final ChatModel model;
    private final Streams streams;

    OneAnswer(ChatModel model, Streams streams) {
        this.model = model;
        this.streams = streams;
    }

    int print(ChatRequest request) throws InterruptedException {
        PrintStream out = streams.out();
        try (Generation generation = model.generate(request);
                var _ = ExitHook.of(model::close)) {
            while (true) {
                switch (generation.next()) {
                    case Event.Started _ -> {}
                    case Event.Text text -> {
                        out.print(
                                streams.outIsTerminal()
                                        ? ModelText.visible(text.text())
                                        : text.text());
                        if (out.checkError()) { // flushes
                            return FAILED; // whoever started us says why
                        }
                    }
                    case Event.Finished end -> {
                        out.println();
                        out.flush(); // before what stderr says of it
                        return exitCode(end, request.maxTokens().isPresent());
                    }
                }
            }
        }
    }

    /**
     * @param limited whether the answer was given a length
     */
    private int exitCode(Event.Finished end, boolean limited) {
        for (String warning : end.warnings()) {
            streams.err().println("flagship: " + warning);
        }
        return switch (end.reason()) {
            case STOP -> 0;
            case LENGTH -> {
                if (end.warnings().isEmpty()) {
                    streams.err()
                            .println(
                                    limited
                                            ? "flagship: the answer was ended by --max-tokens"
                                            : "flagship: the answer was ended by the context, which is full");
                }
                yield 0;
            }
            case CANCELLED -> INTERRUPTED;
            case ERROR -> FAILED;
        };
    }
}
