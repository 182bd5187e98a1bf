package dev.flagship.kernels.x86;

import static dev.flagship.testing.AllocationCheck.allocatesNothing;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.SpinTeam;
import dev.flagship.tensor.Team;
import dev.flagship.tensor.Tensor;
import dev.flagship.testing.Activations;
import dev.flagship.testing.Bits;
import dev.flagship.testing.GuardedMemory;
import dev.flagship.testing.Seed;
import dev.flagship.testing.SourceBlocks;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

@OnLinuxX86
class FloatProductsTest {
    private static final List<FloatProducts.Cut> CUTS =
            List.of(
                    FloatProducts.Cut.USUAL,
                    new FloatProducts.Cut(1, 32, 2),
                    new FloatProducts.Cut(64 * 24, 64, Integer.MAX_VALUE));

    private static final float[] SCALES = {
        0f, 65504f, 6e-8f, 6e-5f, Float.POSITIVE_INFINITY, Float.NaN
    };
    private static final byte[] SMALL_SCALES = {0, 1, -1, 31, -32, 63, 127, -128};

    private final Seed seed = Seed.given();
    private final Random random = seed.random();
    private KernelLibrary library = Libraries.load(isa());
    private GuardedMemory memory = new GuardedMemory(1, random);

    /** Subclasses test the other length of registers. */
    Isa isa() {
        return Isa.AVX512_VNNI;
    }

    @BeforeEach
    void open() {
        library.close();
        memory.close();
        library = Libraries.load(isa());
        memory = new GuardedMemory(24 << 20, random);
    }

    @AfterEach
    void close() {
        memory.close();
        library.close();
    }

    private BandMatrix matrix(DType type, int rows, int cols) {
        SourceBlocks.Kind kind =
                random.nextBoolean() ? SourceBlocks.Kind.USUAL : SourceBlocks.Kind.EXTREME;
        byte[] source = SourceBlocks.random(type, rows * cols, kind, random);
        return memory.matrix("m", type, rows, cols, source);
    }

    private Tensor numbers(int rows, int cols) {
        Tensor x = memory.tensor(rows, cols);
        for (int row = 0; row < rows; row++) {
            for (int k = 0; k < cols; k++) {
                x.set(row, k, (float) random.nextGaussian());
            }
        }
        return x;
    }

    private static Tensor truth(GuardedMemory memory, Tensor x, BandMatrix w) {
        Tensor out = memory.tensor(x.rows(), w.rows());
        try (SerialTeam team = new SerialTeam();
                ScalarKernels scalar = new ScalarKernels(team)) {
            scalar.project(x, List.of(w), List.of(out), Numerics.EXACT);
        }
        return out;
    }

    /** Steps, pairs and single k in every company; whole blocks for quantised types. */
    private static int[] cols(DType type) {
        if (type.superBlocks()) {
            return new int[] {256, 512, 768};
        }
        return type.quantized() ? new int[] {32, 96, 160} : new int[] {1, 2, 7, 8, 67, 96, 129};
    }

    private void project(FloatProducts products, Tensor x, BandMatrix w, Tensor out) {
        products.project(x, List.of(w), List.of(out), Numerics.EXACT);
    }

    @Test
    void everyForcedWayGivesTheSameBits() {
        int turn = random.nextInt(100);
        for (DType type : FloatProducts.TYPES) {
            int[] cols = cols(type);
            for (int rows : new int[] {1, 16, 31, 47, 64, 101}) {
                for (int count = 1; count <= 26; count++) {
                    BandMatrix w = matrix(type, rows, cols[turn++ % cols.length]);
                    Tensor x = numbers(count, w.cols());
                    Tensor expected = truth(memory, x, w);
                    int threads = 1 + turn % 3;
                    try (Team team = new SpinTeam(threads)) {
                        for (FloatProducts.Cut cut : CUTS) {
                            Tensor out = memory.tensor(count, rows);
                            try (FloatProducts products =
                                    new FloatProducts(team, library, FloatProducts.TYPES, cut)) {
                                project(products, x, w, out);
                            }
                            String what =
                                    "%s [%d, %d] × %d, %s, %d threads, %s"
                                            .formatted(
                                                    type, rows, w.cols(), count, cut, threads,
                                                    seed);
                            Bits.assertSame(what, out, expected);
                        }
                    }
                }
                memory.reset(type + ", " + seed);
            }
        }
    }

