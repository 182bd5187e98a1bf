package dev.flagship.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Tensor;
import dev.flagship.testing.Bits;
import dev.flagship.testing.GuardedMemory;
import dev.flagship.testing.Seed;
import dev.flagship.testing.SourceBlocks;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.ToLongFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@OnLinuxX86
class TuningTest {
    private static final Isa WIDE = Isa.AVX512_VNNI;
    private static final Tuning ODD = odd(WIDE);

    @TempDir private Path folder = Path.of("");

    /** Nothing in it is usual. */
    private static Tuning odd(Isa isa) {
        return new Tuning(
                1024,
                4096,
                8,
                2,
                Tile.inPlace(isa).getLast(),
                Tile.unpacked(isa).getLast(),
                Tile.floats(isa).getLast());
    }

    @ParameterizedTest
    @EnumSource
    void everyTuningGivesTheSameBits(Isa isa) {
        Libraries.load(isa).close();
        Seed seed = Seed.given();
        Random random = seed.random();
        try (GuardedMemory memory = new GuardedMemory(16 << 20, random);
                SerialTeam team = new SerialTeam();
                Kernels truth = new ScalarKernels(team)) {
            for (int prefetch : new int[] {0, 1024, 6144, 65_536}) {
                Tuning far =
                        Tuning.usual(isa)
                                .withPrefetch(prefetch)
                                .withFar(65_536 - prefetch)
                                .withUnpackRows(8);
                KernelLibrary.Loading loading = KernelLibrary.load(new LinuxPages(), isa, far);
                try (KernelLibrary library = ((KernelLibrary.Loaded) loading).library()) {
                    for (int bands = 1; bands <= KernelLibrary.ROW_BANDS; bands *= 2) {
                        Tuning tuning = far.withShortGroup(bands);
                        try (Int8Products products =
                                new Int8Products(team, library, ProductKernel.TYPES, tuning)) {
                            assertSameBits(products, truth, memory, random, tuning + ", " + seed);
                        }
                        memory.reset(tuning + ", " + seed);
                    }
                }
            }
        }
    }

    private static void assertSameBits(
            Int8Products products,
            Kernels truth,
            GuardedMemory memory,
            Random random,
            String circumstances) {
        for (DType type : ProductKernel.TYPES) {
            byte[] source = SourceBlocks.random(type, 117 * 256, SourceBlocks.Kind.EXTREME, random);
            BandMatrix w = memory.matrix("m", type, 117, 256, source);
            for (int rows : new int[] {1, 7, 8, 13}) {
                Tensor x = memory.tensor(rows, 256);
                for (int i = 0; i < rows * 256; i++) {
                    x.set(i / 256, i % 256, (float) random.nextGaussian());
                }
                Tensor expected = memory.tensor(rows, 117);
                Tensor actual = memory.tensor(rows, 117);
                truth.project(x, List.of(w), List.of(expected), Numerics.FAST);
                products.project(x, List.of(w), List.of(actual));
                Bits.assertSame(
                        "%s x %d, %s".formatted(type, rows, circumstances), actual, expected);
            }
        }
    }

    /** Groups of four, and of as many as the tuning says where bands are short. */
    @Test
    void onlyShortBandsAreMetInOtherGroups() {
        long band = BandMatrix.bandBytes(DType.Q4_1, 2048);
        assertThat(ODD.rowGroup(band)).isEqualTo(2);
        assertThat(ODD.rowGroup(band + 64)).isEqualTo(4);
    }

    @Test
    void whatWasWrittenIsReadByThisVariantOnly() {
        VariantFile file = new VariantFile("tuning", folder, "avx512-v1-abc");
        assertThat(file.read()).isEmpty();
        assertThat(file.canBeWritten()).isTrue();
        file.write(ODD.text());
        assertThat(file.read().flatMap(written -> Tuning.parse(WIDE, written))).contains(ODD);
        assertThat(new VariantFile("tuning", folder, "avx512-v1-abd").read()).isEmpty();
        assertThat(new VariantFile("tuning", folder, "avx512-v2-abc").read()).isEmpty();
        assertThat(new VariantFile("passed", folder, "avx512-v1-abc").read()).isEmpty();
        assertThat(folder).isDirectoryContaining("glob:**/tuning-avx512-v1-abc");
    }

