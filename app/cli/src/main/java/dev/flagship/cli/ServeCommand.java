package dev.flagship.cli;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.http.HttpStartException;
import dev.flagship.launch.Catalogue;
import dev.flagship.launch.ExitHook;
import dev.flagship.launch.ModelStore;
import dev.flagship.server.FlagshipServer;
import dev.flagship.serving.ModelTemplate;
import dev.flagship.serving.TextModel;
import java.io.IOException;
import java.io.PrintStream;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code flagship serve}: OpenAI's API on loopback until the process is told to end. */
@Command(
        name = "serve",
        description = "Serve models by OpenAI's API, on this machine only.",
        sortOptions = false,
        footer = {
            "",
            "Examples:",
            "  flagship serve                               the default model",
            "  flagship serve --model a.gguf --model b.gguf --port 8080"
        })
@SuppressWarnings("NullAway.Init") // picocli sets the annotated fields
final class ServeCommand implements Callable<Integer> {
    private final Context context;

    @Spec private CommandSpec spec;

    @Option(
            names = "--model",
            paramLabel = "MODEL",
            defaultValue = Catalogue.DEFAULT_MODEL,
            description =
                    "A name, a model's file or its folder; may be given several times. Default: ${DEFAULT-VALUE}.")
    private List<String> models;

    @Option(
            names = "--port",
            paramLabel = "N",
            defaultValue = "" + FlagshipServer.DEFAULT_PORT,
            description = "Where to listen; 0 takes any free port. Default: ${DEFAULT-VALUE}.")
    private int port;

    @Mixin private ModelFlags flags;

    @Parameters(hidden = true)
    private List<String> words = List.of();

    ServeCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        check();
        var store = StoreOf.context(context);
        var names = names(store);
        try (FlagshipServer server = start();
                var _ = announce(names, server);
                var _ = ExitHook.of(server::close)) {
            PrintStream out = context.streams().out();
            for (String model : names.values()) {
                TextModel text =
                        flags.open(
                                store,
                                model,
                                ModelTemplate.Own.IF_ANY,
                                ModelFlags.FailingTemplate.TOLD_AT_LOAD,
                                progress());
                server.add(text);
                out.println(ModelFlags.describe(text));
                text.chatRefusal()
                        .ifPresent(why ->
                                out.println(
                                        "Warning: %s %s, so every chat with it is refused; --chat-template FILE gives it a template."
                                                .formatted(text.info().id(), why)));
                out.flush();
            }
            server.ready();
            out.println(
                    "Listening on http://%s:%d"
                            .formatted(
                                    server.address().getAddress().getHostAddress(),
                                    server.address().getPort()));
            out.flush();
            new CountDownLatch(1).await(); // a signal ends the process, and the hook the server
            return 0;
        }
    }

    private void check() {
        if (!words.isEmpty()) {
            throw new ParameterException(
                    spec.commandLine(),
                    "serve takes its models by a flag: flagship serve --model "
                            + String.join(" --model ", words));
        }
        if (port < 0 || port > 65535) {
            throw new ParameterException(
                    spec.commandLine(),
                    "--port " + port + " is not between 0, any that is free, and 65535");
        }
        try {
            flags.options("check");
        } catch (InvalidArgumentException e) {
            throw new ParameterException(spec.commandLine(), ModelFlags.inFlags(e.getMessage()), e);
        }
    }

    /** Models by the names that clients use. */
    private Map<String, String> names(ModelStore store) {
        var names = new LinkedHashMap<String, String>();
        for (String model : models) {
            String before = names.putIfAbsent(store.servedName(model), model);
            if (before != null && !before.equals(model)) {
                throw new CliException(
                        "name_taken",
                        "%s and %s would both be served as \"%s\"; rename one of the files"
                                .formatted(before, model, store.servedName(model)),
                        null);
            }
        }
        return names;
    }

    private RunningProcess announce(Map<String, String> names, FlagshipServer server) {
        return RunningProcess.announce(
                StoreOf.home(context),
                new RunningProcess.Seen(
                        ProcessHandle.current().pid(),
                        "serve",
                        List.copyOf(names.keySet()),
                        server.address().getPort(),
                        Instant.now()));
    }

    private FlagshipServer start() {
        try {
            return FlagshipServer.start(port);
        } catch (HttpStartException e) {
            throw new CliException(e.code(), e.getMessage() + " (--port N).", e);
        }
    }

    private ProgressLine progress() {
        return new ProgressLine(context.streams().err(), context.streams().errIsTerminal());
    }
}
