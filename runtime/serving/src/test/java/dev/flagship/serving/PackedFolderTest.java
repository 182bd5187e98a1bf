package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.flagship.base.Bytes;
import dev.flagship.formats.GgufFile;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.OffHeap;
import dev.flagship.testing.LeakCheck;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What neither disk nor memory can hold is refused by its headers; what either holds, is not. */
class PackedFolderTest {
    private static final long PLENTY = 1L << 40;
    private static final long RESERVE = 64 << 20;

    @TempDir Path temp;
    private Path model;
    private Path store;

    /** Bytes of the packed weights, as {@code show} tells them. */
    private long packed;

    private final List<String> stages = new ArrayList<>();
    private final List<String> warnings = new ArrayList<>();

    private record Some(long free) implements Memory {
        @Override
        public long total() {
            return PLENTY;
        }

        @Override
        public OffHeap allocate(long bytes) {
            return OffHeap.allocate(bytes);
        }
    }

    @BeforeEach
    void extract() throws IOException {
        model = TinyModels.gguf("quantised-f16", temp);
        store = temp.resolve("home/packed");
        packed = ModelSummary.read(model).weightBytes();
    }

    private LoadListener listener() {
        return new LoadListener() {
            @Override
            public void progress(String stage, long done, long total) {
                stages.add(stage);
            }

            @Override
            public void warning(String message) {
                warnings.add(message);
            }
        };
    }

    private LoadOptions options() {
        return LoadOptions.of("tiny").withKernels("scalar").withThreads(1).withPackedFolder(store);
    }

    private LoadedModel load(long disk, long memory) throws IOException {
        return LoadedModel.load(
                model, options(), listener(), new Machine(new Some(memory), _ -> disk));
    }

    /** The refusal, before anything was read of the weights or written. */
    private Throwable refused(long disk, long memory) throws Exception {
        stages.clear();
        warnings.clear();
        Throwable[] thrown = new Throwable[1];
        LeakCheck.around(() -> thrown[0] = catchThrowable(() -> load(disk, memory).close()));
        assertThat(thrown[0]).isInstanceOf(LoadException.class).hasMessageEndingWith(".");
        assertThat(stages).isEmpty();
        assertThat(warnings).isEmpty();
        return thrown[0];
    }

    /** What is told on the way of a load that works. */
    private List<String> loaded(long disk, long memory) throws IOException {
        stages.clear();
        warnings.clear();
        load(disk, memory).close();
        return stages.stream().map(stage -> stage.replaceFirst(" .*", "")).distinct().toList();
    }

    /** Least free bytes for which the file is made: the weights, a page before them, a reserve. */
    private long room() {
        return packed + 4096 + RESERVE;
    }

    @Test
    void whatNeitherHoldsIsRefusedWithBothSizes() throws Exception {
        assertThat(refused(1000, packed - 1))
                .hasMessageContainingAll(
                        model.toString(),
                        "take " + Bytes.human(packed),
                        store + " has 1000 B free",
                        Bytes.human(packed - 1) + " of memory are free",
                        "FLAGSHIP_HOME");
        assertThat(store.getParent()).doesNotExist();
        refused(room() - 1, packed - 1);
    }

    @Test
    void whatTheDiskHoldsIsPackedThere() throws IOException {
        assertThat(loaded(room(), 0)).containsExactly("Checking", "Packing");
        assertThat(warnings).isEmpty();
        assertThat(bands()).hasSize(1);
    }

    @Test
    void whatMemoryHoldsIsPackedThere() throws IOException {
        assertThat(loaded(room() - 1, packed)).containsExactly("Checking", "Packing");
        assertThat(warnings).singleElement().asString().contains("in memory only");
        assertThat(bands()).isEmpty();
    }

    @Test
    void weightsThatArePackedAlreadyNeedNoRoom() throws IOException {
        loaded(PLENTY, PLENTY);
        assertThat(loaded(0, 0)).isEmpty();
        // Also where only reading the model tells that they are its own.
        Files.setLastModifiedTime(model, FileTime.fromMillis(1_000_000));
        assertThat(loaded(0, 0)).containsExactly("Checking");
        assertThat(warnings).isEmpty();
    }

