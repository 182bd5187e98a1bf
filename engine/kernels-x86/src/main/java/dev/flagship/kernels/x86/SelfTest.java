package dev.flagship.kernels.x86;

import static dev.flagship.tensor.BandMatrix.BLOCK;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.BandPacker;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;

/**
 * Compares each type's kernels with {@link ScalarKernels} on this very processor before they are
 * trusted: every tile width, extremes of weights and activations, a cut last band, and what lies
 * beyond the outputs.
 */
final class SelfTest {
    /**
     * A matrix and how many rows it is multiplied by.
     *
     * @param counts numbers of rows of x
     */
    private record Work(int rows, int cols, List<Integer> counts) {
        int mostRows() {
            return Collections.max(counts);
        }
    }

    /**
     * Groups of four and two bands, and a cut one; all widths of tiles of registers and one more,
     * but once of types that share their code.
     */
    private static Work inRegisters(DType type) {
        boolean own = ProductKernel.shape(type) == type;
        return new Work(
                6 * BandMatrix.BAND + 5,
                2 * Math.max(BLOCK, type.blockElements()),
                own
                        ? IntStream.rangeClosed(1, Tile.MOST_COLUMNS + 1).boxed().toList()
                        : List.of(1, Tile.MOST_COLUMNS + 1));
    }

    /** A cut band, a whole chunk of blocks and an odd rest, a whole tile and a rest of rows. */
    private static final Work IN_TILES =
            new Work(
                    BandMatrix.BAND + 5,
                    (TileKernel.CHUNK + 3) * BLOCK,
                    List.of(TileKernel.ROWS, TileKernel.ROWS + 3));

    /** Of MXFP4: the smallest, usual ones and the largest. */
    private static final byte[] EXPONENTS = {0, 1, 118, 122, 127, (byte) 252};

    static final int CANARIES = 16;
    static final float CANARY = -12345.678f;
    static final long SEED = 20250915;

    private SelfTest() {}

    /** A product that is tried, with weights of its own. */
    interface Product {
        void run(Tensor x, Tensor out);
    }

    /** The types whose kernels gave the right bits, all of them. */
    static Set<DType> passing(KernelLibrary library) {
        Set<DType> passing = EnumSet.noneOf(DType.class);
        for (DType type : library.types()) {
            if (passes(library, type, inRegisters(type))
                    && (!TileKernel.multiplies(library.isa(), type)
                            || passes(library, type, IN_TILES))) {
                passing.add(type);
            }
        }
        return passing;
    }

    private static boolean passes(KernelLibrary library, DType type, Work work) {
        Random random = new Random(SEED);
        int rows = work.rows;
        int cols = work.cols;
        int most = work.mostRows();
        long numberBytes = BandMatrix.numberBytes(type, rows, cols);
        long scaleBytes = BandMatrix.scaleBytes(type, rows, cols);
        try (OffHeap memory =
                        OffHeap.allocate(
                                numberBytes + scaleBytes + 4L * most * (cols + 2 * rows) + 4096);
                SerialTeam team = new SerialTeam();
                ScalarKernels truth = new ScalarKernels(team)) {
            Cutter cut = new Cutter(memory.segment());
            MemorySegment numbers = cut.next(numberBytes);
            MemorySegment scales = cut.next(scaleBytes);
            new BandPacker(
                            "self-test",
                            type,
                            rows,
                            cols,
                            MemorySegment.ofArray(source(type, rows * cols, random)),
                            IntUnaryOperator.identity())
                    .pack(0, BandMatrix.bands(rows), numbers, scales);
            BandMatrix w = new BandMatrix("self-test", type, rows, cols, numbers, scales);
            Tensor x = tensor(cut, most, cols);
            fill(x, random);
            Tensor expected = tensor(cut, most, rows);
            truth.project(x, List.of(w), List.of(expected), Numerics.FAST);
            MemorySegment space = cut.next(space(expected));
            // The same numbers of rows with weights read in place and unpacked.
            for (int unpackRows : new int[] {2, Integer.MAX_VALUE}) {
                try (Int8Products products =
                        new Int8Products(
                                team,
                                library,
                                EnumSet.of(type),
                                library.tuning().withUnpackRows(unpackRows))) {
                    Product product =
                            (some, out) -> products.project(some, List.of(w), List.of(out));
                    if (!allAgree(work.counts, product, x, expected, space)) {
                        return false;
                    }
                }
            }
            return true;
        }
    }

    /** Bytes for outputs as large and canaries. */
    static long space(Tensor outputs) {
        return (outputs.shape().elements() + 2L * CANARIES) * 4;
    }