    @Test
    void aDamagedFileIsAsNone() {
        String text = ODD.text();
        assertThat(Tuning.parse(WIDE, text)).contains(ODD);
        for (int i = 0; i < text.length(); i++) {
            String changed =
                    text.substring(0, i) + (char) (text.charAt(i) ^ 1) + text.substring(i + 1);
            assertThat(Tuning.parse(WIDE, changed)).as(changed).isEmpty();
            assertThat(Tuning.parse(WIDE, text.substring(0, i))).isEmpty();
        }
        assertThat(Tuning.parse(WIDE, text + text)).isEmpty();
    }

    @Test
    void tilesOfAnotherInstructionSetAreNotAsked() {
        for (Isa isa : Isa.values()) {
            String text = odd(isa).text();
            assertThat(Tuning.parse(isa, text)).contains(odd(isa));
            Isa other = isa.wide() ? Isa.AVX2 : WIDE;
            assertThat(Tuning.parse(other, text)).isEmpty();
        }
    }

    /** Else kernels that were tried in one way would be believed in another. */
    @Test
    void equalCodeThatIsUsedOtherwiseIsOther() {
        Tuning tuning = Tuning.usual(WIDE);
        try (KernelLibrary usual = libraryOfOneType(tuning);
                KernelLibrary other = libraryOfOneType(tuning.withInPlace(Tile.SHORT))) {
            assertThat(other.symbols())
                    .extracting(KernelLibrary.Symbol::name)
                    .isEqualTo(usual.symbols().stream().map(KernelLibrary.Symbol::name).toList());
            assertThat(other.checksum()).isNotEqualTo(usual.checksum());
        }
    }

    private static KernelLibrary libraryOfOneType(Tuning tuning) {
        Set<DType> types = EnumSet.of(DType.Q4_0);
        return ((KernelLibrary.Loaded) KernelLibrary.load(new LinuxPages(), WIDE, tuning, types))
                .library();
    }

    @Test
    void aFolderThatCannotBeWrittenIsLeftAlone() {
        VariantFile file = new VariantFile("tuning", folder.resolve("none"), "v");
        assertThat(file.canBeWritten()).isFalse();
        file.write(ODD.text());
        assertThat(file.read()).isEmpty();
        assertThat(folder).isEmptyDirectory();
    }

