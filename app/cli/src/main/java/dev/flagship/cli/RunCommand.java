package dev.flagship.cli;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.cli.ModelFlags.FailingTemplate;
import dev.flagship.launch.Catalogue;
import dev.flagship.launch.ModelStore;
import dev.flagship.serving.ModelTemplate.Own;
import dev.flagship.serving.TextModel;
import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.Message;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.Sampling;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code flagship run}: one answer, or a chat. */
@Command(
        name = "run",
        description = {
            "Answer a prompt, or chat.",
            "With a prompt, or text on standard input, it prints the answer and exits; without, it chats: /help there lists its commands, and @FILE puts a file into a message."
        },
        sortOptions = false,
        footer = {
            "",
            "Examples:",
            "  flagship run                                     chat with the default model",
            "  flagship run smollm2 'Name three fish.'          one answer",
            "  flagship run model.gguf 'Sum this up.' < notes   about what comes in",
            "  flagship run ~/models/llama --context 2048       a folder, as downloaded"
        })
@SuppressWarnings("NullAway.Init") // picocli sets the annotated fields
final class RunCommand implements Callable<Integer> {
    /** Stands for standard input in a prompt. */
    private static final String INPUT = "-";

    /** {@code no} keeps nothing of what is typed. */
    private static final String HISTORY = "FLAGSHIP_HISTORY";

    /** How long standard input is waited for without a word about it. */
    private static final Duration PATIENCE = Duration.ofSeconds(3);

    private final Context context;

    @Spec private CommandSpec spec;

    @Parameters(
            index = "0",
            arity = "0..1",
            paramLabel = "MODEL",
            defaultValue = Catalogue.DEFAULT_MODEL,
            description = "A name, a model's file or its folder. Default: ${DEFAULT-VALUE}.")
    private String model;

    @Parameters(
            index = "1..*",
            paramLabel = "PROMPT",
            description = {
                "What to answer. Text piped to standard input is waited for to its end and appended, or put where a - stands; < /dev/null does without."
            })
    private List<String> words = List.of();

    @Option(names = "--model", hidden = true)
    private @Nullable String misplaced;

    @Option(names = "--raw", description = "Continue the prompt as plain text, without template.")
    private boolean raw;

