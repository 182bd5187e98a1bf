package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.Bytes;
import dev.flagship.formats.GgufFile;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.SpinTeam;
import dev.flagship.tensor.Team;
import dev.flagship.testing.LeakCheck;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Timeout(60)
class SidecarTest {
    private static final int[] IDS = {1, 5, 9, 2};

    @TempDir Path temp;
    private Path gguf;
    private Path packed;
    private final List<String> warnings = Collections.synchronizedList(new ArrayList<>());

    @BeforeEach
    void extract() throws IOException {
        gguf = TinyModels.gguf("quantised-q4_1", temp);
        packed = temp.resolve("store").resolve("packed");
    }

    private LoadListener listener() {
        return new LoadListener() {
            @Override
            public void progress(String stage, long done, long total) {}

            @Override
            public void warning(String message) {
                warnings.add(message);
            }
        };
    }

    private float[] logits(Path model, Optional<Path> folder) throws IOException {
        LoadOptions options =
                new LoadOptions(
                        "tiny",
                        Optional.of(Numerics.EXACT),
                        Optional.empty(),
                        "scalar",
                        1,
                        OptionalInt.empty(),
                        Optional.empty(),
                        ModelTemplate.Own.IF_ANY,
                        folder);
        try (LoadedModel loaded = LoadedModel.load(model, options, listener());
                Passes passes = Passes.of(loaded)) {
            return passes.forward(IDS).getLast();
        }
    }

    private float[] logits() throws IOException {
        return logits(gguf, Optional.of(packed));
    }

    private List<Path> kept(String glob) throws IOException {
        List<Path> found = new ArrayList<>();
        try (var entries = Files.newDirectoryStream(packed, glob)) {
            entries.forEach(found::add);
        }
        return found;
    }

    private Path onlyFile() throws IOException {
        List<Path> bands = kept("*.bands");
        assertThat(bands).hasSize(1);
        return bands.getFirst();
    }

    private static Object identity(Path file) throws IOException {
        var attributes = Files.readAttributes(file, BasicFileAttributes.class);
        return List.of(String.valueOf(attributes.fileKey()), attributes.lastModifiedTime());
    }

    @Test
    void theSecondLoadMapsTheFileOfTheFirst() throws IOException {
        float[] inMemory = logits(gguf, Optional.empty());
        assertThat(logits()).isEqualTo(inMemory);
        Object made = identity(onlyFile());
        assertThat(logits()).isEqualTo(inMemory);
        assertThat(identity(onlyFile())).isEqualTo(made);
        assertThat(warnings).isEmpty();
        assertThat(kept("*.part")).isEmpty();
    }

    @Test
    void aReplacedSourceTakesItsPackedWeightsAlongUnlessAnotherHasThem() throws IOException {
        Path copy = Files.copy(gguf, temp.resolve("copy.gguf"));
        logits();
        Path shared = onlyFile();
        logits(copy, Optional.of(packed));
        Path other = TinyModels.gguf("quantised-q8_0", temp);
        Files.copy(other, gguf, StandardCopyOption.REPLACE_EXISTING);
        logits();
        assertThat(kept("*.bands")).hasSize(2).contains(shared);
        Files.copy(other, copy, StandardCopyOption.REPLACE_EXISTING);
        logits(copy, Optional.of(packed));
        assertThat(onlyFile()).isNotEqualTo(shared);
        assertThat(logits()).isEqualTo(logits(other, Optional.empty()));
        assertThat(warnings).isEmpty();
    }

    /** Between the look for other sources and the deletion somebody could become one. */
    @Test
    void nothingIsDeletedWhileSomebodyElseHoldsTheLock() throws IOException {
        logits();
        Path before = onlyFile();
        Path other = TinyModels.gguf("quantised-q8_0", temp);
        float[] right = logits(other, Optional.of(packed));
        Files.copy(other, gguf, StandardCopyOption.REPLACE_EXISTING);
        try (FileChannel channel =
                        FileChannel.open(packed.resolve("packing.lock"), StandardOpenOption.WRITE);
                FileLock _ = channel.lock()) {
            assertThat(logits()).isEqualTo(right); // and does not wait
            assertThat(before).exists();
        }
        assertThat(logits()).isEqualTo(right);
        assertThat(before).doesNotExist();
        assertThat(warnings).isEmpty();
    }