    /** Whole tiles and rests of each, groups and what they leave over, between guarded pages. */
    @Test
    void everyTileGivesTheSameBits() {
        List<KernelLibrary> libraries =
                Libraries.everyTile(isa()).stream()
                        .map(tuning -> Libraries.load(new LinuxPages(), isa(), tuning))
                        .toList();
        try (SerialTeam team = new SerialTeam()) {
            for (DType type : FloatProducts.TYPES) {
                int step = type.quantized() ? 7 : 1; // widened, all use the same tiles
                for (int rows : new int[] {16, 63, 117}) {
                    for (int cols : fewCols(type)) {
                        everyTile(team, libraries, matrix(type, rows, cols), step);
                    }
                }
                memory.reset(type + ", " + seed);
            }
        } finally {
            libraries.forEach(KernelLibrary::close);
        }
    }

    /** An odd number where weights can be read as they are, whole blocks where widened. */
    private static int[] fewCols(DType type) {
        if (type.superBlocks()) {
            return new int[] {256};
        }
        return type.quantized() ? new int[] {96} : new int[] {93, 96};
    }

    private void everyTile(Team team, List<KernelLibrary> libraries, BandMatrix source, int step) {
        for (int count = 2; count <= 2 * Tile.MOST_COLUMNS + 2; count += step) {
            Tensor given = memory.tensor(count, source.cols());
            Activations.fill(given, random);
            Tensor expected = truth(memory, given, source);
            for (KernelLibrary each : libraries) {
                assertSameBits(team, each, given, source, expected);
            }
        }
    }

    private void assertSameBits(
            Team team, KernelLibrary kernels, Tensor given, BandMatrix source, Tensor expected) {
        for (FloatProducts.Cut cut : CUTS) {
            try (GuardPages pages = new GuardPages();
                    FloatProducts products =
                            new FloatProducts(team, kernels, FloatProducts.TYPES, cut)) {
                MemorySegment numbers = pages.copy(source.numbers());
                MemorySegment scales = pages.copy(source.scales());
                int rows = source.rows();
                var w = new BandMatrix("m", source.type(), rows, source.cols(), numbers, scales);
                Tensor x = Tensor.of(given.shape(), pages.copy(given.data()));
                Tensor out = Tensor.of(expected.shape(), pages.take(expected.data().byteSize()));
                project(products, x, w, out);
                String what =
                        "%s × %d, %s, %s".formatted(w.type(), x.rows(), kernels.tuning(), cut);
                Bits.assertSame(what + ", " + seed, out, expected);
            }
        }
    }

    /**
     * Also such as no file may hold: zero, huge, denormal, infinite and NaN, each of either sign.
     */
    @Test
    void everyScaleGivesTheSameBits() {
        for (DType type : FloatUnpacker.TYPES) {
            int cols = type.superBlocks() ? 512 : 96;
            for (int count : new int[] {1, 2, 13}) {
                BandMatrix w = matrix(type, 101, cols);
                specialScales(w);
                Tensor x = numbers(count, cols);
                Tensor expected = truth(memory, x, w);
                try (SerialTeam team = new SerialTeam()) {
                    for (FloatProducts.Cut cut : CUTS) {
                        Tensor out = memory.tensor(count, w.rows());
                        try (FloatProducts products =
                                new FloatProducts(team, library, FloatProducts.TYPES, cut)) {
                            project(products, x, w, out);
                        }
                        String what = "%s × %d, %s, %s".formatted(type, count, cut, seed);
                        Bits.assertSame(what, out, expected);
                    }
                }
            }
            memory.reset(type + ", " + seed);
        }
    }