    @Option(names = "--system", paramLabel = "TEXT", description = "The system message.")
    private @Nullable String system;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            description = "0, always the likeliest token, to 2. Default: the model's own, or 0.8.")
    private @Nullable Float temperature;

    @Option(
            names = "--top-k",
            paramLabel = "K",
            description = "Choose from the K likeliest; 0: all. Default: the model's own, or 40.")
    private @Nullable Integer topK;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            description =
                    "Choose from the likeliest of joint share P. Default: the model's own, or 0.95.")
    private @Nullable Float topP;

    @Option(
            names = "--min-p",
            paramLabel = "P",
            description =
                    "Drop those below this share of the best. Default: the model's own, or 0.05.")
    private @Nullable Float minP;

    @Option(
            names = "--repeat-penalty",
            paramLabel = "R",
            description =
                    "Make tokens that prompt or answer have less likely; 1.1 keeps small models from going in circles. Default: the model's own, or 1, off.")
    private @Nullable Float repetitionPenalty;

    @Option(
            names = "--presence-penalty",
            paramLabel = "P",
            defaultValue = "0",
            description =
                    "Take this, -2 to 2, from the logit of each token that the answer has. Default: ${DEFAULT-VALUE}.")
    private float presencePenalty;

    @Option(
            names = "--frequency-penalty",
            paramLabel = "P",
            defaultValue = "0",
            description =
                    "The same, once for each time that the answer has it. Default: ${DEFAULT-VALUE}.")
    private float frequencyPenalty;

    @Option(
            names = "--seed",
            paramLabel = "N",
            description = "Equal seeds give equal answers. Default: a random one.")
    private @Nullable Long seed;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            description = "Most tokens of an answer. Default: what the context holds.")
    private @Nullable Integer maxTokens;

    @Option(
            names = "--no-history",
            description =
                    "Keep nothing of what is typed in a chat; so does FLAGSHIP_HISTORY=no. Default: 1000 entries in FLAGSHIP_HOME/history.")
    private boolean noHistory;

    @Mixin private ModelFlags flags;

    RunCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        settings(Sampling.usual(0)); // so that a mistake is known before a model is loaded
        checkModel();
        checkReadable(String.join(" ", words));
        checkReadable(system == null ? "" : system);
        var streams = context.streams();
        var input = input();
        // What may be no prompt at all, or is typed, comes first; a pipe fills while we load.
        boolean first =
                streams.inIsTerminal()
                        || words.stream().allMatch(w -> w.isEmpty() || w.equals(INPUT));
        String ready = first ? prompt(input) : "";
        boolean chat = first && ready.isEmpty();
        if (chat) {
            checkCanChat();
        }
        var store = StoreOf.context(context);
        var progress = new ProgressLine(streams.err(), streams.errIsTerminal());
        Own own = raw ? Own.IF_ANY : Own.REQUIRED;
        var failing = chat ? FailingTemplate.TOLD_AT_LOAD : FailingTemplate.TOLD_BY_ANSWER;
        try (var _ = announce(store);
                TextModel text = flags.open(store, model, own, failing, progress)) {
            streams.err().println(ModelFlags.describe(text));
            var settings = settings(text.info().sampling());
            return chat
                    ? Chat.onTerminal(text, settings, history(store), context.environment())
                    : new OneAnswer(text, streams)
                            .print(request(settings, first ? ready : prompt(input)));
        }
    }

    private RunningProcess announce(ModelStore store) {
        if (context.environment().containsKey(Rehearsal.MARK)) {
            return RunningProcess.unseen();
        }
        return RunningProcess.announce(
                store.home(),
                new RunningProcess.Seen(
                        ProcessHandle.current().pid(),
                        "run",
                        List.of(store.servedName(model)),
                        0,
                        Instant.now()));
    }

    private Optional<ChatHistory> history(ModelStore store) {
        boolean kept = !noHistory && !context.environment().getOrDefault(HISTORY, "").equals("no");
        return kept
                ? Optional.of(new ChatHistory(store.home().resolve("history")))
                : Optional.empty();
    }

    /**
     * Checks all flags.
     *
     * @param usual sampling, for what no flag says
     */
    private AnswerSettings settings(Sampling usual) {
        if (misplaced != null) {
            throw new ParameterException(
                    spec.commandLine(),
                    "run takes its model as the first word: flagship run %s".formatted(misplaced));
        }
        try {
            flags.options("check");
            var sampling =
                    new Sampling(
                            either(temperature, usual.temperature()),
                            topK == null ? usual.topK() : topK,
                            either(topP, usual.topP()),
                            either(minP, usual.minP()),
                            either(repetitionPenalty, usual.repetitionPenalty()),
                            presencePenalty,
                            frequencyPenalty,
                            Map.of(),
                            0);
            var settings =
                    new AnswerSettings(
                            system,
                            sampling,
                            seed,
                            maxTokens == null ? OptionalInt.empty() : OptionalInt.of(maxTokens));
            settings.request(new Prompt.Raw("check"));
            if (raw && system != null) {
                throw new ParameterException(
                        spec.commandLine(), "--raw takes no --system: plain text has no roles");
            }
            if (raw && flags.givesTemplate()) {
                throw new ParameterException(
                        spec.commandLine(),
                        "--raw takes no --chat-template: plain text is not laid out");
            }
            return settings;
        } catch (InvalidArgumentException e) {
            throw new ParameterException(spec.commandLine(), ModelFlags.inFlags(e.getMessage()), e);
        }
    }

    private static float either(@Nullable Float flag, float usual) {
        return flag == null ? usual : flag;
    }

    /** A prompt alone looks like a model with words in its name. */
    private void checkModel() {
        if (words.isEmpty()
                && model.strip().chars().anyMatch(Character::isWhitespace)
                && !Files.exists(Path.of(model))) {
            throw new ParameterException(
                    spec.commandLine(),
                    "\"%s\" stands where a model belongs; to ask the default one: flagship run smollm2 \"%s\""
                            .formatted(model, model));
        }
    }

    private Optional<PipedText> input() {
        var streams = context.streams();
        return words.contains(INPUT) || !streams.inIsTerminal()
                ? Optional.of(PipedText.from(streams.in()))
                : Optional.empty();
    }

    private String prompt(Optional<PipedText> input) throws IOException, InterruptedException {
        var streams = context.streams();
        String text = "";
        if (input.isPresent() && streams.inIsTerminal()) {
            streams.err().println("Type the prompt; Ctrl-D on a line of its own ends it.");
            text = input.get().toEnd();
        } else if (input.isPresent()) {
            text = input.get().toEnd(PATIENCE, streams.err());
        }
        int mark = words.indexOf(INPUT);
        return mark < 0
                ? joined(words(0, words.size()), text)
                : joined(words(0, mark), text, words(mark + 1, words.size()));
    }

    private String words(int from, int to) {
        return String.join(" ", words.subList(from, to));
    }

    private static String joined(String... parts) {
        return Stream.of(parts).filter(part -> !part.isEmpty()).collect(Collectors.joining("\n\n"));
    }

    /** Java replaces what the locale cannot express, and says nothing. */
    private void checkReadable(String typed) {
        if (typed.indexOf('\uFFFD') >= 0
                && !"UTF-8".equalsIgnoreCase(System.getProperty("sun.jnu.encoding"))) {
            throw new ParameterException(
                    spec.commandLine(),
                    "this shell's locale cannot express all characters of the command line; set LC_ALL=C.UTF-8, or give the prompt on standard input");
        }
    }

    private void checkCanChat() {
        String problem =
                raw
                        ? "--raw needs a prompt"
                        : !context.streams().inIsTerminal()
                                ? "there is no prompt, and standard input is empty"
                                : !context.streams().outIsTerminal()
                                        ? "there is no prompt, and a chat needs a terminal"
                                        : "";
        if (!problem.isEmpty()) {
            throw new ParameterException(spec.commandLine(), problem);
        }
    }

    private ChatRequest request(AnswerSettings settings, String prompt) {
        if (raw) {
            return settings.request(new Prompt.Raw(prompt));
        }
        var messages = new ArrayList<Message>(settings.opening());
        messages.add(Message.user(prompt));
        return settings.request(new Prompt.Conversation(messages));
    }
}