    @Test
    void saysBeforehandHowMuchOfTheDiskItTakes() throws IOException {
        List<String> stages = new ArrayList<>();
        LoadListener listener =
                new LoadListener() {
                    @Override
                    public void progress(String stage, long done, long total) {
                        stages.add(stage);
                    }

                    @Override
                    public void warning(String message) {
                        warnings.add(message);
                    }
                };
        LoadOptions options =
                LoadOptions.of("tiny")
                        .withKernels("scalar")
                        .withThreads(1)
                        .withPackedFolder(packed);
        LoadedModel.load(gguf, options, listener).close();
        String size = Bytes.human(Files.size(onlyFile()));
        assertThat(stages.stream().filter(s -> s.startsWith("Packing")).distinct())
                .singleElement()
                .asString()
                .contains(size, packed.toString());
    }

    @Test
    void aCopyOfTheSourceElsewhereSharesTheFile() throws IOException {
        logits();
        Object made = identity(onlyFile());
        Path copy = Files.copy(gguf, temp.resolve("copy.gguf"));
        logits(copy, Optional.of(packed));
        assertThat(identity(onlyFile())).isEqualTo(made);
    }

    @Test
    void aChangedSourceGetsAFileOfItsOwn() throws IOException {
        float[] before = logits();
        Path old = onlyFile();
        TinyModels.flip(gguf, Files.size(gguf) - 20);
        assertThat(logits()).isEqualTo(logits(gguf, Optional.empty())).isNotEqualTo(before);
        assertThat(onlyFile()).isNotEqualTo(old);
        assertThat(warnings).isEmpty();
    }

    /** What can be wrong with a file that somebody left under the right name. */
    enum Damage {
        MAGIC(0),
        VERSION(8),
        HEADER_SIZE(12),
        PLAN(16 + 5),
        DATA_SIZE(48),
        SUM_OF_DATA(56),
        SUM_OF_HEADER(60),
        FIRST_DATA(4096),
        TRUNCATED(-1),
        LONGER(-1),
        EMPTY(-1),
        ANOTHER_PLAN_WITH_GOOD_SUMS(-1);

        private final int at;

        Damage(int at) {
            this.at = at;
        }