    @Test
    void anothersPackedWeightsAreNotTakenForTheModels() throws Exception {
        loaded(PLENTY, PLENTY);
        Path other = TinyModels.gguf("quantised-q8_0", temp);
        Files.move(other, model, StandardCopyOption.REPLACE_EXISTING);
        packed = ModelSummary.read(model).weightBytes();
        refused(0, 0);
    }

    @Test
    void weightsWithAnotherDigestThanTheKnownOneAreNotTakenForIt() throws Exception {
        loaded(PLENTY, PLENTY);
        Path file = bands().getFirst();
        Files.move(file, file.resolveSibling("f".repeat(64) + ".v1.bands"));
        refused(0, 0);
    }

    @Test
    void unfinishedFilesCountAsFree() throws IOException {
        Files.createDirectories(store);
        Files.write(store.resolve("packing-7.part"), new byte[5000]);
        stages.clear();
        try (var source = GgufFile.open(model)) {
            ModelSource read = GgufLlama.read(source);
            PackPlan plan = PackPlan.of(model, read.tensors().values());
            Room room = new Room(new Some(0), model, new KvLayout(1, 1, 16, DType.F32), 16);
            new PackedFolder(store, _ -> room() - 5000).check(read, plan, room, Optional.empty());
            assertThat(
                            catchThrowable(() ->
                                    new PackedFolder(store, _ -> room() - 5001)
                                            .check(read, plan, room, Optional.empty())))
                    .isInstanceOf(LoadException.class);
        }
    }

    /** The tests run as root, who may write everywhere: a file stands where the folder must be. */
    @Test
    void aStoreThatCannotBeWrittenLeavesMemoryAlone() throws Exception {
        Files.writeString(store.getParent(), "a file");
        assertThat(refused(PLENTY, packed - 1))
                .hasMessageContainingAll(store + " cannot be written", "FLAGSHIP_HOME");
        loaded(PLENTY, packed);
        assertThat(warnings).singleElement().asString().contains("in memory only");
    }

    @Test
    void aDiskThatDoesNotTellHoldsNothing() throws IOException {
        FreeSpace silent =
                _ -> {
                    throw new IOException("no such device");
                };
        assertThat(
                        catchThrowable(() ->
                                LoadedModel.load(
                                        model,
                                        options(),
                                        listener(),
                                        new Machine(new Some(packed - 1), silent))))
                .isInstanceOf(LoadException.class)
                .hasMessageContaining("has 0 B free");
        LoadedModel.load(model, options(), listener(), new Machine(new Some(packed), silent))
                .close();
    }

    @Test
    void roundingIsARemedyWhereItIsOne() throws Exception {
        LoadOptions rounded = options().withQuantize(QuantMix.Q4_K);
        long small;
        try (LoadedModel q4 = LoadedModel.load(model, rounded, LoadListener.SILENT)) {
            small = q4.weightBytes();
        }
        assertThat(small).isLessThan(packed);
        assertThat(refused(0, small))
                .hasMessageContaining("--quantize q4_k takes " + Bytes.human(small));
        assertThat(refused(0, small - 1).getMessage()).doesNotContain("--quantize");
        LoadedModel.load(model, rounded, listener(), new Machine(new Some(small), _ -> 0L)).close();
    }

    @Test
    void aPoolThatDoesNotFitBesideThemIsFoundBeforeTheyAreReadToo() throws Exception {
        Memory tight =
                new Memory() {
                    @Override
                    public long total() {
                        return packed + 1000;
                    }

                    @Override
                    public long free() {
                        return packed;
                    }

                    @Override
                    public OffHeap allocate(long bytes) {
                        throw new AssertionError("asked for " + bytes);
                    }
                };
        LoadOptions small = options().withContext(16);
        assertThat(
                        catchThrowable(() ->
                                LoadedModel.load(
                                        model, small, listener(), new Machine(tight, _ -> 0L))))
                .isInstanceOf(LoadException.class)
                .hasMessageContaining("KV pool");
        assertThat(stages).isEmpty();
    }

    private List<Path> bands() throws IOException {
        List<Path> found = new ArrayList<>();
        try (var files = Files.newDirectoryStream(store, "*.bands")) {
            files.forEach(found::add);
        }
        return found;
    }
}
