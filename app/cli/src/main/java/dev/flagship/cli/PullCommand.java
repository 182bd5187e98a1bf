package dev.flagship.cli;

import dev.flagship.base.Bytes;
import dev.flagship.base.InvalidArgumentException;
import dev.flagship.base.Quoted;
import dev.flagship.launch.ExitHook;
import dev.flagship.launch.Licence;
import dev.flagship.launch.ModelStore;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code flagship pull}: a model into the store. */
@Command(
        name = "pull",
        description = {
            "Fetch a model into the store.",
            "What was fetched before an end, even by Ctrl-C, need not come again."
        },
        footer = {
            "",
            "A model of the hub is OWNER/NAME, with @REVISION for another than main and",
            ":FILE or :QUANTISATION for one of several. Gated models need a token:",
            "FLAGSHIP_HUB_TOKEN, HF_TOKEN, or the file hub-token in FLAGSHIP_HOME (mode 600).",
            "",
            "Examples:",
            "  flagship pull smollm2-1.7b              a name of flagship list --catalogue",
            "  flagship pull bartowski/Llama-3.2-1B-Instruct-GGUF:Q8_0",
            "  flagship pull HuggingFaceTB/SmolLM2-360M-Instruct    a folder of safetensors",
            "  flagship pull https://example.org/my.gguf --name mine"
        },
        sortOptions = false)
@SuppressWarnings("NullAway.Init") // picocli sets the annotated fields
final class PullCommand implements Callable<Integer> {
    private static final int MOST_ANSWER = 100;

    private final Context context;

    @Spec private CommandSpec spec;

    @Parameters(
            index = "0",
            paramLabel = "MODEL",
            description = "A name, OWNER/NAME of the hub, or an address.")
    private String model;

    @Option(
            names = "--name",
            paramLabel = "NAME",
            description = "What the model is to be called here.")
    private @Nullable String name;

    @Option(
            names = "--accept-licence",
            description = "Accept the model's licence without being asked.")
    private boolean accept;

    @Option(
            names = "--connections",
            paramLabel = "N",
            defaultValue = "4",
            description = "Ranges fetched at a time, 1 to 16. Default: ${DEFAULT-VALUE}.")
    private int connections;

    @Option(names = "--json", description = "One JSON object about the model at the end.")
    private boolean json;

    PullCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        var streams = context.streams();
        ModelStore store = store();
        try (var progress = new ProgressLine(streams.err(), streams.errIsTerminal());
                var _ =
                        ExitHook.of(() ->
                                progress.end(
                                        "flagship: stopped; what has come is kept, and the same command goes on with it"))) {
            ModelStore.Pulled pulled =
                    store.pull(
                            model,
                            Optional.ofNullable(name),
                            (licence, title) -> accepted(licence, title, progress),
                            progress);
            progress.erase();
            tell(pulled, streams.out());
        }
        return 0;
    }

    private ModelStore store() {
        try {
            return StoreOf.context(context).withConnections(connections);
        } catch (InvalidArgumentException e) {
            throw new ParameterException(spec.commandLine(), "--" + e.getMessage(), e);
        }
    }

    private void tell(ModelStore.Pulled pulled, PrintStream out) {
        var stored = pulled.model();
        if (json) {
            Json.print(out, ListCommand.json(stored).put("fetched_now", pulled.fetched()));
            return;
        }
        out.println(
                "%s (%s, %s, licence %s) is %s. Try: flagship run %s"
                        .formatted(
                                stored.name(),
                                stored.title(),
                                Bytes.human(stored.bytes()),
                                stored.licence().name(),
                                pulled.fetched() ? "here" : "here already",
                                stored.name()));
        out.flush();
    }

    private boolean accepted(Licence licence, String title, ProgressLine progress) {
        if (accept) {
            return true;
        }
        var streams = context.streams();
        if (!streams.inIsTerminal() || !streams.errIsTerminal()) {
            return false;
        }
        progress.erase();
        PrintStream err = streams.err();
        err.println(
                "%s comes under terms of its own: %s."
                        .formatted(title, Quoted.visible(licence.name())));
        if (!licence.restricts().isEmpty()) {
            err.println("  In short: " + Quoted.visible(licence.restricts()) + ".");
        }
        if (!licence.url().isEmpty()) {
            err.println("  All of it: " + Quoted.visible(licence.url()));
        }
        err.print("Do you accept them? [y/N] ");
        err.flush();
        String answer = line(streams.in()).strip().toLowerCase(Locale.ROOT);
        return answer.equals("y") || answer.equals("yes");
    }

    private static String line(InputStream in) {
        StringBuilder line = new StringBuilder();
        try {
            for (int b = in.read();
                    b >= 0 && b != '\n' && line.length() < MOST_ANSWER;
                    b = in.read()) {
                line.append(new String(new byte[] {(byte) b}, StandardCharsets.ISO_8859_1));
            }
        } catch (IOException e) {
            return ""; // then nobody has accepted anything
        }
        return line.toString();
    }
}