        void on(Path file) throws IOException {
            byte[] bytes = Files.readAllBytes(file);
            switch (this) {
                case TRUNCATED -> TinyModels.truncate(file, 1);
                case LONGER -> Files.write(file, new byte[64], StandardOpenOption.APPEND);
                case EMPTY -> Files.write(file, new byte[0]);
                case ANOTHER_PLAN_WITH_GOOD_SUMS -> {
                    bytes[20] ^= 1;
                    CRC32C sum = new CRC32C();
                    sum.update(bytes, 0, 60);
                    ByteBuffer.wrap(bytes)
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .putInt(60, (int) sum.getValue());
                    Files.write(file, bytes);
                }
                default -> TinyModels.flip(file, at);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Damage.class)
    void aDamagedFileIsMadeAgainWithOneWarning(Damage damage) throws IOException {
        float[] right = logits();
        Path file = onlyFile();
        byte[] bytes = Files.readAllBytes(file);
        damage.on(file);
        assertThat(Files.readAllBytes(file)).isNotEqualTo(bytes);
        assertThat(logits()).isEqualTo(right);
        assertThat(Files.readAllBytes(onlyFile())).isEqualTo(bytes);
        assertThat(warnings).singleElement().asString().contains("made again", file.toString());
        warnings.clear();
        assertThat(logits()).isEqualTo(right);
        assertThat(warnings).isEmpty();
    }

    /** F16 and BF16 take the same room, so that only the plan's digest tells them apart. */
    @Test
    void aFileOfAnotherPlanOfEqualSizeIsMadeAgain() throws IOException {
        byte[] halves = packedUnderOneName("quantised-f16");
        assertThat(warnings).isEmpty();
        byte[] brains = packedUnderOneName("quantised-bf16");
        assertThat(warnings).singleElement().asString().contains("made again");
        assertThat(brains).hasSameSizeAs(halves).isNotEqualTo(halves);
    }

    private byte[] packedUnderOneName(String model) throws IOException {
        Path path = TinyModels.gguf(model, temp);
        try (GgufFile file = GgufFile.open(path)) {
            ModelSource source = GgufLlama.read(file);
            PackPlan plan = PackPlan.of(path, source.tensors().values());
            new Sidecar(packed, "d".repeat(64), plan, new SerialTeam(), listener(), _ -> true)
                    .open(source)
                    .orElseThrow()
                    .close();
        }
        return Files.readAllBytes(onlyFile());
    }

    @Test
    void theLastByteIsChecked() throws IOException {
        float[] right = logits();
        TinyModels.flip(onlyFile(), Files.size(onlyFile()) - 1);
        assertThat(logits()).isEqualTo(right);
        assertThat(warnings).hasSize(1);
    }

    @Test
    void anOutdatedVersionIsDeletedOnceTheNewOneIsThere() throws IOException {
        logits();
        String name = onlyFile().getFileName().toString();
        Path old = onlyFile().resolveSibling(name.replace(".v1.", ".v0."));
        Path other = onlyFile().resolveSibling("f".repeat(64) + ".v0.bands");
        Files.move(onlyFile(), old);
        Files.writeString(other, "of another model");
        logits();
        assertThat(old).doesNotExist();
        assertThat(other).exists();
        assertThat(warnings).isEmpty();
    }

    /** The tests run as root, who may write everywhere: a file stands where the folder must be. */
    @Test
    void whereNoFolderCanBeMadeItPacksInMemory() throws IOException {
        float[] right = logits(gguf, Optional.empty());
        Files.writeString(temp.resolve("store"), "a file");
        assertThat(logits()).isEqualTo(right);
        assertThat(warnings).singleElement().asString().contains("in memory only", "FLAGSHIP_HOME");
    }

    @Test
    void whereTheFolderIsAFileItPacksInMemory() throws IOException {
        float[] right = logits(gguf, Optional.empty());
        Files.createDirectories(packed.getParent());
        Files.writeString(packed, "a file");
        assertThat(logits()).isEqualTo(right);
        assertThat(warnings).singleElement().asString().contains("in memory only");
    }

    @Test
    void whereTheFileCannotBeReplacedItPacksInMemory() throws IOException {
        float[] right = logits();
        Path file = onlyFile();
        Files.delete(file);
        Files.createDirectories(file.resolve("in the way"));
        assertThat(logits()).isEqualTo(right);
        assertThat(warnings).last().asString().contains("in memory only");
        assertThat(kept("*.part")).isEmpty();
    }

    @Test
    void withTooLittleSpaceItSaysSoAndLeavesNothing() throws IOException {
        try (GgufFile file = GgufFile.open(gguf)) {
            ModelSource source = GgufLlama.read(file);
            PackPlan plan = PackPlan.of(gguf, source.tensors().values());
            long[] asked = new long[1];
            var sidecar =
                    new Sidecar(
                            packed,
                            "d".repeat(64),
                            plan,
                            new SerialTeam(),
                            listener(),
                            _ -> true,
                            _ -> {
                                asked[0]++;
                                return plan.bytes();
                            });
            assertThat(sidecar.open(source)).isEmpty();
            assertThat(asked[0]).isEqualTo(1);
        }
        assertThat(warnings).singleElement().asString().contains("free", "in memory only");
        assertThat(kept("*.{bands,part}")).isEmpty();
    }

    @Test
    void whereSpaceCannotBeAskedForItPacksInMemory() throws IOException {
        try (GgufFile file = GgufFile.open(gguf)) {
            ModelSource source = GgufLlama.read(file);
            PackPlan plan = PackPlan.of(gguf, source.tensors().values());
            var sidecar =
                    new Sidecar(
                            packed,
                            "d".repeat(64),
                            plan,
                            new SerialTeam(),
                            listener(),
                            _ -> true,
                            _ -> {
                                throw new IOException("no such device");
                            });
            assertThat(sidecar.open(source)).isEmpty();
        }
        assertThat(warnings).singleElement().asString().contains("no such device");
    }

    /** A disk that loses what it took: the file changes between its making and its check. */
    @Test
    void whereTheFileJustMadeIsNotWhatWasWrittenItPacksInMemoryAndSaysSo() throws IOException {
        Team spoiling =
                new Team() {
                    @Override
                    public int size() {
                        return 1;
                    }

                    @Override
                    public void run(Task task) {
                        try {
                            if (Files.isDirectory(packed) && !kept("*.bands").isEmpty()) {
                                TinyModels.flip(onlyFile(), Files.size(onlyFile()) - 1);
                            }
                        } catch (IOException e) {
                            throw new UncheckedIOException(e);
                        }
                        task.run(0, 1);
                    }

                    @Override
                    public void close() {}
                };
        try (GgufFile file = GgufFile.open(gguf)) {
            ModelSource source = GgufLlama.read(file);
            PackPlan plan = PackPlan.of(gguf, source.tensors().values());
            var sidecar =
                    new Sidecar(packed, "d".repeat(64), plan, spoiling, listener(), _ -> true);
            assertThat(sidecar.open(source)).isEmpty();
        }
        assertThat(warnings)
                .singleElement()
                .asString()
                .contains("in memory only", onlyFile().toString(), "FLAGSHIP_HOME");
    }

    @Test
    void severalThreadsAtOnceMakeOneFileAndAllWork() throws Exception {
        float[] right = logits(gguf, Optional.empty());
        List<Callable<float[]>> loads = Collections.nCopies(6, this::logits);
        try (var threads = Executors.newFixedThreadPool(6)) {
            for (Future<float[]> load : threads.invokeAll(loads)) {
                assertThat(load.get()).isEqualTo(right);
            }
        }
        onlyFile();
        assertThat(warnings).isEmpty();
        assertThat(kept("*.part")).isEmpty();
    }

    @Test
    void severalProcessesAtOnceMakeOneFileAndAllWork() throws Exception {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        List<Process> processes = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            processes.add(
                    new ProcessBuilder(
                                    java,
                                    "-XX:TieredStopAtLevel=1",
                                    "-cp",
                                    System.getProperty("java.class.path"),
                                    LoadOnce.class.getName(),
                                    gguf.toString(),
                                    packed.toString())
                            .redirectErrorStream(true)
                            .start());
        }
        for (Process process : processes) {
            String told =
                    new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(process.waitFor()).as(told).isZero();
        }
        Object made = identity(onlyFile());
        assertThat(logits()).isEqualTo(logits(gguf, Optional.empty()));
        assertThat(identity(onlyFile())).isEqualTo(made);
        assertThat(kept("*.part")).isEmpty();
    }

