package dev.flagship.cli;

import dev.flagship.base.Bytes;
import dev.flagship.launch.StoredModel;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code flagship cp}: a second name, or a model of one's own into the store. */
@Command(
        name = "cp",
        description = {
            "Give a model of the store a second name, or take one of your own into it.",
            "A second name costs no space. A file or folder is copied."
        },
        footer = {
            "",
            "Examples:",
            "  flagship cp smollm2 support-bot           serve it under a name of your own",
            "  flagship cp ~/models/some-llama.gguf mine"
        },
        sortOptions = false)
@SuppressWarnings("NullAway.Init") // picocli sets the annotated fields
final class CopyCommand implements Callable<Integer> {
    private final Context context;

    @Parameters(
            index = "0",
            paramLabel = "SOURCE",
            description = "A name of the store, a model's file or its folder.")
    private String source;

    @Parameters(index = "1", paramLabel = "NAME", description = "What it is to be called as well.")
    private String name;

    CopyCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        var streams = context.streams();
        var store = StoreOf.context(context);
        try (var progress = new ProgressLine(streams.err(), streams.errIsTerminal())) {
            StoredModel copied = store.copy(source, name, progress);
            progress.erase();
            streams.out()
                    .println(
                            "%s (%s) is here. Try: flagship run %s"
                                    .formatted(
                                            copied.name(),
                                            Bytes.human(copied.bytes()),
                                            copied.name()));
            streams.out().flush();
        }
        return 0;
    }
}
