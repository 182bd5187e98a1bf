package dev.flagship.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.base.FlagshipException;
import dev.flagship.hostile.CveClass;
import dev.flagship.hostile.Format;
import dev.flagship.hostile.HostileCase;
import dev.flagship.hostile.HostileCases;
import dev.flagship.hostile.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every hand-made model, read as loading reads it: a coded error with place and remedy, within two
 * seconds, for at most 64 bytes a byte and 1 MiB, and nothing left open; and valid ones by the same
 * meter.
 */
@Timeout(60)
class HostileCasesTest {
    /** What only the containers' own tests see, since a loader does not ask for it. */
    private static final Set<Format> CONTAINERS =
            EnumSet.of(Format.GGUF, Format.SAFETENSORS, Format.TORCH_ARCHIVE, Format.TORCH_STREAM);

    @TempDir Path folder;

    static Stream<HostileCase> cases() {
        return HostileCases.all();
    }

    @BeforeAll
    static void loadClasses(@TempDir Path folder) throws IOException {
        for (Format format : Format.values()) {
            for (Seed seed : Seed.of(format)) {
                Path model = Files.createTempDirectory(folder, "valid");
                write(model, seed.with(seed.part()));
                for (int i = 0; i < 2; i++) {
                    Reading.of(model, Long.MAX_VALUE / 128);
                }
            }
        }
    }

    private static long write(Path model, Map<String, byte[]> files) throws IOException {
        long bytes = 0;
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            Files.write(model.resolve(file.getKey()), file.getValue());
            bytes += file.getValue().length;
        }
        return bytes;
    }

    @ParameterizedTest
    @MethodSource("cases")
    void isRefusedAsPromised(HostileCase hostile) throws IOException {
        Reading reading = Reading.of(hostile.write(folder), hostile.bytes());
        assertThat(reading.error()).as("refused").isPresent();
        FlagshipException error = reading.error().get();
        if (!CONTAINERS.contains(hostile.format())) {
            assertThat(error).hasMessageContaining(hostile.words());
        }
        assertThat(reading.refusedAtUse() && hostile.format() != Format.TEMPLATE)
                .as("refused late: %s", error)
                .isFalse();
    }

    static Stream<HostileCase> heavy() {
        return HostileCases.heavy();
    }

    @ParameterizedTest
    @MethodSource("heavy")
    void muchOfWhatIsAllowedCostsInProportion(HostileCase heavy) throws IOException {
        Reading.of(heavy.write(folder), heavy.bytes()); // its meter decides
    }

    @ParameterizedTest
    @EnumSource(Format.class)
    void validModelsPassTheSameMeter(Format format) throws IOException {
        for (Seed seed : Seed.of(format)) {
            Path model = Files.createTempDirectory(folder, "valid");
            long bytes = write(model, seed.with(seed.part()));
            assertThat(Reading.of(model, bytes).error()).isEmpty();
        }
    }

    @Test
    void casesAreManyAndCoverEveryFormatAndClass() {
        Set<CveClass> classes = EnumSet.noneOf(CveClass.class);
        Map<Format, Integer> counts = new EnumMap<>(Format.class);
        Set<String> names = new HashSet<>();
        HostileCases.all()
                .forEach(each -> {
                    classes.add(each.covers());
                    counts.merge(each.format(), 1, Integer::sum);
                    assertThat(names.add(each.toString())).as("twice: %s", each).isTrue();
                });
        assertThat(classes).containsExactlyInAnyOrder(CveClass.values());
        assertThat(counts).containsOnlyKeys(Format.values());
        assertThat(counts.values()).allMatch(count -> count >= 10);
        assertThat(names).hasSizeGreaterThanOrEqualTo(150);
    }

    @Test
    void theGeneratorWritesEachCaseAndAListOfThem() throws IOException {
        int count = HostileCases.write(folder.resolve("cases"));
        assertThat(count).isEqualTo((int) HostileCases.all().count());
        List<String> lines = Files.readAllLines(folder.resolve("cases/cases.tsv"));
        assertThat(lines).hasSize(1 + count);
        for (String line : lines.subList(1, lines.size())) {
            String[] fields = line.split("\t", -1);
            assertThat(fields).hasSize(3);
            assertThat(Files.exists(folder.resolve("cases").resolve(fields[0]))).as(line).isTrue();
        }
    }

    /**
     * The tiny models are what their formats' own writers would make, as far as loading can tell.
     */
    @Test
    void everyContainerAndVocabularyIsLoaded() throws IOException {
        List<Supplier<Map<String, byte[]>>> models =
                List.of(
                        TinyModel::huggingFace,
                        TinyModel::sharded,
                        TinyModel::torchArchive,
                        TinyModel::torchStream,
                        TinyModel::meta,
                        TinyModel::gguf,
                        TinyModel::ggufScores,
                        () -> TinyModel.with(TinyModel.spacesJson()),
                        () -> TinyModel.with(TinyModel.sentencePiece()),
                        () -> TinyModel.with(TinyModel.tiktoken()),
                        () -> TinyModel.with(TinyModel.vocabulary()),
                        () -> TinyModel.with(TinyModel.template()));
        for (Supplier<Map<String, byte[]>> files : models) {
            Path model = Files.createTempDirectory(folder, "valid");
            Reading reading = Reading.of(model, write(model, files.get()));
            assertThat(reading.error()).isEmpty();
        }
    }
}
