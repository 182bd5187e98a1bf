package dev.flagship.kernels.x86;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.BandPacker;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;

/** {@link SelfTest} of the kernels of {@link FloatProducts}. */
final class FloatSelfTest {
    /** Whole steps, pairs and a single k; where weights are widened, whole blocks. */
    private static final int ODD_COLS = 16 * FloatKernel.STEP + 5;

    private static final int BLOCK_COLS = 3 * BandMatrix.BLOCK;

    /** Parts of k begin within super-blocks and at their ends. */
    private static final int SUPER_BLOCK_COLS = 2 * BandMatrix.SUPER_BLOCK;

    /** Groups of four and two bands, and a cut one. */
    private static final int ROWS = 6 * BandMatrix.BAND + 5;

    /** All widths of tiles and one more. */
    private static final List<Integer> COUNTS =
            IntStream.rangeClosed(1, Tile.MOST_COLUMNS + 1).boxed().toList();

    private static final int LARGEST = COUNTS.getLast();

    /** What types that share their code are multiplied by, but once. */
    private static final List<Integer> FEW = List.of(1, LARGEST);

    /** Every block is a part of k and of the rows. */
    private static final FloatProducts.Cut SMALL =
            new FloatProducts.Cut(BandMatrix.BLOCK, BandMatrix.BLOCK, 2);

    private FloatSelfTest() {}

    /** The types whose kernels gave the right bits, all of them. */
    static Set<DType> passing(KernelLibrary library) {
        Set<DType> passing = EnumSet.noneOf(DType.class);
        for (DType type : library.floatTypes()) {
            if (cols(type).stream().allMatch(cols -> passes(library, type, cols))) {
                passing.add(type);
            }
        }
        return passing;
    }

    private static boolean passes(KernelLibrary library, DType type, int cols) {
        Random random = new Random(SelfTest.SEED);
        int rows = ROWS;
        boolean own = !type.quantized() || FloatUnpacker.SHAPES.contains(type);
        long numberBytes = BandMatrix.numberBytes(type, rows, cols);
        long scaleBytes = BandMatrix.scaleBytes(type, rows, cols);
        long tensors = 4L * LARGEST * (cols + 2 * rows);
        try (OffHeap memory = OffHeap.allocate(numberBytes + scaleBytes + tensors + 4096);
                SerialTeam team = new SerialTeam();
                ScalarKernels truth = new ScalarKernels(team)) {
            SelfTest.Cutter cut = new SelfTest.Cutter(memory.segment());
            MemorySegment numbers = cut.next(numberBytes);
            MemorySegment scales = cut.next(scaleBytes);
            byte[] source =
                    type.quantized()
                            ? SelfTest.source(type, rows * cols, random)
                            : source(type, cols, random);
            MemorySegment segment = MemorySegment.ofArray(source);
            new BandPacker("self-test", type, rows, cols, segment, IntUnaryOperator.identity())
                    .pack(0, BandMatrix.bands(rows), numbers, scales);
            BandMatrix w = new BandMatrix("self-test", type, rows, cols, numbers, scales);
            Tensor x = SelfTest.tensor(cut, LARGEST, cols);
            SelfTest.fill(x, random);
            Tensor expected = SelfTest.tensor(cut, LARGEST, rows);
            truth.project(x, List.of(w), List.of(expected), Numerics.EXACT);
            MemorySegment space = cut.next(SelfTest.space(expected));
            for (FloatProducts.Cut each : List.of(SMALL, FloatProducts.Cut.of(library.isa()))) {
                try (FloatProducts products =
                        new FloatProducts(team, library, EnumSet.of(type), each)) {
                    SelfTest.Product product =
                            (rowsOfX, out) ->
                                    products.project(
                                            rowsOfX, List.of(w), List.of(out), Numerics.EXACT);
                    if (!SelfTest.allAgree(own ? COUNTS : FEW, product, x, expected, space)) {
                        return false;
                    }
                }
            }
            return true;
        }
    }

    private static List<Integer> cols(DType type) {
        return switch (type) {
            case F32, BF16 -> List.of(ODD_COLS);
            case F16 -> List.of(ODD_COLS, BLOCK_COLS); // as they are and widened
            default -> List.of(type.superBlocks() ? SUPER_BLOCK_COLS : BLOCK_COLS);
        };
    }

    /** Finite numbers of every magnitude that the type has. */
    private static byte[] source(DType type, int cols, Random random) {
        byte[] bytes = new byte[Math.toIntExact(type.rowBytes((long) ROWS * cols))];
        ByteBuffer out = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        while (out.hasRemaining()) {
            float usual = (float) random.nextGaussian();
            float value =
                    switch (random.nextInt(8)) {
                        case 0 -> -0f;
                        case 1 -> usual * 1e-6f; // denormal in F16
                        case 2 -> usual * 1e-41f; // denormal in the others
                        case 3 -> Math.copySign(65504f, usual);
                        default -> usual;
                    };
            switch (type) {
                case F32 -> out.putFloat(value);
                case F16 -> out.putShort(Float.floatToFloat16(value));
                default -> out.putShort((short) (Float.floatToRawIntBits(value) >>> 16));
            }
        }
        return bytes;
    }
}
