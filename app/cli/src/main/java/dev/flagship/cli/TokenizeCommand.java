package dev.flagship.cli;

import dev.flagship.base.Quoted;
import dev.flagship.launch.Catalogue;
import dev.flagship.serving.ModelSummary;
import dev.flagship.serving.PromptCodec;
import dev.flagship.serving.api.Message;
import dev.flagship.serving.api.Prompt;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code flagship tokenize}: what a model's tokenizer makes of a text. */
@Command(
        name = "tokenize",
        description = {
            "Show the tokens that a text becomes, and how many they are.",
            "Reads a model's tokenizer only, and none of its weights."
        },
        footer = {
            "",
            "Text goes in as it is, but for one line break that ends what is piped. A token",
            "is shown as its number and its text in quotes. One without quotes controls the",
            "model: templates write such, and what begins texts is one, but no text becomes",
            "one.",
            "",
            "Examples:",
            "  flagship tokenize smollm2 'How many?'    a text",
            "  git diff | flagship tokenize             what is piped, by the default model",
            "  flagship tokenize --chat smollm2 'Hi'    as run and serve lay it out",
            "  flagship tokenize --ids --file a.txt     for programs",
            "  flagship tokenize --decode '504 1389'    and back"
        },
        sortOptions = false)
@SuppressWarnings("NullAway.Init") // picocli sets the annotated fields
final class TokenizeCommand implements Callable<Integer> {
    /** How long standard input is waited for without a word about it. */
    private static final Duration PATIENCE = Duration.ofSeconds(3);

    private static final String INPUT = "-";

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
            paramLabel = "TEXT",
            description = "The text. Default: what is piped to standard input.")
    private List<String> words = List.of();

    @Option(names = "--file", paramLabel = "FILE", description = "Take the text from a file.")
    private @Nullable Path file;

    @Option(
            names = "--chat",
            description = "Lay the text out as a user's message, by the chat template.")
    private boolean chat;

    @Option(
            names = "--decode",
            paramLabel = "IDS",
            description =
                    "Show the text of these ids instead, with all control tokens; -: of those on standard input.")
    private @Nullable String decode;

    @Option(names = "--ids", description = "Only the ids, in one line.")
    private boolean ids;

    @Option(names = "--json", description = "One JSON object, as POST /tokenize answers.")
    private boolean json;

    TokenizeCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        check();
        String given = given();
        int[] numbers = decode == null ? new int[0] : numbers(given);
        var streams = context.streams();
        var store = StoreOf.context(context);
        try (var progress = new ProgressLine(streams.err(), streams.errIsTerminal())) {
            ModelSummary summary = ModelSummary.read(store.resolve(model, progress));
            var codec = PromptCodec.of(model, summary);
            if (decode != null) {
                printText(codec.text(numbers), streams);
            } else {
                print(codec, codec.ids(prompt(given)), summary.trained(), streams.out());
            }
        }
        streams.out().flush();
        return 0;
    }

    private void check() {
        if (words.isEmpty()
                && model.strip().chars().anyMatch(Character::isWhitespace)
                && !Files.exists(Path.of(model))) {
            throw usage(
                    "\"%s\" stands where a model belongs; by the default one: flagship tokenize %s \"%s\""
                            .formatted(model, Catalogue.DEFAULT_MODEL, model));
        }
        if (decode != null && (chat || ids || file != null || !words.isEmpty())) {
            throw usage("--decode takes ids instead of a text, and neither --chat nor --ids");
        }
        if (file != null && !words.isEmpty()) {
            throw usage("there is a text and --file; choose one");
        }
        if (ids && json) {
            throw usage("--ids and --json are two ways to print; choose one");
        }
    }

    private ParameterException usage(String message) {
        return new ParameterException(spec.commandLine(), message);
    }

    private String given() throws IOException, InterruptedException {
        if (decode != null && !decode.equals(INPUT)) {
            return decode;
        }
        if (file != null) {
            return PipedText.of(file);
        }
        return words.isEmpty() || words.equals(List.of(INPUT)) ? piped() : String.join(" ", words);
    }

    private String piped() throws IOException, InterruptedException {
        var streams = context.streams();
        if (streams.inIsTerminal()) {
            streams.err().println("Type the text; Ctrl-D on a line of its own ends it.");
        }
        String text =
                PipedText.from(streams.in())
                        .asItIs(
                                streams.inIsTerminal() ? Duration.ofDays(1) : PATIENCE,
                                streams.err());
        int end = text.endsWith("\r\n") ? 2 : text.endsWith("\n") ? 1 : 0;
        return text.substring(0, text.length() - end);
    }

    /** Numbers, however they are set apart. */
    private int[] numbers(String text) {
        List<Integer> numbers = new ArrayList<>();
        for (String word : text.replaceAll("[\\[\\],;\\s]+", " ").strip().split(" ", -1)) {
            if (!word.matches("\\d{1,9}")) {
                throw usage(
                        text.isBlank()
                                ? "--decode needs ids, such as '504 1389'"
                                : "\"%s\" is no token id".formatted(word));
            }
            numbers.add(Integer.parseInt(word));
        }
        return numbers.stream().mapToInt(Integer::intValue).toArray();
    }

    private Prompt prompt(String text) {
        return chat ? new Prompt.Conversation(List.of(Message.user(text))) : new Prompt.Raw(text);
    }

    private void print(PromptCodec codec, int[] tokens, int trained, PrintStream out) {
        if (json) {
            out.println(codec.json(tokens, trained));
        } else if (ids) {
            out.println(
                    Arrays.stream(tokens)
                            .mapToObj(Integer::toString)
                            .collect(Collectors.joining(" ")));
        } else {
            for (int id : tokens) {
                out.println("%8d  %s".formatted(id, codec.shown(id)));
            }
            out.println(ModelFlags.counted(tokens.length, "token"));
        }
    }

    private void printText(String text, Streams streams) {
        if (json) {
            streams.out().println(PromptCodec.json(text));
        } else if (streams.outIsTerminal()) {
            streams.out().println(Quoted.visible(text));
        } else {
            streams.out().print(text);
        }
    }
}