    @Test
    void waitsForWhoeverHoldsTheLock() throws Exception {
        Files.createDirectories(packed);
        try (var threads = Executors.newSingleThreadExecutor()) {
            Future<float[]> load;
            try (FileChannel channel =
                            FileChannel.open(
                                    packed.resolve("packing.lock"),
                                    StandardOpenOption.CREATE,
                                    StandardOpenOption.WRITE);
                    FileLock _ = channel.lock()) {
                load = threads.submit(() -> logits());
                Thread.sleep(100);
                assertThat(kept("*.bands")).isEmpty();
                assertThat(load.isDone()).isFalse();
            }
            assertThat(load.get(30, TimeUnit.SECONDS)).isEqualTo(logits(gguf, Optional.empty()));
        }
        assertThat(warnings).isEmpty();
    }

    @Test
    void whoeverIsInterruptedWhileWaitingPacksInMemory() throws Exception {
        Files.createDirectories(packed);
        try (FileChannel channel =
                        FileChannel.open(
                                packed.resolve("packing.lock"),
                                StandardOpenOption.CREATE,
                                StandardOpenOption.WRITE);
                FileLock _ = channel.lock();
                var threads = Executors.newSingleThreadExecutor()) {
            Future<float[]> load = threads.submit(() -> logits());
            Thread.sleep(50);
            threads.shutdownNow();
            assertThat(load.get(30, TimeUnit.SECONDS)).isEqualTo(logits(gguf, Optional.empty()));
        }
        assertThat(warnings).singleElement().asString().contains("interrupted");
    }

    @Test
    void whatAKilledProcessLeftIsCleanedAndOthersFilesAreNot() throws IOException {
        Files.createDirectories(packed);
        Path left = Files.writeString(packed.resolve("packing-123.part"), "half");
        Path foreign = Files.writeString(packed.resolve("download.part"), "not ours");
        Files.writeString(packed.resolve("packing.lock"), "");
        logits();
        assertThat(left).doesNotExist();
        assertThat(foreign).exists();
        assertThat(warnings).isEmpty();
    }

