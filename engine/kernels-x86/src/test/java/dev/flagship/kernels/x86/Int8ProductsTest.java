package dev.flagship.kernels.x86;

import static dev.flagship.testing.AllocationCheck.allocatesNothing;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.InvalidArgumentException;
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
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

@OnLinuxX86
class Int8ProductsTest {

    private final Seed seed = Seed.given();
    private final Random random = seed.random();
    private KernelLibrary library = Libraries.load(isa());
    private GuardedMemory memory = new GuardedMemory(1, random);

    /** Subclasses test the other instruction sets. */
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

    /** Rows with NaN, infinities, zeros and the ends of int8 are among them. */
    private Tensor numbers(int rows, int cols) {
        Tensor x = memory.tensor(rows, cols);
        Activations.fill(x, random);
        return x;
    }

    private static Tensor truth(GuardedMemory memory, Tensor x, BandMatrix w) {
        Tensor out = memory.tensor(x.rows(), w.rows());
        try (SerialTeam team = new SerialTeam();
                ScalarKernels scalar = new ScalarKernels(team)) {
            scalar.project(x, List.of(w), List.of(out), Numerics.FAST);
        }
        return out;
    }

    @Test
    void everyForcedWayGivesTheSameBits() {
        Tuning unpacked = library.tuning().withUnpackRows(2);
        Tuning inPlace = library.tuning().withUnpackRows(Integer.MAX_VALUE);
        List<Tuning> ways = List.of(inPlace, unpacked.withShortGroup(1), inPlace.withShortGroup(2));
        for (DType type : ProductKernel.TYPES) {
            int cols = type.superBlocks() ? 512 : 96;
            for (int rows : new int[] {1, 16, 31, 47, 61, 64, 101}) {
                BandMatrix w = matrix(type, rows, cols);
                for (int count = 1; count <= 26; count++) {
                    Tensor x = numbers(count, cols);
                    Tensor expected = truth(memory, x, w);
                    for (int threads = 1; threads <= 3; threads++) {
                        for (Tuning tuning : ways) {
                            Tensor out = memory.tensor(count, rows);
                            try (Team team = new SpinTeam(threads);
                                    Int8Products products =
                                            new Int8Products(
                                                    team, library, ProductKernel.TYPES, tuning)) {
                                products.project(x, List.of(w), List.of(out));
                            }
                            String what =
                                    "%s [%d, %d] × %d, %s, %d threads, %s"
                                            .formatted(
                                                    type, rows, cols, count, tuning, threads, seed);
                            Bits.assertSame(what, out, expected);
                        }
                    }
                }
                memory.reset(type + ", " + seed);
            }
        }
    }

    /**
     * Every operand ends where nobody may read or write, outputs begin so as well: a step too far
     * ends the test's JVM.
     */
    @Test
    void nothingIsReadOrWrittenBeyondAnEnd() {
        for (DType type : ProductKernel.TYPES) {
            int cols = type.superBlocks() ? 768 : 288;
            BandMatrix source = matrix(type, 101, cols);
            for (int count : new int[] {1, 2, 5, 6, 13, 20, 50}) {
                Tensor given = numbers(count, cols);
                Tensor expected = truth(memory, given, source);
                try (GuardPages pages = new GuardPages();
                        SerialTeam team = new SerialTeam();
                        Int8Products products =
                                new Int8Products(team, library, ProductKernel.TYPES)) {
                    MemorySegment numbers = pages.copy(source.numbers());
                    MemorySegment scales = pages.copy(source.scales());
                    BandMatrix w = new BandMatrix("m", type, 101, cols, numbers, scales);
                    Tensor x = Tensor.of(given.shape(), pages.copy(given.data()));
                    for (MemorySegment space : pages.both(count * 404L)) {
                        Tensor out = Tensor.of(Shape.of(count, 101), space);
                        products.project(x, List.of(w), List.of(out));
                        Bits.assertSame(type + " × " + count + ", " + seed, out, expected);
                    }
                }
            }
            memory.reset(type + ", " + seed);
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
            for (DType type : ProductKernel.TYPES) {
                int cols = type.superBlocks() ? 512 : 96;
                for (int rows : new int[] {16, 63, 117}) {
                    BandMatrix source = matrix(type, rows, cols);
                    for (int count : new int[] {2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 25}) {
                        Tensor given = numbers(count, cols);
                        Tensor expected = truth(memory, given, source);
                        for (KernelLibrary each : libraries) {
                            assertSameBits(team, each, given, source, expected);
                        }
                    }
                }
                memory.reset(type + ", " + seed);
            }
        } finally {
            libraries.forEach(KernelLibrary::close);
        }
    }

