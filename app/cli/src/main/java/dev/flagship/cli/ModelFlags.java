package dev.flagship.cli;

import static dev.flagship.base.Check.check;

import dev.flagship.base.Bytes;
import dev.flagship.base.InvalidArgumentException;
import dev.flagship.launch.ExitHook;
import dev.flagship.launch.ModelStore;
import dev.flagship.serving.LoadListener;
import dev.flagship.serving.LoadOptions;
import dev.flagship.serving.ModelTemplate;
import dev.flagship.serving.QuantMix;
import dev.flagship.serving.Rungs;
import dev.flagship.serving.TextModel;
import dev.flagship.serving.api.ModelInfo;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Numerics;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** The flags that say how models are loaded. */
final class ModelFlags {
    private static final Pattern SETTING =
            Pattern.compile(
                    "^(temperature|top_k|top_p|min_p|repetition_penalty|presence_penalty|frequency_penalty|max_tokens|threads|context)\\b");

    /** A chat of this length is what people have; used to say how many fit. */
    private static final int USUAL_CHAT = 2048;

    private final Set<String> told = new HashSet<>();

    @Option(
            names = "--context",
            paramLabel = "TOKENS",
            description = "Most tokens of a conversation. Default: the model's, at most 8192.")
    private @Nullable Integer contextTokens;

    @Option(
            names = "--numerics",
            paramLabel = "MODE",
            converter = NumericsConverter.class,
            description =
                    "exact (F32, as the reference) or fast (int8 products). Default: fast for quantised files.")
    private @Nullable Numerics numerics;

    @Option(
            names = "--kv-cache",
            paramLabel = "TYPE",
            converter = KvCacheConverter.class,
            description =
                    "f16, q8_0 or f32: how keys and values are kept; q8_0 takes 17/32 of f16's memory and rounds more. Default: f16, in exact numerics f32.")
    private @Nullable DType kvCache;

    @Option(
            names = "--quantize",
            paramLabel = "TYPE",
            converter = MixConverter.class,
            description =
                    "Round the weights to q8_0, q4_0 or q4_k while loading; flagship quantize writes a file instead. Default: as they are.")
    private @Nullable QuantMix quantize;

    @Option(
            names = {"--chat-template", "--chat-template-file"},
            paramLabel = "FILE",
            description =
                    "Lay out conversations by this Jinja template. Default: the model's own; flagship show --template prints it.")
    private @Nullable Path chatTemplate;

    private ModelTemplate.@Nullable Usable template;

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Threads that compute. Default (or 0): one a physical core.")
    private int threads;

    @Option(
            names = "--kernels",
            paramLabel = "NAME",
            defaultValue = LoadOptions.AUTO,
            description = "auto, x86, vector or scalar. Default: auto, the fastest here.")
    private String kernels = LoadOptions.AUTO;

    /** Reads a mode by the name that people see. */
    private static final class NumericsConverter implements ITypeConverter<Numerics> {
        @Override
        public Numerics convert(String text) {
            for (Numerics mode : Numerics.values()) {
                if (mode.toString().equals(text)) {
                    return mode;
                }
            }
            throw new TypeConversionException("\"" + text + "\" is neither exact nor fast");
        }
    }

    /** Reads a type of KV cache by the name that people see. */
    private static final class KvCacheConverter implements ITypeConverter<DType> {
        @Override
        public DType convert(String text) {
            return LoadOptions.kvCacheOf(text)
                    .orElseThrow(() ->
                            new TypeConversionException(
                                    "\"" + text + "\" is none of f16, q8_0 and f32"));
        }
    }

    /** Reads a mix by the name that people see. */
    static final class MixConverter implements ITypeConverter<QuantMix> {
        @Override
        public QuantMix convert(String text) {
            return QuantMix.of(text)
                    .orElseThrow(() ->
                            new TypeConversionException(
                                    "\"" + text + "\" is none of " + QuantMix.names()));
        }
    }

