package dev.flagship.serving;

import dev.flagship.base.Bytes;
import dev.flagship.base.FlagshipException;
import dev.flagship.formats.FormatException;
import dev.flagship.formats.ModelFile;
import dev.flagship.formats.ModelFiles;
import dev.flagship.formats.TensorEntry;
import dev.flagship.models.Llama;
import dev.flagship.nn.CausalLm;
import dev.flagship.nn.PagedKvCache;
import dev.flagship.serving.api.Sampling;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.SpinTeam;
import dev.flagship.tensor.Team;
import dev.flagship.tokenizers.ChatTemplate;
import dev.flagship.tokenizers.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * A model ready to compute: weights, kernels, the team, and what turns text into ids. Owns all of
 * them; close it on the thread that runs steps, or after that has ended.
 */
public final class LoadedModel implements AutoCloseable {
    private final CausalLm lm;
    private final PackedWeights weights;
    private final Team team;
    private final Kernels kernels;
    private final Numerics numerics;
    private final Tokenizer tokenizer;
    private final ModelTemplate template;
    private final Set<Integer> endTokens;
    private final Sampling sampling;
    private final Room room;
    private final long parameters;

    private LoadedModel(
            ModelSource source,
            ModelTemplate template,
            CausalLm lm,
            PackedWeights weights,
            Team team,
            Kernels kernels,
            Numerics numerics,
            Room room) {
        this.lm = lm;
        this.weights = weights;
        this.team = team;
        this.kernels = kernels;
        this.numerics = numerics;
        this.tokenizer = source.tokenizer();
        this.template = template;
        this.endTokens = source.endTokens();
        this.sampling = source.sampling();
        this.parameters = source.parameters();
        this.room = room;
    }

    /** Longest default context: more is a choice that costs memory. */
    static final int DEFAULT_CONTEXT = 8192;

    /**
     * Loads a GGUF, safetensors or PyTorch file, or a folder as Hugging Face or Meta gives it out.
     * Nothing stays open if it fails.
     *
     * @throws LoadException or another {@link dev.flagship.base.FlagshipException} that says what
     *     is wrong with the model, or with the Java that runs this
     * @throws IOException if a file cannot be read
     */
    public static LoadedModel load(Path path, LoadOptions options, LoadListener listener)
            throws IOException {
        return load(path, options, listener, Machine.THIS);
    }

    static LoadedModel load(Path path, LoadOptions options, LoadListener listener, Machine machine)
            throws IOException {
        return told(path, () -> opened(path, options, listener, machine));
    }

    /** What is read from a model's files, and may fail. */
    interface Reading<T> {
        T read() throws IOException;
    }

    /**
     * The result, or an error that names the model, whatever part of reading it failed.
     *
     * @throws LoadException, a {@link FormatException} or a {@link QuantizeException}
     */
    static <T> T told(Path path, Reading<T> reading) throws IOException {
        try {
            return reading.read();
        } catch (LoadException | FormatException | QuantizeException e) {
            throw e;
        } catch (FlagshipException e) { // from a part that does not know the file
            throw new LoadException(path, e.getMessage(), "Fetch or convert the model again.", e);
        } catch (OutOfMemoryError e) { // weights kept in memory have a message of their own
            throw new LoadException(
                    path,
                    "memory ran out while it was read (%s); the Java heap may grow to %s"
                            .formatted(
                                    e.getMessage(), Bytes.human(Runtime.getRuntime().maxMemory())),
                    "Close other programs, or give the heap more: FLAGSHIP_JAVA_OPTS=-Xmx4g.",
                    e);
        }
    }