    private void specialScales(BandMatrix w) {
        DType type = w.type();
        MemorySegment scales = w.scales();
        int step = type.superBlocks() ? BandMatrix.superScaleBytes(type) : 32;
        int halves = type.superBlocks() ? BandMatrix.groupScalesAt(type) : 32;
        for (long at = 0; at < scales.byteSize(); at++) {
            boolean small = at % step >= halves;
            if (type == DType.MXFP4) { // 255 is no exponent
                scales.set(ValueLayout.JAVA_BYTE, at, (byte) random.nextInt(255));
            } else if (small && random.nextInt(4) == 0) {
                byte own = SMALL_SCALES[random.nextInt(SMALL_SCALES.length)];
                scales.set(ValueLayout.JAVA_BYTE, at, own);
            } else if (!small && at % 2 == 0 && random.nextInt(8) == 0) {
                float scale = SCALES[random.nextInt(SCALES.length)];
                short half = Float.floatToFloat16(random.nextBoolean() ? scale : -scale);
                scales.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, half);
            }
        }
    }

    /** So many that each thread takes blocks of them; 1,024 columns are copied, a page apart. */
    @Test
    void rowsSplitOverTheTeamGiveTheSameBits() {
        for (DType type : List.of(DType.F32, DType.F16, DType.BF16, DType.Q4_0, DType.Q6_K)) {
            splitRows(type, 37, 256, 1201);
            splitRows(type, 9 * BandMatrix.BAND - 3, 1024, 401);
            memory.reset(type + ", " + seed);
        }
    }

    private void splitRows(DType type, int rows, int cols, int count) {
        List<BandMatrix> w = List.of(matrix(type, rows, cols), matrix(type, 16, cols));
        Tensor x = numbers(count, cols);
        List<Tensor> expected = w.stream().map(each -> truth(memory, x, each)).toList();
        int most = Tile.floats(isa()).getFirst().columns();
        assertThat(FloatProducts.splitsRows(count, most, 2)).isTrue();
        for (int threads : new int[] {1, 2, 3}) {
            try (Team team = new SpinTeam(threads)) {
                for (FloatProducts.Cut cut : CUTS) {
                    List<Tensor> outs =
                            w.stream().map(each -> memory.tensor(count, each.rows())).toList();
                    try (FloatProducts products =
                            new FloatProducts(team, library, FloatProducts.TYPES, cut)) {
                        products.project(x, w, outs, Numerics.EXACT);
                    }
                    for (int i = 0; i < w.size(); i++) {
                        String what = "%s, %s, %d threads, %s".formatted(type, cut, threads, seed);
                        Bits.assertSame(what, outs.get(i), expected.get(i));
                    }
                }
            }
        }
    }

    @Test
    void fewRowsAreNotSplit() {
        assertThat(FloatProducts.splitsRows(383, 12, 2)).isTrue();
        assertThat(FloatProducts.splitsRows(191, 12, 2)).isFalse();
        assertThat(FloatProducts.splitsRows(1 << 20, 12, 1)).isFalse();
    }

    /** Rows a page apart are copied, whole or in parts of k of a page or less. */
    @Test
    void rowsThatFightForOneSetOfACacheGiveTheSameBits() {
        for (DType type : FloatProducts.TYPES) {
            BandMatrix w = matrix(type, 8 * 16 * 2 - 3, 2048);
            Tensor x = numbers(29, w.cols());
            Tensor expected = truth(memory, x, w);
            try (Team team = new SpinTeam(2)) {
                for (FloatProducts.Cut cut :
                        List.of(
                                new FloatProducts.Cut(14 * 2048, 2048, 2),
                                new FloatProducts.Cut(14 * 1024, 1024, 30),
                                new FloatProducts.Cut(14 * 992, 992, 2),
                                new FloatProducts.Cut(29 * 2048, 992, 29))) { // all of x
                    Tensor out = memory.tensor(x.rows(), w.rows());
                    try (FloatProducts products =
                            new FloatProducts(team, library, FloatProducts.TYPES, cut)) {
                        project(products, x, w, out);
                    }
                    Bits.assertSame("%s, %s, %s".formatted(type, cut, seed), out, expected);
                }
            }
            memory.reset(type + ", " + seed);
        }
    }

    /**
     * Every operand ends where nobody may read or write, outputs begin so as well: a step too far
     * ends the test's JVM.
     */
    @Test
    void nothingIsReadOrWrittenBeyondAnEnd() {
        for (DType type : FloatProducts.TYPES) {
            for (int cols : fewCols(type)) {
                nothingBeyond(matrix(type, 101, 3 * cols));
            }
            memory.reset(type + ", " + seed);
        }
    }

    private void nothingBeyond(BandMatrix source) {
        var cut =
                new FloatProducts.Cut(
                        FloatProducts.Cut.USUAL.numbers(), FloatProducts.Cut.USUAL.columns(), 12);
        for (int count : new int[] {1, 2, 5, 12, 13, 29}) {
            Tensor given = numbers(count, source.cols());
            Tensor expected = truth(memory, given, source);
            try (GuardPages pages = new GuardPages();
                    SerialTeam team = new SerialTeam();
                    FloatProducts products =
                            new FloatProducts(team, library, FloatProducts.TYPES, cut)) {
                MemorySegment numbers = pages.copy(source.numbers());
                MemorySegment scales = pages.copy(source.scales());
                DType type = source.type();
                BandMatrix w = new BandMatrix("m", type, 101, source.cols(), numbers, scales);
                Tensor x = Tensor.of(given.shape(), pages.copy(given.data()));
                for (MemorySegment space : pages.both(count * 404L)) {
                    Tensor out = Tensor.of(Shape.of(count, 101), space);
                    project(products, x, w, out);
                    Bits.assertSame(w + " × " + count + ", " + seed, out, expected);
                }
            }
        }
    }

    @Test
    void quantisedWeightsAreTakenInExactNumericsOnly() {
        BandMatrix quantised = matrix(DType.Q4_0, 33, 64);
        BandMatrix plain = matrix(DType.F16, 33, 64);
        Tensor x = numbers(3, 64);
        Tensor a = memory.tensor(3, 33);
        Tensor b = memory.tensor(3, 33);
        try (SerialTeam team = new SerialTeam();
                FloatProducts products = new FloatProducts(team, library, FloatProducts.TYPES)) {
            products.project(x, List.of(quantised, plain), List.of(a, b), Numerics.FAST);
            Bits.assertSame("left alone", a, memory.tensor(3, 33));
            Bits.assertSame("plain", b, truth(memory, x, plain));
            project(products, x, quantised, a);
            Bits.assertSame("quantised", a, truth(memory, x, quantised));
        }
    }

    @Test
    void closedMemoryIsRefusedBeforeCodeRuns() {
        BandMatrix w = matrix(DType.F32, 16, 32);
        try (SerialTeam team = new SerialTeam();
                FloatProducts products = new FloatProducts(team, library, FloatProducts.TYPES)) {
            OffHeap gone = OffHeap.allocate(128);
            Tensor x = Tensor.of(Shape.of(1, 32), gone.segment());
            gone.close();
            assertThatThrownBy(() -> project(products, x, w, memory.tensor(1, 16)))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("closed");
        }
    }

    @Test
    void heapMemoryIsLeftToTheOtherRung() {
        BandMatrix w = matrix(DType.F32, 16, 32);
        Tensor heap = Tensor.of(Shape.of(1, 32), MemorySegment.ofArray(new byte[128]));
        Tensor out = memory.tensor(1, 16);
        try (SerialTeam team = new SerialTeam();
                FloatProducts products = new FloatProducts(team, library, FloatProducts.TYPES)) {
            assertThat(products.takes(heap, w, out, Numerics.EXACT)).isFalse();
            assertThat(products.takes(numbers(1, 32), w, out, Numerics.EXACT)).isTrue();
        }
    }

    @Test
    void aCallAllocatesNothing() {
        for (FloatProducts.Cut cut : CUTS) { // the second splits rows
            aCallAllocatesNothing(cut);
        }
    }

    private void aCallAllocatesNothing(FloatProducts.Cut cut) {
        try (SpinTeam team = new SpinTeam(2);
                FloatProducts products =
                        new FloatProducts(team, library, FloatProducts.TYPES, cut)) {
            for (DType type : FloatProducts.TYPES) {
                int cols = type.superBlocks() ? 256 : 96;
                List<BandMatrix> w = List.of(matrix(type, 69, cols));
                for (int count : new int[] {1, 7, 600}) {
                    Tensor x = numbers(count, cols);
                    List<Tensor> out = List.of(memory.tensor(count, 69));
                    allocatesNothing(
                            type + " × " + count,
                            () -> products.project(x, w, out, Numerics.EXACT));
                }
                memory.reset(type + ", " + seed);
            }
        }
    }
}
