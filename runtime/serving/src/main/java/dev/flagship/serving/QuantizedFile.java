package dev.flagship.serving;

import static dev.flagship.base.Check.check;

import dev.flagship.base.Bytes;
import dev.flagship.base.FlagshipException;
import dev.flagship.formats.GgufFile;
import dev.flagship.formats.ModelFile;
import dev.flagship.formats.ModelFiles;
import dev.flagship.formats.TensorEntry;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.SpinTeam;
import dev.flagship.tensor.Team;
import dev.flagship.tokenizers.ControlTokens;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.Collection;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.IntUnaryOperator;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A GGUF file in the making: a model of any container, rounded to a {@link QuantMix}. It is written
 * beside its place under another name, synced, read back and moved there whole, or not at all.
 *
 * <p>One thread, and its own team; only {@link #abandon} may be called by another.
 */
public final class QuantizedFile implements AutoCloseable {
    private static final long RESERVE = 64 << 20; // left free on the disk, for everybody else
    private static final long CHUNK = 16 << 20;

    /** Scripts, numbers, signs and spaces: what tokenizers may read differently. */
    private static final String SAMPLE =
            "Hello, world! It's 1234567 o'clock.\n\n  def f(x):\n\treturn x + 1  # na\u00efve "
                    + "caf\u00e9, \u4f60\u597d \ud83d\ude00, \u041f\u0440\u0438\u0432\u0435\u0442";

    private final ModelFile file;
    private final ModelSource source;
    private final Path target;
    private final Options options;
    private final LoadListener listener;
    private volatile boolean abandoned;

    /** Held where the part begins and where it becomes the file, so that ending falls between. */
    private final Object ending = new Object();

    private @Nullable Path part;
    private boolean finished;

    /**
     * How to write.
     *
     * @param threads 0: one per physical core that this process may use
     * @param overwrite whether a file that is there may be replaced
     */
    public record Options(QuantMix mix, int threads, boolean overwrite) {
        public Options {
            check(threads >= 0, "threads %s is below 0", threads);
        }
    }

    /**
     * What was written.
     *
     * @param tensors how many of each type
     */
    public record Report(Path file, long bytes, long weights, Map<DType, Long> tensors) {
        public Report {
            tensors = Map.copyOf(tensors);
        }

        /** Bits of the whole file for each weight. */
        public double bitsPerWeight() {
            return 8.0 * bytes / weights;
        }

        /** Types with the numbers of their tensors, for people. */
        public String types() {
            return tensors.entrySet().stream()
                    .sorted(
                            Map.Entry.<DType, Long>comparingByValue()
                                    .reversed()
                                    .thenComparing(Map.Entry.comparingByKey()))
                    .map(e -> "%d × %s".formatted(e.getValue(), e.getKey()))
                    .collect(Collectors.joining(", "));
        }
    }

    private QuantizedFile(
            ModelFile file,
            ModelSource source,
            Path target,
            Options options,
            LoadListener listener) {
        this.file = file;
        this.source = source;
        this.target = target;
        this.options = options;
        this.listener = listener;
    }

    /**
     * Reads what is to be quantised, all but the weights, and looks whether there is a place for
     * it.
     *
     * @throws LoadException or another {@link FlagshipException} that says what is wrong with the
     *     model
     * @throws QuantizeException if a file is there already, or a folder is not
     * @throws IOException if a file cannot be read
     */
    public static QuantizedFile open(
            Path model, Path target, Options options, LoadListener listener) throws IOException {
        Path absolute = target.toAbsolutePath();
        checkPlace(absolute, options.overwrite());
        return LoadedModel.told(
                model,
                () -> {
                    ModelFile file = ModelFiles.open(model);
                    try {
                        for (Path each : file.files()) {
                            if (Files.exists(absolute) && Files.isSameFile(each, absolute)) {
                                throw new QuantizeException(
                                        target,
                                        "it is the model to be quantised",
                                        "Choose another name.");
                            }
                        }
                        return new QuantizedFile(
                                file, fitting(model, file), absolute, options, listener);
                    } catch (FlagshipException | IOException e) {
                        file.close();
                        throw e;
                    }
                });
    }

    /** What the files say, where a model can be made of it. */
    private static ModelSource fitting(Path model, ModelFile file) throws IOException {
        ModelSource source = LoadedModel.source(model, file);
        LoadedModel.shape(model, source, PackPlan.of(model, source.tensors().values()));
        return source;
    }

    /** How many tokens a text has for the model. */
    public int tokens(String text) {
        return source.tokenizer().encode(text, ControlTokens.AS_TEXT).length;
    }

    /**
     * Checks whether a file can stand there, as opening does.
     *
     * @throws QuantizeException if a file is there already, or a folder is not
     */
    public static void checkPlace(Path target, boolean overwrite) {
        Path folder = target.toAbsolutePath().getParent();
        if (Files.isDirectory(target) || folder == null || !Files.isDirectory(folder)) {
            throw new QuantizeException(
                    target,
                    Files.isDirectory(target) ? "it is a folder" : "its folder does not exist",
                    "Name a file in a folder that is there.");
        }
        if (Files.exists(target) && !Files.isRegularFile(target)) {
            throw new QuantizeException(
                    target, "there is something that is no file", "Choose another name.");
        }
        if (Files.exists(target) && !overwrite) {
            throw new QuantizeException(
                    target,
                    "a file of that name is there already",
                    "Choose another name, or --force to replace it.");
        }
    }

    /**
     * Writes the file.
     *
     * @throws QuantizeException if the disk has no room for it, or after {@link #abandon}
     * @throws LoadException if a weight is no number or too large
     * @throws IOException if the file cannot be written
     */
    public Report write() throws IOException {
        try {
            return written();
        } catch (FlagshipException | IOException e) {
            stopIfAbandoned(); // then what failed is that the part is gone
            throw e;
        }
    }

    private Report written() throws IOException {
        GgufDescription description = describe();
        warnOfRounded(description);
        warnOfWidths(description);
        byte[] header = description.header().bytes();
        long bytes = description.header().fileBytes();
        PartFiles.deleteStale(target.resolveSibling(""), listener::warning);
        checkRoom(bytes);
        Path beside = PartFiles.beside(target);
        try (FileChannel channel = begin(beside)) {
            writeFully(channel, ByteBuffer.wrap(header), 0);
            writeTensors(description, channel, bytes);
            if (channel.size() < bytes) {
                writeFully(channel, ByteBuffer.wrap(new byte[1]), bytes - 1);
            }
            channel.force(true);
        }
        readBack(beside);
        finish(beside);
        Map<DType, Long> types = new EnumMap<>(DType.class);
        description.tensors().forEach(placed -> types.merge(placed.type(), 1L, Long::sum));
        return new Report(target, bytes, source.parameters(), types);
    }

    private FileChannel begin(Path beside) throws IOException {
        synchronized (ending) {
            stopIfAbandoned();
            FileChannel channel = PartFiles.create(beside);
            part = beside; // not earlier: it may be another's
            return channel;
        }
    }

    private void finish(Path beside) throws IOException {
        synchronized (ending) {
            stopIfAbandoned();
            checkPlace(target, options.overwrite()); // minutes have passed
            Files.move(beside, target, StandardCopyOption.ATOMIC_MOVE);
            part = null;
            finished = true;
        }
    }

    private GgufDescription describe() {
        try {
            return GgufDescription.of(source, options.mix());
        } catch (LoadException e) {
            throw e;
        } catch (FlagshipException e) { // from the tokenizer, which does not know the file
            throw new QuantizeException(target, e.getMessage(), "Nothing was written.");
        }
    }

    /** What keeps its type is copied, and loses nothing. */
    private void warnOfRounded(GgufDescription description) {
        List<DType> rounded =
                description.tensors().stream()
                        .filter(placed -> placed.type() != placed.source().type())
                        .map(placed -> placed.source().type())
                        .filter(DType::quantized)
                        .distinct()
                        .sorted()
                        .toList();
        if (!rounded.isEmpty()) {
            listener.warning(alreadyRounded(rounded));
        }
    }

    /** Who asks for one type and finds another in the file shall know why. */
    private void warnOfWidths(GgufDescription description) {
        Set<String> given = new TreeSet<>();
        int matrices = 0;
        int others = 0;
        for (GgufDescription.Placed placed : description.tensors()) {
            if (placed.source().vector()) {
                continue;
            }
            matrices++;
            DType type = options.mix().wanted(placed.source().name(), source.config());
            if (placed.type() != type) {
                others++;
                given.add("%s in place of %s".formatted(placed.type(), type));
            }
        }
        if (others > 0) {
            listener.warning(
                    "The rows of %d of %d matrices are no whole blocks: they have %s."
                            .formatted(others, matrices, String.join(", ", given)));
        }
    }

    private static String names(Collection<DType> types) {
        return types.stream().map(DType::toString).collect(Collectors.joining(", "));
    }

    /** What rounding twice costs, for people. */
    static String alreadyRounded(List<DType> types) {
        return "The weights are rounded already (%s), and rounding them again adds to the error; the original weights give a better file."
                .formatted(names(types));
    }

    private void checkRoom(long bytes) throws IOException {
        Path folder = target.resolveSibling("");
        long free = Files.getFileStore(folder).getUsableSpace();
        if (free < bytes + RESERVE) {
            throw new QuantizeException(
                    target,
                    "it takes %s and the disk has %s free"
                            .formatted(Bytes.human(bytes), Bytes.human(free)),
                    "Make room, or choose a folder on another disk.");
        }
    }

    private void writeTensors(GgufDescription description, FileChannel channel, long bytes) {
        List<TensorEntry> places = description.header().entries();
        listener.progress(stage(), 0, bytes);
        int next = 0;
        if (description.divisors().isPresent()) {
            List<Float> divisors = description.divisors().get();
            ByteBuffer data =
                    ByteBuffer.allocate(4 * divisors.size()).order(ByteOrder.LITTLE_ENDIAN);
            divisors.forEach(data::putFloat);
            writeFully(channel, data.flip(), places.get(next++).offset());
        }
        try (Team team = team()) {
            for (GgufDescription.Placed placed : description.tensors()) {
                writeTensor(team, placed, channel, places.get(next++), bytes);
            }
        } catch (LoadException | QuantizeException e) {
            throw e;
        } catch (FlagshipException e) { // from rounding, which does not know the file
            throw new LoadException(file.path(), e.getMessage(), "Nothing was written.", e);
        }
    }

    private String stage() {
        return "Quantising to " + options.mix();
    }

    private Team team() {
        int threads = options.threads() == 0 ? Rungs.physicalCores() : options.threads();
        return threads == 1 ? new SerialTeam() : new SpinTeam(threads);
    }

    /** Some rows at a time, each thread its share of them. */
    private void writeTensor(
            Team team,
            GgufDescription.Placed placed,
            FileChannel channel,
            TensorEntry place,
            long bytes) {
        RowConverter[] converters = new RowConverter[team.size()];
        Arrays.setAll(converters, _ -> new RowConverter(placed.source(), file, placed.type()));
        int rows = Math.toIntExact(place.rows());
        long rowBytes = converters[0].rowBytes();
        int most = Math.clamp(CHUNK / rowBytes, 1, rows);
        IntUnaryOperator order = order(placed.source());
        try (OffHeap buffer = OffHeap.allocate(most * rowBytes)) {
            for (int first = 0; first < rows; first += most) {
                stopIfAbandoned();
                int from = first;
                int count = Math.min(most, rows - first);
                team.run((thread, threads) -> {
                    int start = (int) ((long) count * thread / threads);
                    int end = (int) ((long) count * (thread + 1) / threads);
                    converters[thread].convert(
                            order, from + start, from + end, buffer.segment(), start * rowBytes);
                });
                ByteBuffer done = buffer.segment().asSlice(0, count * rowBytes).asByteBuffer();
                writeFully(channel, done, place.offset() + first * rowBytes);
                listener.progress(stage(), place.offset() + (first + count) * rowBytes, bytes);
            }
        }
    }

    /** The model's row for each of the file's. */
    private IntUnaryOperator order(TensorSource tensor) {
        String name = tensor.name();
        boolean rotated = name.endsWith("q_proj.weight") || name.endsWith("k_proj.weight");
        return rotated
                ? GgufLlama.pairsFromHalves(source.config().headSize())
                : IntUnaryOperator.identity();
    }

    /** A file that this version cannot load, or that reads text otherwise, is no copy. */
    private void readBack(Path written) throws IOException {
        try (GgufFile copy = GgufFile.open(written)) {
            ModelSource read = fitting(written, copy);
            int[] expected = source.tokenizer().encode(SAMPLE, ControlTokens.AS_TEXT);
            if (!Arrays.equals(read.tokenizer().encode(SAMPLE, ControlTokens.AS_TEXT), expected)) {
                listener.warning(
                        "GGUF cannot express this tokenizer exactly: some texts become other tokens than with the model's own files.");
            }
        }
    }

    private void writeFully(FileChannel channel, ByteBuffer bytes, long at) {
        try {
            long to = at;
            while (bytes.hasRemaining()) {
                to += channel.write(bytes, to);
            }
        } catch (IOException e) { // which does not name the file
            throw new QuantizeException(
                    target,
                    "the disk does not take it (%s)".formatted(e.getMessage()),
                    "Nothing was kept; make room, or choose a folder on another disk.");
        }
    }

    private void stopIfAbandoned() {
        if (abandoned) {
            throw new QuantizeException(target, "the command was stopped", "Nothing was written.");
        }
    }

    /**
     * Stops writing and takes away what was written; for the end of the process.
     *
     * @return false if the file is written whole, and stays
     */
    public boolean abandon() {
        synchronized (ending) {
            abandoned = true;
            if (part != null) {
                PartFiles.delete(part, listener::warning);
                part = null;
            }
            return !finished;
        }
    }

    /** Takes away what was not finished, and closes the model. */
    @Override
    public void close() {
        abandon();
        file.close();
    }
}