    private static LoadedModel opened(
            Path path, LoadOptions options, LoadListener listener, Machine machine)
            throws IOException {
        HostJava.check(path); // before any emitted code runs
        int threads = options.threads() == 0 ? Rungs.physicalCores() : options.threads();
        try (ModelFile file = ModelFiles.open(path);
                var owned = new Owned()) {
            Team team = threads == 1 ? new SerialTeam() : new SpinTeam(threads);
            owned.add(team);
            Set<DType> types = packedTypes(file, options.quantize());
            var ahead =
                    KernelsAhead.start(
                            warnings -> Rungs.create(options.kernels(), team, types, warnings));
            owned.add(ahead);
            ModelSource source = source(path, file);
            int contextLength = context(path, source, options);
            PackPlan asItIs = PackPlan.of(path, source.tensors().values());
            CausalLm shape = shape(path, source, asItIs);
            ModelTemplate template = template(path, source, options.template());
            if (template instanceof ModelTemplate.Usable usable) {
                usable.warning(source.tokenizer()).ifPresent(listener::templateWarning);
            }
            PackPlan plan =
                    options.quantize().map(mix -> rounded(source, mix, listener)).orElse(asItIs);
            Kernels kernels = new RecordedKernels(ahead.take(listener::warning));
            owned.add(kernels);
            plan.unpacked().ifPresent(listener::warning);
            Numerics numerics = options.numerics().orElse(usualNumerics(plan));
            DType kvCache = kvCache(path, source, options, numerics);
            Room room = new Room(machine.memory(), path, shape.kvLayout(kvCache), contextLength);
            Optional<PackedFolder> folder =
                    options.packedFolder().map(f -> new PackedFolder(f, machine.disk()));
            PackedWeights weights = pack(source, plan, room, folder, team, listener);
            owned.add(weights);
            CausalLm lm = new Llama(source.config(), weights);
            LoadedModel model =
                    new LoadedModel(source, template, lm, weights, team, kernels, numerics, room);
            owned.release();
            return model;
        }
    }

    /** Types that packed weights may have, before it is known what each tensor is. */
    static Set<DType> packedTypes(ModelFile file, Optional<QuantMix> mix) {
        Collection<TensorEntry> entries = file.tensors().values();
        if (mix.isPresent()) {
            return mix.get().types(entries);
        }
        Set<DType> types = EnumSet.of(DType.F32); // vectors, whatever they were
        entries.forEach(entry -> types.add(entry.type()));
        return types;
    }

    /** What the files say, with numbers that can be. */
    static ModelSource source(Path path, ModelFile file) throws IOException {
        ModelSource source = ModelSource.read(file);
        checkConstants(path, source);
        return source;
    }

    private static ModelTemplate template(
            Path path, ModelSource source, ModelTemplate.Choice choice) {
        if (choice instanceof ModelTemplate.Usable given) {
            return given;
        }
        Optional<String> refusal =
                choice == ModelTemplate.Own.REQUIRED
                        ? source.template().refusal()
                        : Optional.empty();
        if (refusal.isPresent()) {
            throw new LoadException(
                    path,
                    "it %s, so it can only continue text".formatted(refusal.get()),
                    "Ask for that, as by flagship run --raw smollm2 'Once upon a time', or give it a template: --chat-template FILE.");
        }
        return source.template();
    }

    /** A model without weights, whose tensors the file has. */
    static CausalLm shape(Path path, ModelSource source, PackPlan plan) {
        return ShapeCheck.of(
                path, plan, source.file().withheld(), w -> new Llama(source.config(), w));
    }

    private static PackPlan rounded(ModelSource source, QuantMix mix, LoadListener listener) {
        List<DType> before = source.roundedTypes();
        if (!before.isEmpty()) {
            listener.warning(QuantizedFile.alreadyRounded(before));
        }
        return PackPlan.of(source, mix);
    }

    /** Numerics where nothing is said. */
    static Numerics usualNumerics(PackPlan plan) {
        return plan.quantized() ? Numerics.FAST : Numerics.EXACT;
    }

    /** Type of keys and values where nothing is said. */
    static DType usualKvCache(Numerics numerics) {
        return numerics == Numerics.EXACT ? DType.F32 : DType.F16;
    }

    /** Numbers with which every answer would be noise. */
    static void checkConstants(Path path, ModelSource source) {
        float eps = source.config().eps();
        float theta = source.config().theta();
        if (!(eps >= 0 && eps < 1 && theta > 0 && Float.isFinite(theta))) {
            throw new LoadException(
                    path,
                    "the norms' epsilon is %s and the base of the rotary frequencies %s"
                            .formatted(eps, theta),
                    "Expected small and positive numbers; fetch or convert the model again.");
        }
        if (source.contextLength() < 1) {
            throw new LoadException(
                    path,
                    "it was made for %d positions".formatted(source.contextLength()),
                    "Expected at least one; fetch or convert the model again.");
        }
    }

