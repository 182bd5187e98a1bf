package dev.flagship.cli;

import dev.flagship.base.Bytes;
import dev.flagship.base.Quoted;
import dev.flagship.launch.Catalogue;
import dev.flagship.launch.ModelStore;
import dev.flagship.serving.ModelSummary;
import java.io.IOException;
import java.io.PrintStream;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code flagship show}: what a model is and what it takes. */
@Command(
        name = "show",
        description = {
            "Tell what a model is and what running it takes.",
            "Reads headers only, so the size of the file does not matter."
        },
        footer = {
            "",
            "Examples:",
            "  flagship show                  the default model",
            "  flagship show model.gguf       a file, or a model's folder",
            "  flagship show --json smollm2   for programs, with the whole template"
        },
        sortOptions = false)
final class ShowCommand implements Callable<Integer> {
    private final Context context;

    @Parameters(
            index = "0",
            arity = "0..1",
            paramLabel = "MODEL",
            defaultValue = Catalogue.DEFAULT_MODEL,
            description = "A name, a GGUF file or a model folder. Default: ${DEFAULT-VALUE}.")
    private String model = Catalogue.DEFAULT_MODEL;

    @Option(names = "--json", description = "One JSON object, all sizes in bytes.")
    private boolean json;

    ShowCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws IOException {
        var streams = context.streams();
        var store =
                ModelStore.open(
                        ModelStore.defaultHome(context.environment()), context.environment());
        try (var progress = new ProgressLine(streams.err(), streams.errIsTerminal())) {
            ModelSummary summary = ModelSummary.read(store.resolve(model, progress));
            if (json) {
                streams.out().println(summary.json());
            } else {
                print(summary, streams.out());
            }
        }
        streams.out().flush();
        return 0;
    }

    private static void print(ModelSummary s, PrintStream out) {
        line(out, "path", s.path().toString());
        line(
                out,
                "files",
                "%s, %d of %s".formatted(s.container(), s.files(), Bytes.human(s.fileBytes())));
        s.name().ifPresent(name -> line(out, "name", Quoted.of(name)));
        line(out, "licence", s.licence().map(Quoted::of).orElse("not stated"));
        ModelSummary.Architecture a = s.architecture();
        line(
                out,
                "architecture",
                "%s, %d layers of width %d, MLP %d, %d heads of %d over %d of keys and values"
                        .formatted(
                                a.family(),
                                a.layers(),
                                a.width(),
                                a.mlpWidth(),
                                a.heads(),
                                a.headSize(),
                                a.kvHeads()));
        line(
                out,
                "parameters",
                millions(s.parameters())
                        + (a.tiedHead() ? ", the embedding being the head, too" : ""));
        for (ModelSummary.Group group : s.groups()) {
            line(
                    out,
                    "  " + group.name(),
                    "%d × %s: %s weights in %s"
                            .formatted(
                                    group.tensors(),
                                    group.type(),
                                    millions(group.weights()),
                                    Bytes.human(group.bytes())));
        }
        line(out, "tokenizer", "%s, %d tokens".formatted(s.tokenizer(), s.vocabulary()));
        line(
                out,
                "template",
                s.template()
                        .map(t -> "yes, %d characters (--json shows it)".formatted(t.length()))
                        .orElse("none: it can only continue text (flagship run --raw)"));
        line(out, "context", "made for %d tokens".formatted(s.trained()));
        line(
                out,
                "a token costs",
                s.bytesPerToken().entrySet().stream()
                        .map(e -> "%s in %s".formatted(Bytes.human(e.getValue()), e.getKey()))
                        .collect(Collectors.joining(", ")));
        long context = s.context() * s.bytesPerToken().get(s.kvCache());
        line(
                out,
                "memory",
                "%s: weights %s, context of %d tokens %s (%s)"
                        .formatted(
                                Bytes.human(s.weightBytes() + context),
                                Bytes.human(s.weightBytes()),
                                s.context(),
                                Bytes.human(context),
                                s.kvCache()));
    }

    private static void line(PrintStream out, String title, String text) {
        out.println("%-14s %s".formatted(title, text));
    }

    private static String millions(long count) {
        return count < 100_000
                ? Long.toString(count)
                : String.format(Locale.ROOT, "%.1f M", count / 1e6);
    }
}