    @ParameterizedTest
    @EnumSource
    void theProbeKeepsTheUsualUnlessAnotherWinsMostPairs(Isa isa) {
        Tuning usual = Tuning.usual(isa);
        try (KernelLibrary library = Libraries.load(isa)) {
            assertThat(probed(library, _ -> 100)).as("all equal").isEqualTo(usual);
            assertThat(probed(library, tuning -> tuning.prefetch() == 2048 ? 90 : 100))
                    .as("2048 a tenth faster")
                    .isEqualTo(usual.withPrefetch(2048));
            assertThat(probed(library, tuning -> tuning.prefetch() == 2048 ? 96 : 100))
                    .as("2048 hardly faster")
                    .isEqualTo(usual);
            assertThat(probed(library, tuning -> 100 - tuning.prefetch() / 100))
                    .as("the farther the faster")
                    .isEqualTo(usual.withPrefetch(6144));
            for (int won : new int[] {7, 8}) {
                int[] runs = {0}; // three of a pair; draws come last
                Tuning best =
                        probed(
                                library,
                                tuning -> {
                                    boolean other = tuning.prefetch() == 2048;
                                    return other && runs[0]++ < 3 * won ? 50 : 100;
                                });
                assertThat(best)
                        .as("2048 in %s of ten pairs", won)
                        .isEqualTo(won == 7 ? usual : usual.withPrefetch(2048));
                // The last choice of prefetches is compared with it, too.
                assertThat(runs[0]).isGreaterThanOrEqualTo(30);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void theProbeFindsFromWhichRowsUnpackingPays(Isa isa) {
        Tuning usual = Tuning.usual(isa);
        int half = usual.unpackRows() / 2;
        try (KernelLibrary library = Libraries.load(isa)) {
            // Rows of few columns do not tell themselves from those of many: only 2 unpacks.
            Tuning unpacking = probed(library, tuning -> tuning.unpackRows() == 2 ? 50 : 100);
            Tuning inPlace = probed(library, tuning -> tuning.unpackRows() == 2 ? 100 : 50);
            boolean tiles = TileKernel.multiplies(isa, DType.Q4_0);
            assertThat(unpacking.unpackRows()).isEqualTo(tiles ? usual.unpackRows() : half);
            assertThat(inPlace.unpackRows()).isEqualTo(tiles ? usual.unpackRows() : 4 * half);
        }
    }

    @ParameterizedTest
    @EnumSource
    void theProbeFindsHowManyShortBandsToMeetTogether(Isa isa) {
        Tuning usual = Tuning.usual(isa);
        try (KernelLibrary library = Libraries.load(isa)) {
            for (int bands : new int[] {1, 2}) {
                assertThat(probed(library, tuning -> tuning.shortGroup() == bands ? 90 : 100))
                        .isEqualTo(usual.withShortGroup(bands));
            }
            assertThat(probed(library, tuning -> 80 + 10 * tuning.shortGroup()))
                    .as("the fewer the faster")
                    .isEqualTo(usual.withShortGroup(1));
            assertThat(probed(library, tuning -> 97 + tuning.shortGroup()))
                    .as("hardly")
                    .isEqualTo(usual);
        }
    }

    @ParameterizedTest
    @EnumSource
    void theProbeFindsTheFastestTiles(Isa isa) {
        Tuning usual = Tuning.usual(isa);
        try (KernelLibrary library = Libraries.load(isa)) {
            for (Tile tile : Tile.unpacked(isa)) {
                assertThat(probed(library, tuning -> tuning.unpacked().equals(tile) ? 90 : 100))
                        .isEqualTo(usual.withUnpacked(tile));
            }
            for (Tile tile : Tile.inPlace(isa)) {
                assertThat(probed(library, tuning -> tuning.inPlace().equals(tile) ? 90 : 100))
                        .isEqualTo(usual.withInPlace(tile));
            }
            for (Tile tile : Tile.floats(isa)) {
                assertThat(probed(library, tuning -> tuning.floats().equals(tile) ? 90 : 100))
                        .isEqualTo(usual.withFloats(tile));
            }
            assertThat(probed(library, tuning -> tuning.far() == 4096 ? 90 : 100))
                    .isEqualTo(usual.withFar(4096));
        }
    }

    @Test
    void theProbeStopsWhenItsTimeIsOver() {
        try (KernelLibrary library = Libraries.load()) {
            ScriptedClock clock = new ScriptedClock(tuning -> tuning.prefetch() == 2048 ? 50 : 100);
            clock.late = true;
            assertThat(TuningProbe.best(new LinuxPages(), library, clock))
                    .isEqualTo(Tuning.usual(library.isa()));
            assertThat(clock.started).isTrue();
        }
    }

    private static Tuning probed(KernelLibrary library, ToLongFunction<Tuning> nanos) {
        return TuningProbe.best(new LinuxPages(), library, new ScriptedClock(nanos));
    }

    /** Says what the script says, without the work, which each choice has done once before. */
    private static final class ScriptedClock implements TuningProbe.Clock {
        private final ToLongFunction<Tuning> nanos;
        private boolean started;
        private boolean late;

        ScriptedClock(ToLongFunction<Tuning> nanos) {
            this.nanos = nanos;
        }

        @Override
        public void start() {
            started = true;
        }

        @Override
        public boolean late() {
            return late;
        }

        @Override
        public long nanos(Tuning choice, Runnable work) {
            return nanos.applyAsLong(choice);
        }
    }

    @Test
    void theFirstStartMeasuresAndLaterOnesBelieveIt() throws IOException {
        Libraries.load().close();
        X86KernelsProvider provider = new X86KernelsProvider(LinuxPages::new, folder, "");
        provider.create(new SerialTeam(), _ -> {}).close();
        Path file;
        try (var files = Files.newDirectoryStream(folder, "tuning-*")) {
            file = files.iterator().next();
        }
        Isa best = Isa.best(Libraries.features()).orElseThrow();
        assertThat(Tuning.parse(best, Files.readString(file))).isPresent();
        String odd = odd(best).text();
        Files.writeString(file, odd, StandardCharsets.US_ASCII);
        provider.create(new SerialTeam(), _ -> {}).close();
        assertThat(file).content().isEqualTo(odd);
        Files.writeString(file, "damaged", StandardCharsets.US_ASCII);
        provider.create(new SerialTeam(), _ -> {}).close();
        assertThat(Tuning.parse(best, Files.readString(file))).isPresent();
    }
}