    /**
     * Whether these numbers of rows of x give the right bits, and nothing else is written.
     *
     * @param expected of all rows of x
     * @param space of {@link #space} bytes
     */
    static boolean allAgree(
            List<Integer> counts, Product product, Tensor x, Tensor expected, MemorySegment space) {
        int cols = x.rowSize();
        int width = expected.rowSize();
        int first = 0;
        for (int count : counts) {
            first = (first + 1) % (x.rows() - count + 1);
            Tensor some =
                    Tensor.of(
                            Shape.of(count, cols),
                            x.data().asSlice(4L * first * cols, 4L * count * cols));
            for (long i = 0; i < space.byteSize() / 4; i++) {
                space.setAtIndex(ValueLayout.JAVA_FLOAT, i, CANARY);
            }
            long bytes = 4L * count * width;
            Tensor out = Tensor.of(Shape.of(count, width), space.asSlice(CANARIES * 4L, bytes));
            product.run(some, out);
            if (!agree(out, expected, first) || !untouched(space, bytes)) {
                return false;
            }
        }
        return true;
    }

    /** Whether rows of expected, from {@code first} on, are the same numbers, or NaN alike. */
    static boolean agree(Tensor out, Tensor expected, int first) {
        for (int row = 0; row < out.rows(); row++) {
            for (int i = 0; i < out.rowSize(); i++) {
                float a = out.get(row, i);
                float e = expected.get(first + row, i);
                boolean same =
                        Float.floatToRawIntBits(a) == Float.floatToRawIntBits(e)
                                || (Float.isNaN(a) && Float.isNaN(e));
                if (!same) {
                    return false;
                }
            }
        }
        return true;
    }

    /** Whether the canaries before and after an output of so many bytes live. */
    static boolean untouched(MemorySegment space, long bytes) {
        for (int i = 0; i < CANARIES; i++) {
            long after = CANARIES * 4L + bytes + i * 4L;
            if (space.get(ValueLayout.JAVA_FLOAT, i * 4L) != CANARY
                    || space.get(ValueLayout.JAVA_FLOAT_UNALIGNED, after) != CANARY) {
                return false;
            }
        }
        return true;
    }

    /** Blocks of a source file: extreme numbers in some, zero, huge and tiny scales in some. */
    static byte[] source(DType type, int weights, Random random) {
        byte[] bytes = new byte[Math.toIntExact(type.rowBytes(weights))];
        random.nextBytes(bytes);
        int halves = type.hasMinimum() ? 2 : 1;
        int scalesAt =
                switch (type) {
                    case Q6_K, Q3_K -> type.blockBytes() - 2;
                    case Q2_K -> type.blockBytes() - 4;
                    default -> 0;
                };
        for (int at = 0; at < bytes.length; at += type.blockBytes()) {
            int kind = random.nextInt(8);
            if (kind < 4) {
                byte pattern = new byte[] {0, -1, -128, 127}[kind];
                Arrays.fill(bytes, at, at + type.blockBytes(), pattern);
            }
            if (type == DType.MXFP4) {
                bytes[at] = EXPONENTS[random.nextInt(EXPONENTS.length)];
                continue;
            }
            for (int h = 0; h < halves; h++) {
                float scale =
                        switch (random.nextInt(6)) {
                            case 0 -> 0f;
                            case 1 -> 65504f;
                            case 2 -> -1e-7f;
                            default -> (float) random.nextGaussian() * 0.1f;
                        };
                short bits = Float.floatToFloat16(scale);
                if (type == DType.IQ1_M) { // four bits on top of each of four small scales
                    for (int i = 0; i < 4; i++) {
                        int place = at + 49 + 2 * i;
                        bytes[place] = (byte) (bytes[place] & 15 | bits >> 4 * i << 4);
                    }
                    continue;
                }
                bytes[at + scalesAt + 2 * h] = (byte) bits;
                bytes[at + scalesAt + 2 * h + 1] = (byte) (bits >> 8);
            }
        }
        return bytes;
    }

    static void fill(Tensor x, Random random) {
        for (int row = 0; row < x.rows(); row++) {
            for (int k = 0; k < x.rowSize(); k++) {
                float usual = (float) random.nextGaussian();
                float value =
                        switch (row % 8) {
                            case 1 -> 5f; // all +127
                            case 2 -> -5f;
                            case 3 -> 0f;
                            case 4 -> usual * 1e38f;
                            case 5 -> usual * 1e-42f;
                            case 6 -> k % BLOCK == 0 ? 127f : Math.round(usual) + 0.5f; // ties
                            default -> usual;
                        };
                x.set(row, k, value);
            }
        }
        x.set(7, 3, Float.NaN);
        x.set(8, 40, Float.NEGATIVE_INFINITY);
    }

    static Tensor tensor(Cutter cut, int rows, int width) {
        return Tensor.of(Shape.of(rows, width), cut.next(4L * rows * width));
    }

    /** Cuts memory into aligned pieces. */
    static final class Cutter {
        private final MemorySegment memory;
        private long used;

        Cutter(MemorySegment memory) {
            this.memory = memory;
        }

        MemorySegment next(long bytes) {
            MemorySegment piece = memory.asSlice(used, bytes);
            used = (used + bytes + 63) & -64;
            return piece;
        }
    }
}