    @Test
    void aWeightThatIsNoNumberIsNamedAndNothingStays() throws Exception {
        Path folder = TinyModels.huggingFace("llama", temp);
        TinyModels.endWithNaN(folder.resolve("model.safetensors"));
        for (Optional<Path> store : List.of(Optional.of(packed), Optional.<Path>empty())) {
            LeakCheck.around(() ->
                    assertThatThrownBy(() -> logits(folder, store))
                            .isInstanceOf(LoadException.class)
                            .hasMessageContaining("model.")
                            .hasMessageContaining(".weight")
                            .hasMessageContaining("NaN"));
        }
        assertThat(kept("*.{bands,part}")).isEmpty();
    }

    @Test
    void digestsAreRememberedAndChangesNoticed() throws IOException {
        Path store = temp.resolve("digests-of");
        List<String> hashed = new ArrayList<>();
        LoadListener counting =
                new LoadListener() {
                    @Override
                    public void progress(String stage, long done, long total) {
                        if (stage.startsWith("Checking ") && done == total) {
                            hashed.add(stage);
                        }
                    }

                    @Override
                    public void warning(String message) {
                        warnings.add(message);
                    }
                };
        var digest = new SourceDigest(store, new SerialTeam(), counting);
        List<Path> files = List.of(gguf);
        List<String> words = List.of("word");
        String first = digest.of(files, words);
        assertThat(digest.of(files, words)).isEqualTo(first);
        assertThat(hashed).hasSize(1);
        assertThat(digest.of(files, List.of("other"))).isNotEqualTo(first);
        assertThat(hashed).hasSize(1);

        TinyModels.flip(gguf, Files.size(gguf) - 1);
        String changed = digest.of(files, words);
        assertThat(changed).isNotEqualTo(first);
        assertThat(hashed).hasSize(2);

        // The same bytes under another inode: hashed again, and equal.
        Path again = Files.copy(gguf, temp.resolve("again.gguf"));
        Files.move(again, gguf, StandardCopyOption.REPLACE_EXISTING);
        assertThat(digest.of(files, words)).isEqualTo(changed);
        assertThat(hashed).hasSize(3);

        // What was remembered is damaged: hashed again.
        try (Stream<Path> remembered = Files.list(store.resolve("digests"))) {
            for (Path each : (Iterable<Path>) remembered::iterator) {
                Files.write(each, new byte[] {(byte) 0xFF, 'x'});
            }
        }
        assertThat(digest.of(files, words)).isEqualTo(changed);
        assertThat(hashed).hasSize(4);
        assertThat(digest.of(files, words)).isEqualTo(changed);
        assertThat(hashed).hasSize(4);
        assertThat(warnings).isEmpty();
    }

    @Test
    void digestsAreOfPiecesWhateverTheThreads() throws Exception {
        int piece = 16 << 20;
        byte[] bytes = new byte[4 * piece + 3];
        new Random(5).nextBytes(bytes);
        Path large = Files.write(temp.resolve("large"), bytes);
        MessageDigest pieces = MessageDigest.getInstance("SHA-256");
        for (int at = 0; at < bytes.length; at += piece) {
            byte[] one = Arrays.copyOfRange(bytes, at, Math.min(bytes.length, at + piece));
            pieces.update(MessageDigest.getInstance("SHA-256").digest(one));
        }
        String ofFile = HexFormat.of().formatHex(pieces.digest());
        byte[] all =
                MessageDigest.getInstance("SHA-256")
                        .digest(ofFile.getBytes(StandardCharsets.US_ASCII));
        String expected = HexFormat.of().formatHex(all);
        assertThat(digest(large, new SerialTeam())).isEqualTo(expected);
        try (Team team = new SpinTeam(3)) {
            assertThat(digest(large, team)).isEqualTo(expected);
        }
    }

    private String digest(Path file, Team team) throws IOException {
        Path store = Files.createTempDirectory(temp, "store");
        return new SourceDigest(store, team, LoadListener.SILENT).of(List.of(file), List.of());
    }
}
