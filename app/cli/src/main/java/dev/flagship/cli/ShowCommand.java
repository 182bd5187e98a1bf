package dev.flagship.cli;

import dev.flagship.base.Bytes;
import dev.flagship.base.Quoted;
import dev.flagship.launch.Catalogue;
import dev.flagship.serving.ModelSummary;
import dev.flagship.serving.ModelTemplate;
import java.io.IOException;
import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

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
            "  flagship show --json smollm2   for programs, with the whole template",
            "  flagship show --template smollm2 > own.jinja   to change it, for run --chat-template own.jinja"
        },
        sortOptions = false)
final class ShowCommand implements Callable<Integer> {
    private final Context context;

    @Parameters(
            index = "0",
            arity = "0..1",
            paramLabel = "MODEL",
            defaultValue = Catalogue.DEFAULT_MODEL,
            description = "A name, a model's file or its folder. Default: ${DEFAULT-VALUE}.")
    private String model = Catalogue.DEFAULT_MODEL;

    @Spec private @Nullable CommandSpec spec;

    @Option(names = "--json", description = "One JSON object, all sizes in bytes.")
    private boolean json;

    @Option(names = "--template", description = "The chat template alone, whole and as it is.")
    private boolean template;

    /** What a screen takes beside all else. */
    private static final int MOST_LINES = 40;

    private static final int MOST_CHARACTERS = 3_000;

    ShowCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws IOException {
        if (json && template) {
            throw new ParameterException(
                    Objects.requireNonNull(spec).commandLine(),
                    "--json and --template are two ways to print; choose one");
        }
        var streams = context.streams();
        var store = StoreOf.context(context);
        try (var progress = new ProgressLine(streams.err(), streams.errIsTerminal())) {
            ModelSummary summary = ModelSummary.read(store.resolve(model, progress));
            if (template) {
                printTemplate(summary, streams);
            } else if (json) {
                streams.out().println(summary.json(summary.templateWarning()));
            } else {
                print(summary, streams.out());
            }
        }
        streams.out().flush();
        return 0;
    }

    private static void print(ModelSummary s, PrintStream out) {
        s.name().ifPresent(name -> line(out, "model", Quoted.of(name)));
        line(out, "path", s.path().toString());
        line(
                out,
                "container",
                "%s, %s in %s"
                        .formatted(
                                s.container(),
                                Bytes.human(s.fileBytes()),
                                ModelFlags.counted(s.files(), "file")));
        line(out, "licence", s.licence().map(Quoted::of).orElse("not stated"));
        ModelSummary.Architecture a = s.architecture();
        line(
                out,
                "architecture",
                "%s: %d layers, width %d, MLP width %d"
                        .formatted(a.family(), a.layers(), a.width(), a.mlpWidth()));
        line(
                out,
                "heads",
                "%d of size %d, %d for keys and values"
                        .formatted(a.heads(), a.headSize(), a.kvHeads()));
        line(out, "parameters", count(s.parameters()));
        for (ModelSummary.Group group : s.groups()) {
            boolean twice = a.tiedHead() && group.name().equals("embedding");
            line(
                    out,
                    "  " + group.name(),
                    "%-8s %-6s %10s in %s%s"
                            .formatted(
                                    count(group.weights()),
                                    group.type(),
                                    Bytes.human(group.bytes()),
                                    ModelFlags.counted(group.tensors(), "tensor"),
                                    twice ? " (also the head)" : ""));
        }
        line(out, "tokenizer", "%s, %d tokens".formatted(s.tokenizerKind(), s.vocabulary()));
        template(s, out);
        line(
                out,
                "context",
                "%d tokens%s%s"
                        .formatted(
                                s.trained(),
                                s.trainedAssumed() ? " (assumed: no file tells)" : "",
                                s.context() < s.trained()
                                        ? "; %d unless --context says more".formatted(s.context())
                                        : ""));
        line(out, "positions", s.rotary().text());
        line(
                out,
                "KV cache",
                s.bytesPerToken().entrySet().stream()
                        .map(e -> "%s in %s".formatted(Bytes.human(e.getValue()), e.getKey()))
                        .collect(Collectors.joining(", ", "a token takes ", "")));
        line(
                out,
                "memory",
                "%s: %s for weights, %s for %d tokens of context in %s"
                        .formatted(
                                Bytes.human(s.weightBytes() + s.contextBytes()),
                                Bytes.human(s.weightBytes()),
                                Bytes.human(s.contextBytes()),
                                s.context(),
                                s.kvCache()));
        templateText(s, out);
    }

    private void printTemplate(ModelSummary summary, Streams streams) {
        String source =
                summary.templateSource()
                        .orElseThrow(() ->
                                new CliException(
                                        "no_chat_template",
                                        "%s brings no chat template; give run and serve one with --chat-template FILE"
                                                .formatted(model),
                                        null));
        if (streams.outIsTerminal()) {
            streams.out().println(Quoted.visible(source));
        } else {
            streams.out().print(source);
        }
    }

    private static void template(ModelSummary s, PrintStream out) {
        String source = s.templateSource().orElse("");
        String title = "chat template";
        switch (s.template()) {
            case ModelTemplate.Absent() ->
                    line(
                            out,
                            title,
                            "none: it can only continue text (flagship run --raw), unless --chat-template FILE gives run and serve one");
            case ModelTemplate.Usable _ -> {
                line(out, title, source.length() + " characters, below");
                s.templateWarning().ifPresent(warning -> line(out, "  warning", warning));
            }
            case ModelTemplate.Unusable(_, var why) ->
                    line(
                            out,
                            title,
                            "%d characters, below, cannot be used: %s. Chats are refused; flagship run --raw works, and so does --chat-template FILE"
                                    .formatted(source.length(), why.getMessage()));
        }
    }

    /** Its lines behind a bar, so that they are not taken for lines of ours. */
    private static void templateText(ModelSummary s, PrintStream out) {
        String source = s.templateSource().orElse("");
        String head = source.substring(0, Math.min(source.length(), MOST_CHARACTERS));
        List<String> lines = head.lines().limit(MOST_LINES).toList();
        lines.forEach(text -> out.println("  | " + Quoted.visible(text)));
        if (head.length() < source.length() || head.lines().count() > MOST_LINES) {
            out.println("  … (flagship show --template prints all of it)");
        }
    }

    private static void line(PrintStream out, String title, String text) {
        out.println("%-14s %s".formatted(title, text));
    }

    private static String count(long count) {
        if (count < 100_000) {
            return Long.toString(count);
        }
        return count < 1_000_000_000
                ? String.format(Locale.ROOT, "%.1f M", count / 1e6)
                : String.format(Locale.ROOT, "%.2f B", count / 1e9);
    }
}
