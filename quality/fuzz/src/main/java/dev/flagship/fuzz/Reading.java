package dev.flagship.fuzz;

import dev.flagship.base.FlagshipException;
import dev.flagship.hostile.Meter;
import dev.flagship.serving.LoadListener;
import dev.flagship.serving.LoadOptions;
import dev.flagship.serving.LoadedModel;
import dev.flagship.serving.ModelSummary;
import dev.flagship.serving.ModelTemplate;
import dev.flagship.tensor.MemoryLedger;
import dev.flagship.tokenizers.ChatTemplate;
import dev.flagship.tokenizers.ControlTokens;
import dev.flagship.tokenizers.StreamingDecoder;
import dev.flagship.tokenizers.TemplateException;
import dev.flagship.tokenizers.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Pattern;

/**
 * One reading of a model as {@code flagship show --json} reads it, held to what reading promises: a
 * model or a coded error that names what was opened and a remedy, in time, in proportion, and
 * nothing left open.
 *
 * @param error what was refused; empty if all was read and used
 * @param refusedAtUse whether it was the template, when it was rendered
 * @param cost of reading, without use
 */
public record Reading(Optional<FlagshipException> error, boolean refusedAtUse, Meter.Cost cost) {

    /** For reading and for use, each. */
    public static final Duration MOST_TIME = Duration.ofSeconds(2);

    private static final int MOST_CHARACTERS = 16_384;

    /**
     * What rendering and encoding a short conversation may take in all, whatever the model: a
     * template has 100,000 steps, of which each pays for 256 characters at most, and some are
     * copied twice. No more than a few texts of {@link #MOST_CHARACTERS} are alive at a time.
     */
    private static final long MOST_BYTES_OF_USE = 64 << 20;

    private static final LoadOptions ONE_THREAD =
            LoadOptions.of("fuzz").withKernels("scalar").withThreads(1);

    private static final LocalDateTime NOW = LocalDateTime.of(2026, 11, 27, 3, 32);
    private static final String TEXT = "the thing in  12.3 \u00e9\uD83D\uDE00 <|eos|> </s>\n\tthth";

    /** Words that end in a full stop, after a full stop: the remedy is a sentence of its own. */
    private static final Pattern REMEDY =
            Pattern.compile("(?s).+[.:?] \\P{Cntrl}*[A-Z]\\P{Cntrl}+\\.");

    /**
     * Reads; once more if that was dear or slow, for what loads and compiles classes is no fault of
     * the file's.
     *
     * @param model file or folder
     * @param given bytes of it
     * @throws AssertionError if a promise is broken
     */
    public static Reading of(Path model, long given) throws IOException {
        Attempt attempt = Attempt.of(model);
        if (attempt.cost.bytes() > Meter.allowed(given)
                || attempt.cost.cpu().compareTo(MOST_TIME) > 0) {
            attempt = Attempt.of(model);
        }
        attempt.cost.requireBytes(given);
        attempt.cost.requireTime(MOST_TIME);
        if (attempt.refused.isPresent()) {
            checkMessage(model, attempt.refused.get());
            return new Reading(attempt.refused, false, attempt.cost);
        }
        ModelSummary read = attempt.read.orElseThrow();
        Optional<FlagshipException> atUse = used(read);
        checkTrial(read);
        load(model, read.template());
        return new Reading(atUse, atUse.isPresent(), attempt.cost);
    }

    private record Attempt(
            Optional<ModelSummary> read, Optional<FlagshipException> refused, Meter.Cost cost) {

        static Attempt of(Path model) throws IOException {
            long arenas = MemoryLedger.arenas();
            long mapped = MemoryLedger.bytes();
            AtomicReference<ModelSummary> read = new AtomicReference<>();
            AtomicReference<FlagshipException> refused = new AtomicReference<>();
            Meter.Cost cost =
                    Meter.of(() -> {
                        try {
                            ModelSummary summary = ModelSummary.read(model);
                            summary.json(Optional.empty());
                            read.set(summary);
                        } catch (FlagshipException e) {
                            refused.set(e);
                        }
                    });
            requireClosed(arenas, mapped);
            return new Attempt(
                    Optional.ofNullable(read.get()), Optional.ofNullable(refused.get()), cost);
        }
    }

    private static void checkMessage(Path model, FlagshipException error) {
        String message = error.getMessage();
        if (!message.contains(model.toString()) || !REMEDY.matcher(message).matches()) {
            throw new AssertionError("without place or remedy: " + message, error);
        }
        checkFit(message);
    }

    private static void checkFit(String message) {
        if (message.length() > 2_000 || message.chars().anyMatch(c -> c < ' ' || c == 0x7F)) {
            throw new AssertionError("too long, or not fit for a terminal: " + message);
        }
    }

    /** What a client is told of a template that failed; its own refusal is marked as its words. */
    private static void checkTemplate(ModelTemplate.Usable template, TemplateException error) {
        String told = template.failure(error);
        checkFit(told);
        if (error.clientSafe()) {
            if (!told.contains("chat template says: \"")) {
                throw new AssertionError("as if it were ours: " + told, error);
            }
            return;
        }
        if (!told.contains("chat template") || !REMEDY.matcher(told).matches()) {
            throw new AssertionError("without place or remedy: " + told, error);
        }
    }