    /** Weights in place and unpacked. */
    private void assertSameBits(
            Team team, KernelLibrary kernels, Tensor given, BandMatrix source, Tensor expected) {
        for (int unpackRows : new int[] {2, Integer.MAX_VALUE}) {
            Tuning tuning = kernels.tuning().withUnpackRows(unpackRows);
            try (GuardPages pages = new GuardPages();
                    Int8Products products =
                            new Int8Products(team, kernels, ProductKernel.TYPES, tuning)) {
                MemorySegment numbers = pages.copy(source.numbers());
                MemorySegment scales = pages.copy(source.scales());
                int rows = source.rows();
                var w = new BandMatrix("m", source.type(), rows, source.cols(), numbers, scales);
                Tensor x = Tensor.of(given.shape(), pages.copy(given.data()));
                Tensor out = Tensor.of(expected.shape(), pages.take(expected.data().byteSize()));
                products.project(x, List.of(w), List.of(out));
                String what = "%s × %d, %s".formatted(w.type(), x.rows(), tuning);
                Bits.assertSame(what + ", " + seed, out, expected);
            }
        }
    }

    @Test
    void kernelsOfOtherTilesAreNotTaken() {
        Tuning other = library.tuning().withUnpacked(Tile.unpacked(isa()).getLast());
        try (SerialTeam team = new SerialTeam()) {
            assertThatThrownBy(() ->
                            new Int8Products(team, library, ProductKernel.TYPES, other).close())
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining("no kernels for");
        }
    }

    /**
     * In short registers without VNNI the tiles of two differ, and the places of their half sums.
     */
    @Test
    void weightsOfSeveralTypesShareAPass() {
        List<BandMatrix> weights =
                List.of(
                        matrix(DType.Q6_K, 53, 512),
                        matrix(DType.IQ2_XS, 37, 512),
                        matrix(DType.Q3_K, 16, 512),
                        matrix(DType.Q4_0, 33, 512));
        for (int count : new int[] {1, 2, 6, 7, 13, 70}) {
            Tensor x = numbers(count, 512);
            try (Team team = new SpinTeam(2);
                    Int8Products products = new Int8Products(team, library, ProductKernel.TYPES)) {
                List<Tensor> outs =
                        weights.stream().map(w -> memory.tensor(count, w.rows())).toList();
                products.project(x, weights, outs);
                for (int i = 0; i < outs.size(); i++) {
                    BandMatrix w = weights.get(i);
                    String what = "%s × %d, %s".formatted(w.type(), count, seed);
                    Bits.assertSame(what, outs.get(i), truth(memory, x, w));
                }
            }
        }
    }

    @Test
    void otherOutputsAreLeftAlone() {
        BandMatrix ours = matrix(DType.Q4_0, 33, 64);
        BandMatrix theirs = matrix(DType.Q8_0, 33, 64);
        Tensor x = numbers(3, 64);
        Tensor a = memory.tensor(3, 33);
        Tensor b = memory.tensor(3, 33);
        try (SerialTeam team = new SerialTeam();
                Int8Products products =
                        new Int8Products(team, library, java.util.Set.of(DType.Q4_0))) {
            products.project(x, List.of(theirs, ours), List.of(a, b));
        }
        Bits.assertSame("ours", b, truth(memory, x, ours));
        Bits.assertSame("theirs", a, memory.tensor(3, 33));
    }

    @Test
    void closedMemoryIsRefusedBeforeCodeRuns() {
        BandMatrix w = matrix(DType.Q8_0, 16, 32);
        try (SerialTeam team = new SerialTeam();
                Int8Products products = new Int8Products(team, library, ProductKernel.TYPES)) {
            OffHeap gone = OffHeap.allocate(128);
            Tensor x = Tensor.of(Shape.of(1, 32), gone.segment());
            gone.close();
            assertThatThrownBy(() -> products.project(x, List.of(w), List.of(memory.tensor(1, 16))))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("closed");
        }
    }

    @Test
    void heapMemoryIsLeftToTheOtherRung() {
        BandMatrix w = matrix(DType.Q8_0, 16, 32);
        Tensor heap = Tensor.of(Shape.of(1, 32), MemorySegment.ofArray(new byte[128]));
        try (SerialTeam team = new SerialTeam();
                Int8Products products = new Int8Products(team, library, ProductKernel.TYPES)) {
            assertThat(products.takes(heap, w, memory.tensor(1, 16))).isFalse();
            assertThat(products.takes(numbers(1, 32), w, memory.tensor(1, 16))).isTrue();
        }
    }

    @Test
    void aCallAllocatesNothing() {
        try (SpinTeam team = new SpinTeam(2);
                Int8Products products = new Int8Products(team, library, ProductKernel.TYPES)) {
            for (DType type : ProductKernel.TYPES) {
                int cols = type.superBlocks() ? 256 : 96;
                List<BandMatrix> w = List.of(matrix(type, 69, cols));
                for (int count : new int[] {1, 7, 300}) {
                    Tensor x = numbers(count, cols);
                    List<Tensor> out = List.of(memory.tensor(count, 69));
                    allocatesNothing(type + " × " + count, () -> products.project(x, w, out));
                }
            }
        }
    }
}