    private static int context(Path path, ModelSource source, LoadOptions options) {
        int most = source.contextLength();
        int asked = options.context().orElse(Math.min(most, DEFAULT_CONTEXT));
        if (asked > most) {
            throw new LoadException(
                    path,
                    "--context %d is more than the %d positions it was made for"
                            .formatted(asked, most),
                    "Choose at most " + most + ".");
        }
        return asked;
    }

    private static PackedWeights pack(
            ModelSource source,
            PackPlan plan,
            Room room,
            Optional<PackedFolder> folder,
            Team team,
            LoadListener listener)
            throws IOException {
        if (folder.isPresent()) {
            room.checkPool();
            Path packed = folder.get().path();
            var digests = new SourceDigest(packed, team, listener);
            List<Path> files = source.file().files();
            List<String> words =
                    Stream.of(source.identity(), plan.identity()).flatMap(List::stream).toList();
            folder.get().check(source, plan, room, digests.remembered(files, words));
            String digest = digests.of(files, words);
            FreeSpace disk = folder.get().disk();
            Optional<PackedWeights> kept =
                    new Sidecar(packed, digest, plan, team, listener, room::holds, disk)
                            .open(source);
            if (kept.isPresent()) {
                return kept.get();
            }
        }
        return packInMemory(source, plan, room, team, listener);
    }

    private static PackedWeights packInMemory(
            ModelSource source, PackPlan plan, Room room, Team team, LoadListener listener) {
        OffHeap memory = room.weights(plan.bytes());
        boolean done = false;
        try {
            Packer packer = new Packer(source, team);
            listener.progress("Packing weights", 0, plan.bytes());
            for (PackPlan.Entry e : plan.entries()) {
                packer.pack(
                        e,
                        memory.segment().asSlice(e.numbersAt(), e.numberBytes()),
                        memory.segment().asSlice(e.scalesAt(), e.scaleBytes()));
                listener.progress("Packing weights", e.scalesAt(), plan.bytes());
            }
            listener.progress("Packing weights", plan.bytes(), plan.bytes());
            done = true;
            return new PackedWeights(memory, 0, plan);
        } finally {
            if (!done) {
                memory.close();
            }
        }
    }

    public CausalLm lm() {
        return lm;
    }

    public Kernels kernels() {
        return kernels;
    }

    public Numerics numerics() {
        return numerics;
    }

    /** The pages that this model's keys and values lie in. */
    public KvLayout kvLayout() {
        return room.layout();
    }

    private static DType kvCache(
            Path path, ModelSource source, LoadOptions options, Numerics numerics) {
        DType type = options.kvCache().orElse(usualKvCache(numerics));
        int size = source.config().headSize();
        if (!KvLayout.takes(size, type)) {
            throw new LoadException(
                    path,
                    "its heads have %d numbers, and in a KV cache of %s each %d share a scale"
                            .formatted(size, LoadOptions.nameOf(type), KvLayout.GROUP),
                    "Choose --kv-cache f16.");
        }
        return type;
    }

    /**
     * Room for one whole context, for the caller to close.
     *
     * @throws LoadException if there is not so much memory
     */
    PagedKvCache pool() {
        return room.pool(kernels);
    }

    public Tokenizer tokenizer() {
        return tokenizer;
    }

    /** What lays out conversations. */
    ModelTemplate template() {
        return template;
    }

    /** The chat template, if there is one that can be used. */
    public Optional<ChatTemplate> chatTemplate() {
        return template instanceof ModelTemplate.Usable(var usable, _)
                ? Optional.of(usable)
                : Optional.empty();
    }

    /** Tokens that end an answer. */
    public Set<Integer> endTokens() {
        return endTokens;
    }

    /** How tokens are chosen where a request does not say. */
    public Sampling sampling() {
        return sampling;
    }

    /** Most tokens of one conversation. */
    public int contextLength() {
        return room.context();
    }

    public long parameters() {
        return parameters;
    }

    /** Size of the packed weights. */
    public long weightBytes() {
        return weights.bytes();
    }

    public int threads() {
        return team.size();
    }

    @Override
    public void close() {
        try (var owned = new Owned()) {
            owned.add(weights);
            owned.add(team);
            owned.add(kernels);
        }
    }
}