    private static void checkWarnings(List<String> warnings) {
        for (String warning : warnings) {
            checkFit(warning);
            if (warning.contains("chat template") && !REMEDY.matcher(warning).matches()) {
                throw new AssertionError("without remedy: " + warning);
            }
        }
    }

    /** A template that cannot be used is an error for those who come to chat alone. */
    private static void refuseChats(Path model, FlagshipException why) throws IOException {
        LoadOptions forChats = ONE_THREAD.withTemplate(ModelTemplate.Own.REQUIRED);
        try (var loaded = LoadedModel.load(model, forChats, LoadListener.SILENT)) {
            throw new AssertionError("loaded for chats, numerics " + loaded.numerics(), why);
        } catch (FlagshipException e) {
            checkMessage(model, e);
            String told = e.getMessage();
            if (!told.contains(why.getMessage()) || !told.contains("--chat-template FILE")) {
                throw new AssertionError("without place or remedy: " + told, why);
            }
        }
    }

    private record Warnings(List<String> heard) implements LoadListener {
        @Override
        public void progress(String stage, long done, long total) {}

        @Override
        public void warning(String message) {
            heard.add(message);
        }
    }

    /** What a conversation does with a model before it computes. */
    private static Optional<FlagshipException> used(ModelSummary model) throws IOException {
        AtomicReference<FlagshipException> refused = new AtomicReference<>();
        Meter.Cost cost =
                Meter.of(() -> {
                    tokenize(model.tokenizer());
                    switch (model.template()) {
                        case ModelTemplate.Absent() -> {}
                        case ModelTemplate.Usable usable ->
                                render(usable, model.tokenizer()).ifPresent(refused::set);
                        case ModelTemplate.Unusable(_, var why) -> refused.set(why);
                    }
                });
        cost.requireTime(MOST_TIME);
        if (cost.bytes() > MOST_BYTES_OF_USE) {
            throw new AssertionError(
                    "a conversation took %d bytes before computing, at most %d may be"
                            .formatted(cost.bytes(), MOST_BYTES_OF_USE));
        }
        return Optional.ofNullable(refused.get());
    }

    /** What {@code show} and loading find out of a template on two conversations. */
    private static void checkTrial(ModelSummary model) throws IOException {
        AtomicReference<Optional<String>> warning = new AtomicReference<>(Optional.empty());
        Meter.Cost cost = Meter.of(() -> warning.set(model.templateWarning()));
        cost.requireTime(MOST_TIME);
        if (cost.bytes() > 2 * MOST_BYTES_OF_USE) {
            throw new AssertionError(
                    "a template's trial took %d bytes, at most %d may be"
                            .formatted(cost.bytes(), 2 * MOST_BYTES_OF_USE));
        }
        checkWarnings(warning.get().stream().toList());
    }

    /**
     * Packs the weights of what could be read: damage that no header tells is refused here, by the
     * same rules. Packing takes what weights take, which the headers say, and is not metered.
     */
    private static void load(Path model, ModelTemplate template) throws IOException {
        Warnings warnings = new Warnings(new ArrayList<>());
        long arenas = MemoryLedger.arenas();
        long mapped = MemoryLedger.bytes();
        AtomicReference<FlagshipException> refused = new AtomicReference<>();
        Meter.Cost cost =
                Meter.of(() -> {
                    try {
                        LoadedModel.load(model, ONE_THREAD, warnings).close();
                    } catch (FlagshipException e) {
                        refused.set(e);
                        checkMessage(model, e);
                    }
                });
        cost.requireTime(MOST_TIME);
        checkWarnings(warnings.heard);
        if (refused.get() == null && template instanceof ModelTemplate.Unusable(_, var why)) {
            refuseChats(model, why);
        }
        requireClosed(arenas, mapped);
    }

    private static void requireClosed(long arenas, long mapped) {
        if (MemoryLedger.arenas() != arenas || MemoryLedger.bytes() != mapped) {
            throw new AssertionError(
                    "left open: %d arenas, %d bytes"
                            .formatted(
                                    MemoryLedger.arenas() - arenas, MemoryLedger.bytes() - mapped));
        }
    }

    private static void tokenize(Tokenizer tokenizer) {
        for (ControlTokens control : ControlTokens.values()) {
            int[] ids = tokenizer.encode(TEXT, control);
            if (tokenizer.decode(ids).length() > TEXT.length() * (1 + tokenizer.longestToken())) {
                throw new AssertionError("decoded text grows");
            }
            StreamingDecoder decoder = tokenizer.streaming();
            for (int id : ids) {
                decoder.accept(id);
            }
            decoder.finish();
        }
    }

    private static Optional<TemplateException> render(
            ModelTemplate.Usable usable, Tokenizer tokenizer) {
        List<ChatTemplate.Turn> turns =
                List.of(
                        new ChatTemplate.Turn("system", "be brief"),
                        new ChatTemplate.Turn("user", TEXT),
                        new ChatTemplate.Turn("assistant", "thin"),
                        new ChatTemplate.Turn("user", "{{ more }}"));
        try {
            tokenizer.encode(
                    usable.template().render(turns, true, tokenizer, NOW, MOST_CHARACTERS));
            return Optional.empty();
        } catch (TemplateException e) {
            checkTemplate(usable, e);
            return Optional.of(e);
        }
    }
}