    /**
     * Checks the flags.
     *
     * @throws InvalidArgumentException if one is out of its range
     * @throws dev.flagship.serving.LoadException if the chat template cannot be used
     */
    LoadOptions options(String id) {
        checkKernels(kernels);
        return new LoadOptions(
                id,
                Optional.ofNullable(numerics),
                Optional.ofNullable(kvCache),
                kernels,
                threads,
                contextTokens == null ? OptionalInt.empty() : OptionalInt.of(contextTokens),
                Optional.ofNullable(quantize),
                template(),
                Optional.empty());
    }

    /** Read once, for it may come through a pipe. */
    private ModelTemplate.Choice template() {
        if (chatTemplate == null) {
            return ModelTemplate.Own.IF_ANY;
        }
        if (template == null) {
            template = ModelTemplate.read(chatTemplate);
        }
        return template;
    }

    boolean givesTemplate() {
        return chatTemplate != null;
    }

    /**
     * Checks what {@code --kernels} says.
     *
     * @throws InvalidArgumentException if it names none
     */
    static void checkKernels(String name) {
        if (name.equals(LoadOptions.AUTO)) {
            return;
        }
        List<String> known = Rungs.names();
        check(known.contains(name), "--kernels %s: there are %s", name, String.join(", ", known));
    }

    /** Who tells of a chat template that fails on an ordinary conversation. */
    enum FailingTemplate {
        /** Loading, before anybody has a conversation. */
        TOLD_AT_LOAD,
        /** The one answer that is asked for, if it takes a conversation at all. */
        TOLD_BY_ANSWER
    }

    /** Says once what is alike for several models. */
    private LoadListener once(ProgressLine progress, FailingTemplate failing) {
        return new LoadListener() {
            @Override
            public void progress(String stage, long done, long total) {
                progress.progress(stage, done, total);
            }

            @Override
            public void warning(String message) {
                if (told.add(message)) {
                    progress.warning(message);
                }
            }

            @Override
            public void templateWarning(String message) {
                if (failing == FailingTemplate.TOLD_AT_LOAD) {
                    warning(message);
                }
            }
        };
    }

    /**
     * Fetches the model if it must, and loads it.
     *
     * @param own what is asked of the model's own template, if it is to lay out conversations
     */
    TextModel open(
            ModelStore store,
            String model,
            ModelTemplate.Own own,
            FailingTemplate failing,
            ProgressLine progress)
            throws IOException {
        try (progress;
                var _ = ExitHook.of(() -> progress.end("flagship: stopped"))) {
            if (kernels.equals("scalar")) {
                progress.warning(
                        "the scalar kernels are there to check the others, and far slower; leave --kernels out for the fastest");
            }
            var path = store.resolve(model, progress);
            LoadOptions options =
                    options(store.servedName(model)).withPackedFolder(StoreOf.packed(store));
            return TextModel.open(
                    path,
                    givesTemplate() ? options : options.withTemplate(own),
                    once(progress, failing));
        }
    }

    /** A number with its noun. */
    static String counted(long count, String noun) {
        return count + " " + noun + (count == 1 ? "" : "s");
    }

    /** The names of settings that the API and loading have, as the flags that they came by. */
    static String inFlags(String message) {
        return SETTING.matcher(message)
                .replaceAll(found -> "--" + found.group().replace('_', '-'))
                .replace("--repetition-penalty", "--repeat-penalty");
    }

    /** One line about a model that has been loaded. */
    static String describe(TextModel model) {
        ModelInfo info = model.info();
        long room = info.kvPoolBytes() / info.kvBytesPerToken();
        int usual = Math.min(USUAL_CHAT, info.contextLength());
        return String.format(
                Locale.ROOT,
                "%s: %.0f M weights in %s; numerics %s; kernels %s, %s; context %d; KV pool %s in %s: room for %s of %d tokens",
                info.id(),
                info.parameters() / 1e6,
                Bytes.human(info.weightBytes()),
                info.numerics(),
                info.rung(),
                counted(model.threads(), "thread"),
                info.contextLength(),
                Bytes.human(info.kvPoolBytes()),
                info.kvCache(),
                counted(room / usual, "chat"),
                usual);
    }
}
