package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.formats.GgufFile;
import dev.flagship.formats.GgufHeader;
import dev.flagship.formats.ModelFile;
import dev.flagship.formats.ModelFiles;
import dev.flagship.formats.TensorEntry;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Numerics;
import dev.flagship.testing.Golden;
import dev.flagship.testing.LeakCheck;
import dev.flagship.tokenizers.ControlTokens;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class QuantizedFileTest {
    @TempDir Path temp;

    /** Hears warnings. */
    private static final class Warnings implements LoadListener {
        final List<String> heard = new ArrayList<>();

        @Override
        public void progress(String stage, long done, long total) {}

        @Override
        public void warning(String message) {
            heard.add(message);
        }
    }

    private static QuantizedFile.Options options(QuantMix mix) {
        return new QuantizedFile.Options(mix, 2, false);
    }

    private static Path quantize(Path model, QuantMix mix, Path target, LoadListener listener)
            throws IOException {
        try (QuantizedFile file = QuantizedFile.open(model, target, options(mix), listener)) {
            file.write();
        }
        return target;
    }

    private Path quantize(Path model, QuantMix mix) throws IOException {
        return quantize(model, mix, temp.resolve(mix + ".gguf"), LoadListener.SILENT);
    }

    private static float[] logits(Path model, LoadOptions options, int[] ids) throws IOException {
        try (LoadedModel loaded = LoadedModel.load(model, options, LoadListener.SILENT);
                Passes passes = Passes.of(loaded)) {
            return passes.forward(ids).getLast();
        }
    }

    private static LoadOptions exact() {
        return LoadOptions.of("tiny").withNumerics(Numerics.EXACT).withKernels("scalar");
    }

    /** All tensors, by name, with their types. */
    private static Map<String, String> tensors(Path gguf) throws IOException {
        Map<String, String> all = new TreeMap<>();
        try (GgufFile file = GgufFile.open(gguf)) {
            for (TensorEntry entry : file.tensors().values()) {
                byte[] data = file.data(entry).toArray(ValueLayout.JAVA_BYTE);
                all.put(entry.name(), entry.type() + " " + Arrays.hashCode(data));
            }
        }
        return all;
    }

    private static List<Path> files(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(Files::isRegularFile).toList();
        }
    }

    /** Row order, names and parts of every container end in the same file. */
    @ParameterizedTest
    @EnumSource
    void everyContainerGivesTheSameTensors(TinyContainer container) throws Exception {
        Path model = container.in(temp.resolve("model"));
        Path one = TinyContainer.SAFETENSORS.in(temp.resolve("one"));
        LeakCheck.around(() -> {
            Path from = quantize(model, QuantMix.Q8_0, temp.resolve("a.gguf"), LoadListener.SILENT);
            Path same = quantize(one, QuantMix.Q8_0, temp.resolve("b.gguf"), LoadListener.SILENT);
            assertThat(tensors(from)).isEqualTo(tensors(same)).hasSizeGreaterThan(15);
        });
        Golden golden = Golden.read("llama/containers/expected.safetensors");
        int[] ids = golden.ids("input_ids");
        float[] expected = logits(model, exact(), ids);
        float[] actual = logits(temp.resolve("a.gguf"), exact(), ids);
        assertThat(relativeDistance(actual, expected)).isBetween(1e-5, 0.03);
    }

    private static double relativeDistance(float[] actual, float[] expected) {
        double distance = 0;
        double size = 0;
        for (int i = 0; i < expected.length; i++) {
            distance += Math.pow(actual[i] - expected[i], 2);
            size += Math.pow(expected[i], 2);
        }
        return Math.sqrt(distance / size);
    }

    /** Tokenizers of both kinds, scaled frequencies, widths without blocks. */
    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama1", "llama2", "llama3", "llama31", "odd"})
    void theFileIsTheModel(String name) throws IOException {
        Path folder = TinyModels.huggingFace(name, temp);
        Warnings warnings = new Warnings();
        Path made = quantize(folder, QuantMix.Q8_0, temp.resolve("made.gguf"), warnings);
        boolean narrow = List.of("llama1", "llama2", "odd").contains(name);
        assertThat(warnings.heard)
                .hasSize(narrow ? 1 : 0)
                .allMatch(note -> note.contains("no whole blocks: they have F32 in place of Q8_0"));
        try (ModelFile before = ModelFiles.open(folder);
                ModelFile after = ModelFiles.open(made)) {
            ModelSource expected = ModelSource.read(before);
            ModelSource actual = ModelSource.read(after);
            for (String text : List.of("the cat", "  a b\n\nthe", "ab" + "cab".repeat(9))) {
                assertThat(actual.tokenizer().encode(text, ControlTokens.AS_TEXT))
                        .as(text)
                        .isEqualTo(expected.tokenizer().encode(text, ControlTokens.AS_TEXT));
            }
            assertThat(actual.tokenizer().bos()).isEqualTo(expected.tokenizer().bos());
            assertThat(actual.tokenizer().eos()).isEqualTo(expected.tokenizer().eos());
            assertThat(actual.tokenizer().addsBos()).isEqualTo(expected.tokenizer().addsBos());
            assertThat(actual.endTokens()).containsAll(expected.endTokens());
            assertThat(actual.contextLength()).isEqualTo(expected.contextLength());
        }
        int[] ids = {1, 5, 9, 2, 30, 7, 11, 3};
        assertThat(
                        relativeDistance(
                                logits(made, exact(), ids),
                                logits(folder, exact().withQuantize(QuantMix.Q8_0), ids)))
                .isLessThan(1e-5); // frequencies are quotients there
    }

    /** The converter of llama.cpp's makers wrote these; blocks that are as wanted are kept. */
    @Test
    void aGgufFileKeepsItsMetadataAndBlocks() throws IOException {
        Path source = TinyModels.gguf("quantised-q8_0", temp);
        Path made = quantize(source, QuantMix.Q8_0);
        try (GgufFile before = GgufFile.open(source);
                GgufFile after = GgufFile.open(made)) {
            assertThat(after.metadata().keys()).containsAll(before.metadata().keys());
            GgufHeader theirs = new GgufHeader();
            GgufHeader ours = new GgufHeader();
            for (String key : before.metadata().keys()) {
                if (!key.equals("general.file_type")) {
                    theirs.copy(before.metadata(), key);
                    ours.copy(after.metadata(), key);
                }
            }
            assertThat(ours.bytes()).isEqualTo(theirs.bytes());
            assertThat(after.metadata().int32("general.file_type")).isEqualTo(7);
            for (TensorEntry entry : before.tensors().values()) {
                if (entry.type() == DType.Q8_0) {
                    assertThat(
                                    after.data(after.tensor(entry.name()))
                                            .toArray(ValueLayout.JAVA_BYTE))
                            .isEqualTo(before.data(entry).toArray(ValueLayout.JAVA_BYTE));
                }
            }
        }
    }

    @Test
    void mixesAreFoundByLlamaCppsNames() {
        assertThat(QuantMix.of("Q8_0")).contains(QuantMix.Q8_0);
        assertThat(QuantMix.of("q4_K_M")).contains(QuantMix.Q4_K);
        assertThat(QuantMix.of("q4_k")).contains(QuantMix.Q4_K);
        assertThat(QuantMix.of("q4")).isEmpty();
    }

    @Test
    void roundingTwiceIsSaid() throws IOException {
        Warnings warnings = new Warnings();
        Path source = TinyModels.gguf("quantised-q4_1", temp);
        quantize(source, QuantMix.Q4_0, temp.resolve("made.gguf"), warnings);
        assertThat(warnings.heard.getFirst()).contains("Q4_1", "adds to the error");
    }

    @Test
    void typesThatDoNotFitTheWidthAreSaid() throws IOException {
        Warnings warnings = new Warnings();
        Path folder = TinyModels.huggingFace("llama3", temp);
        quantize(folder, QuantMix.Q4_K, temp.resolve("made.gguf"), warnings);
        assertThat(warnings.heard)
                .containsExactly(
                        "The rows of 16 of 16 matrices are no whole blocks: they have Q4_1 in place of Q4_K, Q8_0 in place of Q6_K.");
    }

    @Test
    void weightsThatACodebookHoldsAreASource() throws IOException {
        Warnings warnings = new Warnings();
        Path source = TinyModels.gguf("quantised-iq2_s", temp);
        Path made = quantize(source, QuantMix.Q8_0, temp.resolve("made.gguf"), warnings);
        assertThat(warnings.heard).singleElement().asString().contains("IQ2_S", "IQ4_NL");
        int[] ids = Golden.read("llama/quantised-iq2_s.expected.safetensors").ids("input_ids");
        float[] before = logits(source, exact(), ids);
        assertThat(relativeDistance(logits(made, exact(), ids), before)).isBetween(1e-5, 0.03);
    }

    @ParameterizedTest
    @EnumSource
    void roundingAtLoadGivesTheBitsOfTheFile(QuantMix mix) throws IOException {
        Path folder = TinyContainer.SAFETENSORS.in(temp.resolve("one"));
        int[] ids = Golden.read("llama/containers/expected.safetensors").ids("input_ids");
        LoadOptions options = LoadOptions.of("tiny").withKernels("vector");
        assertThat(logits(folder, options.withQuantize(mix), ids))
                .isEqualTo(logits(quantize(folder, mix), options, ids))
                .isNotEqualTo(logits(folder, options, ids));
    }

    /** Kernels are made before names are known; what has none would be computed slowly. */
    @ParameterizedTest
    @EnumSource
    void kernelsAreMadeForEveryTypeOfThePlan(TinyContainer container) throws Exception {
        List<Path> models = new ArrayList<>();
        models.add(container.in(temp.resolve("model")));
        for (String name : List.of("llama1", "llama3", "odd")) {
            models.add(TinyModels.huggingFace(name, temp));
        }
        models.add(TinyModels.gguf("quantised-q4_1", temp));
        for (Path model : models) {
            try (ModelFile file = ModelFiles.open(model)) {
                ModelSource source = ModelSource.read(file);
                PackPlan asItIs = PackPlan.of(model, source.tensors().values());
                assertThat(LoadedModel.packedTypes(file, Optional.empty()))
                        .containsAll(asItIs.types());
                for (QuantMix mix : QuantMix.values()) {
                    assertThat(LoadedModel.packedTypes(file, Optional.of(mix)))
                            .as("%s of %s", mix, model)
                            .containsAll(PackPlan.of(source, mix).types());
                }
            }
        }
    }

    @Test
    void kernelsAreMadeForNoTypeThatTheMixLacks() {
        List<TensorEntry> wide = List.of(entry(DType.Q4_1, 4, 512), entry(DType.BF16, 512));
        assertThat(QuantMix.Q8_0.types(wide)).containsOnly(DType.F32, DType.Q8_0);
        assertThat(QuantMix.Q4_0.types(wide)).containsOnly(DType.F32, DType.Q4_0, DType.Q6_K);
        assertThat(QuantMix.Q4_K.types(wide)).containsOnly(DType.F32, DType.Q4_K, DType.Q6_K);
        List<TensorEntry> narrow = List.of(entry(DType.BF16, 4, 576));
        assertThat(QuantMix.Q8_0.types(narrow)).containsOnly(DType.F32, DType.Q8_0);
        assertThat(QuantMix.Q4_0.types(narrow))
                .containsOnly(DType.F32, DType.Q4_0, DType.Q6_K, DType.Q8_0);
        List<TensorEntry> odd = List.of(entry(DType.BF16, 4, 40));
        assertThat(QuantMix.Q8_0.types(odd)).containsOnly(DType.F32, DType.Q8_0, DType.BF16);
        assertThat(QuantMix.Q4_K.types(odd))
                .containsOnly(
                        DType.F32, DType.Q4_K, DType.Q6_K, DType.Q4_1, DType.Q8_0, DType.BF16);
    }

    private static TensorEntry entry(DType type, long... shape) {
        return new TensorEntry("any", type, Arrays.stream(shape).boxed().toList(), 0, 0);
    }

    @Test
    void packedWeightsOfEveryChoiceStayBesideEachOther() throws IOException {
        Path folder = TinyContainer.SAFETENSORS.in(temp.resolve("one"));
        int[] ids = Golden.read("llama/containers/expected.safetensors").ids("input_ids");
        Path packed = temp.resolve("packed");
        LoadOptions options = exact().withPackedFolder(packed);
        float[] asItIs = logits(folder, options, ids);
        float[] eight = logits(folder, options.withQuantize(QuantMix.Q8_0), ids);
        float[] four = logits(folder, options.withQuantize(QuantMix.Q4_0), ids);
        assertThat(files(packed).stream().filter(f -> f.toString().endsWith(".bands"))).hasSize(3);
        assertThat(logits(folder, options, ids)).isEqualTo(asItIs);
        assertThat(logits(folder, options.withQuantize(QuantMix.Q8_0), ids)).isEqualTo(eight);
        assertThat(logits(folder, options.withQuantize(QuantMix.Q4_0), ids)).isEqualTo(four);
        assertThat(eight).isNotEqualTo(four);
    }

    @Test
    void nothingIsReplacedUnasked() throws IOException {
        Path folder = TinyModels.huggingFace("llama3", temp);
        Path target = Files.writeString(temp.resolve("made.gguf"), "precious");
        assertThatThrownBy(() -> quantize(folder, QuantMix.Q8_0, target, LoadListener.SILENT))
                .isInstanceOf(QuantizeException.class)
                .hasMessageContaining("made.gguf")
                .hasMessageContaining("--force");
        assertThat(target).hasContent("precious");
        var force = new QuantizedFile.Options(QuantMix.Q8_0, 1, true);
        try (var file = QuantizedFile.open(folder, target, force, LoadListener.SILENT)) {
            file.write();
        }
        assertThat(ModelSummary.read(target).container()).isEqualTo("GGUF");
        assertThatThrownBy(() ->
                        QuantizedFile.open(target, target, force, LoadListener.SILENT).close())
                .hasMessageContaining("it is the model to be quantised");
    }

    @Test
    void aPlaceThatIsNoneIsRefused() throws IOException {
        Path folder = TinyModels.huggingFace("llama3", temp);
        for (Path bad : List.of(temp, temp.resolve("none").resolve("a.gguf"))) {
            assertThatThrownBy(() -> quantize(folder, QuantMix.Q8_0, bad, LoadListener.SILENT))
                    .isInstanceOf(QuantizeException.class)
                    .hasMessageContaining(bad.toString());
        }
    }

    @Test
    void aWeightThatIsNoNumberLeavesNothingBehind() throws Exception {
        Path folder = TinyModels.huggingFace("llama3", temp);
        TinyModels.endWithNaN(folder.resolve("model.safetensors"));
        LeakCheck.around(() ->
                assertThatThrownBy(() -> quantize(folder, QuantMix.Q8_0))
                        .isInstanceOf(LoadException.class)
                        .hasMessageContaining("NaN"));
        assertThat(files(temp)).isEmpty();
    }

    @Test
    void whoIsStoppedLeavesNothingBehind() throws IOException {
        Path folder = TinyModels.huggingFace("llama3", temp);
        QuantizedFile[] file = new QuantizedFile[1];
        LoadListener stops =
                new LoadListener() {
                    @Override
                    public void progress(String stage, long done, long total) {
                        assertThat(file[0].abandon()).isTrue();
                    }

                    @Override
                    public void warning(String message) {}
                };
        file[0] = QuantizedFile.open(folder, temp.resolve("x.gguf"), options(QuantMix.Q8_0), stops);
        try (QuantizedFile stopped = file[0]) {
            assertThatThrownBy(stopped::write).hasMessageContaining("stopped");
            assertThat(files(temp)).isEmpty();
        }
    }

    /** A process that is told to end runs nothing after its hooks that could take away a file. */
    @Test
    void whoIsStoppedBeforeMakesNoFile() throws IOException {
        Path folder = TinyModels.huggingFace("llama3", temp);
        try (var file =
                QuantizedFile.open(
                        folder,
                        temp.resolve("x.gguf"),
                        options(QuantMix.Q8_0),
                        LoadListener.SILENT)) {
            assertThat(file.abandon()).isTrue();
            assertThatThrownBy(file::write).hasMessageContaining("stopped");
            assertThat(files(temp)).isEmpty();
        }
    }

    @Test
    void whoIsStoppedAfterTheLastWeightLeavesNothingEither() throws IOException {
        Path folder = TinyModels.huggingFace("llama3", temp);
        QuantizedFile[] file = new QuantizedFile[1];
        var told = new ArrayList<Long>();
        LoadListener stops =
                new LoadListener() {
                    @Override
                    public void progress(String stage, long done, long total) {
                        told.add(done);
                        if (done == total) {
                            assertThat(file[0].abandon()).isTrue();
                        }
                    }

                    @Override
                    public void warning(String message) {}
                };
        file[0] = QuantizedFile.open(folder, temp.resolve("x.gguf"), options(QuantMix.Q8_0), stops);
        try (QuantizedFile stopped = file[0]) {
            assertThatThrownBy(stopped::write).hasMessageContaining("stopped");
            assertThat(files(temp)).isEmpty();
        }
        assertThat(told.getFirst()).as("begins with nothing").isZero();
    }

    @Test
    void whatIsWrittenStays() throws IOException {
        Path folder = TinyModels.huggingFace("llama3", temp);
        Path target = temp.resolve("x.gguf");
        try (var file =
                QuantizedFile.open(folder, target, options(QuantMix.Q8_0), LoadListener.SILENT)) {
            file.write();
            assertThat(file.abandon()).isFalse();
        }
        assertThat(files(temp)).containsExactly(target);
    }

    @Test
    void whatAKilledProcessLeftIsDeletedAndNothingElse() throws Exception {
        Process ended = new ProcessBuilder("true").start();
        ended.waitFor();
        long own = ProcessHandle.current().pid();
        Process alive = new ProcessBuilder("sleep", "600").start();
        Path left = part(".left.gguf.%d.flagship-part".formatted(ended.pid()));
        Path ofOurNumber = part(".q8_0.gguf.%d.flagship-part".formatted(own));
        Path running = part(".running.gguf.%d.flagship-part".formatted(alive.pid()));
        Path locked = part(".locked.gguf.%d.flagship-part".formatted(ended.pid()));
        Path unnumbered = part(".no-number.flagship-part");
        Path visible = part("left.gguf.%d.flagship-part".formatted(ended.pid()));
        Path foreign = part(".download.gguf.%d.part".formatted(ended.pid()));
        Path folder = TinyModels.huggingFace("llama3", temp);
        try (FileChannel channel = FileChannel.open(locked, StandardOpenOption.WRITE)) {
            assertThat(channel.tryLock()).isNotNull();
            assertThat(quantize(folder, QuantMix.Q8_0)).exists();
        } finally {
            alive.destroy();
        }
        assertThat(List.of(left, ofOurNumber)).noneMatch(Files::exists);
        assertThat(List.of(running, locked, unnumbered, visible, foreign)).allMatch(Files::exists);
    }

    /** As a process of our number in another container may. */
    @Test
    void whatAnotherOfOurNumberIsWritingIsLeftAlone() throws IOException {
        Path begun = PartFiles.beside(temp.resolve("q8_0.gguf"));
        Path folder = TinyModels.huggingFace("llama3", temp);
        try (FileChannel writing = PartFiles.create(begun)) {
            assertThatThrownBy(() -> quantize(folder, QuantMix.Q8_0))
                    .isInstanceOf(QuantizeException.class)
                    .hasMessageContainingAll(begun.toString(), "delete that file");
            assertThat(writing.size()).isZero();
            assertThat(begun).exists();
        }
    }

    @Test
    void aFolderThatCannotBeListedIsNoReasonToStop() {
        Warnings warnings = new Warnings();
        Path none = temp.resolve("none");
        PartFiles.deleteStale(none, warnings::warning);
        assertThat(warnings.heard).singleElement().asString().contains(none.toString());
    }

    private Path part(String name) throws IOException {
        return Files.writeString(temp.resolve(name), "begun");
    }

    @Test
    void whatIsBeingWrittenIsLocked() throws IOException {
        Path part = PartFiles.beside(temp.resolve("x.gguf"));
        try (FileChannel writing = PartFiles.create(part);
                FileChannel second = FileChannel.open(part, StandardOpenOption.WRITE)) {
            assertThat(writing.isOpen()).isTrue();
            assertThatThrownBy(second::tryLock).isInstanceOf(OverlappingFileLockException.class);
        }
    }

    /** As large as a large model, and nearly empty on disk. */
    @Test
    void aHundredGigabytesAreSummedUpFromTheirHeader() throws IOException {
        GgufHeader header = new GgufHeader();
        try (GgufFile tiny = GgufFile.open(TinyModels.gguf("llama3", temp))) {
            for (String key : tiny.metadata().keys()) {
                if (!List.of(
                                "llama.block_count",
                                "llama.embedding_length",
                                "llama.feed_forward_length",
                                "llama.attention.head_count",
                                "llama.attention.head_count_kv",
                                "llama.attention.key_length",
                                "llama.attention.value_length",
                                "llama.rope.dimension_count")
                        .contains(key)) {
                    header.copy(tiny.metadata(), key);
                }
            }
            long vocabulary = tiny.tensor("token_embd.weight").rows();
            int dim = 8192;
            int ffn = 28_672;
            header.integer("llama.block_count", 60);
            header.integer("llama.embedding_length", dim);
            header.integer("llama.feed_forward_length", ffn);
            header.integer("llama.attention.head_count", 64);
            header.integer("llama.attention.head_count_kv", 8);
            header.tensor("token_embd.weight", DType.BF16, List.of(vocabulary, (long) dim));
            header.tensor("output.weight", DType.BF16, List.of(vocabulary, (long) dim));
            header.tensor("output_norm.weight", DType.F32, List.of((long) dim));
            for (int layer = 0; layer < 60; layer++) {
                String blk = "blk." + layer + ".";
                header.tensor(blk + "attn_norm.weight", DType.F32, List.of((long) dim));
                header.tensor(blk + "ffn_norm.weight", DType.F32, List.of((long) dim));
                for (String part : List.of("attn_q", "attn_output")) {
                    header.tensor(
                            blk + part + ".weight", DType.BF16, List.of((long) dim, (long) dim));
                }
                for (String part : List.of("attn_k", "attn_v")) {
                    header.tensor(blk + part + ".weight", DType.BF16, List.of(1024L, (long) dim));
                }
                for (String part : List.of("ffn_gate", "ffn_up")) {
                    header.tensor(
                            blk + part + ".weight", DType.BF16, List.of((long) ffn, (long) dim));
                }
                header.tensor(blk + "ffn_down.weight", DType.BF16, List.of((long) dim, (long) ffn));
            }
        }
        Path large = temp.resolve("large.gguf");
        Files.write(large, header.bytes());
        try (RandomAccessFile sparse = new RandomAccessFile(large.toFile(), "rw")) {
            sparse.setLength(header.fileBytes());
        }
        // The promise is a second. Processor time of this thread, so that other work on the
        // machine does not count; a cold JVM takes about 0.2 s of it.
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        long began = threads.getCurrentThreadCpuTime();
        ModelSummary summary = ModelSummary.read(large);
        assertThat(Duration.ofNanos(threads.getCurrentThreadCpuTime() - began))
                .isLessThan(Duration.ofSeconds(1));
        assertThat(summary.fileBytes()).isGreaterThan(95_000_000_000L);
        assertThat(summary.architecture().headSize()).isEqualTo(128);
        assertThat(summary.bytesPerToken()).containsEntry("f16", 60L * 2 * 8 * 128 * 2);
        assertThat(summary.groups().getFirst().name()).isEqualTo("mlp");
        assertThat(summary.groups().getFirst().weights()).isEqualTo(60L * 3 * 8192 * 28_672);
    }
}
