package dev.flagship.kernels.x86;

import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.RopeTable;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Random;
import java.util.Set;

/**
 * Compares each {@link PointwiseKernel} with {@link ScalarKernels} on this very processor before it
 * is trusted: rows of whole and of cut vectors, extremes, NaN, and what lies beyond the outputs.
 */
final class PointwiseSelfTest {
    /** A row shorter than a vector, of one vector, of several, and one with a rest. */
    private static final int[] WIDTHS = {6, 16, 48, 90};

    private static final int ROWS = 9;
    private static final int LOGITS = 5 * PointwiseKernel.STRIP + 3;
    private static final int CANARIES = 16;
    private static final float CANARY = -12345.678f;
    private static final float EPS = 1e-5f;
    private static final long SEED = 20250915;

    private final Random random = new Random(SEED);
    private final KernelLibrary library;
    private final SerialTeam team;
    private final ScalarKernels truth;
    private final MemorySegment memory;
    private long used;

    private PointwiseSelfTest(
            KernelLibrary library, SerialTeam team, ScalarKernels truth, MemorySegment memory) {
        this.library = library;
        this.team = team;
        this.truth = truth;
        this.memory = memory;
    }

    /** The kernels that gave the right bits, all of them. */
    static Set<PointwiseKernel> passing(KernelLibrary library) {
        Set<PointwiseKernel> passing = EnumSet.noneOf(PointwiseKernel.class);
        for (PointwiseKernel kernel : PointwiseKernel.values()) {
            try (OffHeap memory = OffHeap.allocate(1 << 17);
                    SerialTeam team = new SerialTeam();
                    ScalarKernels truth = new ScalarKernels(team)) {
                if (new PointwiseSelfTest(library, team, truth, memory.segment()).passes(kernel)) {
                    passing.add(kernel);
                }
            }
        }
        return passing;
    }

    private boolean passes(PointwiseKernel kernel) {
        try (Pointwise pointwise = new Pointwise(team, library, EnumSet.of(kernel))) {
            return switch (kernel) {
                case STRIP_MAX -> findsTheBest(pointwise);
                case SUM_EXP -> sums(pointwise);
                case ADD, RELU, GELU, SWIGLU, RMS_NORM, LAYER_NORM, ROPE, SOFTMAX -> {
                    boolean same = true;
                    for (int width : WIDTHS) {
                        same &= sameRows(pointwise, kernel, width);
                        used = 0;
                    }
                    yield same;
                }
            };
        }
    }

    private boolean sameRows(Pointwise pointwise, PointwiseKernel kernel, int width) {
        Tensor a = numbers(ROWS, width);
        Tensor b = numbers(ROWS, width);
        Tensor weight = numbers(1, width);
        Tensor bias = numbers(1, width);
        Tensor expected = tensor(ROWS, width);
        MemorySegment space = take(4L * ROWS * width + 8L * CANARIES);
        for (long i = 0; i < space.byteSize() / 4; i++) {
            space.setAtIndex(ValueLayout.JAVA_FLOAT, i, CANARY);
        }
        long bytes = 4L * ROWS * width;
        Tensor out = Tensor.of(Shape.of(ROWS, width), space.asSlice(4L * CANARIES, bytes));
        switch (kernel) {
            case ADD -> {
                start(a, expected, out);
                truth.add(expected, b);
                pointwise.run(kernel, out, b, out);
            }
            case RELU -> {
                truth.relu(a, expected);
                pointwise.run(kernel, a, a, out);
            }
            case GELU -> {
                truth.gelu(a, expected);
                pointwise.run(kernel, a, a, out);
            }
            case SWIGLU -> {
                truth.swiGlu(a, b, expected);
                pointwise.run(kernel, a, b, out);
            }
            case RMS_NORM -> {
                truth.rmsNorm(a, weight, EPS, expected);
                pointwise.rmsNorm(a, weight, EPS, out);
            }
            case LAYER_NORM -> {
                truth.layerNorm(a, weight, bias, EPS, expected);
                pointwise.layerNorm(a, weight, bias, EPS, out);
            }
            case ROPE -> {
                start(a, expected, out);
                RopeTable table = table(width / 2);
                int[] positions = random.ints(ROWS, 0, 40).toArray();
                truth.rope(expected, table, positions);
                pointwise.rope(out, table, positions);
            }
            case SOFTMAX -> {
                truth.softmax(a, expected);
                pointwise.softmax(a, out);
            }
            case STRIP_MAX, SUM_EXP -> throw new IllegalStateException(kernel + " gives no rows");
        }
        return agree(out, expected) && untouched(space, bytes);
    }

    private static void start(Tensor from, Tensor expected, Tensor out) {
        expected.data().copyFrom(from.data());
        out.data().copyFrom(from.data());
    }

    private static RopeTable table(int pairs) {
        float[] frequencies = new float[pairs];
        for (int i = 0; i < pairs; i++) {
            frequencies[i] = 1f / (1 + i);
        }
        RopeTable table = new RopeTable(frequencies);
        table.ensure(40);
        return table;
    }

    private boolean findsTheBest(Pointwise pointwise) {
        Tensor logits = numbers(ROWS, LOGITS);
        boolean same = true;
        for (int k = 1; k <= 2; k++) {
            int[] expectedIds = new int[k];
            float[] expected = new float[k];
            int[] ids = new int[k];
            float[] values = new float[k];
            for (int row = 0; row < ROWS; row++) {
                truth.topK(logits, row, k, expectedIds, expected);
                pointwise.topK(logits, row, k, ids, values);
                same &= Arrays.equals(ids, expectedIds) && Arrays.equals(values, expected);
            }
        }
        return same;
    }

    private boolean sums(Pointwise pointwise) {
        boolean same = true;
        for (int width : WIDTHS) {
            Tensor x = numbers(ROWS, width);
            for (int row = 0; row < ROWS; row++) {
                float actual = pointwise.logSumExp(x, row);
                same &= same(actual, truth.logSumExp(x, row));
            }
            used = 0;
        }
        return same;
    }

    private static boolean same(float a, float e) {
        return Float.floatToRawIntBits(a) == Float.floatToRawIntBits(e)
                || (Float.isNaN(a) && Float.isNaN(e));
    }

    private static boolean agree(Tensor out, Tensor expected) {
        for (int row = 0; row < out.rows(); row++) {
            for (int i = 0; i < out.rowSize(); i++) {
                if (!same(out.get(row, i), expected.get(row, i))) {
                    return false;
                }
            }
        }
        return true;
    }

    private static boolean untouched(MemorySegment space, long bytes) {
        for (int i = 0; i < CANARIES; i++) {
            long after = CANARIES * 4L + bytes + i * 4L;
            if (space.get(ValueLayout.JAVA_FLOAT, i * 4L) != CANARY
                    || space.get(ValueLayout.JAVA_FLOAT, after) != CANARY) {
                return false;
            }
        }
        return true;
    }

    /** Rows of usual numbers, of both ends of every function, and of what is not finite. */
    private Tensor numbers(int rows, int width) {
        Tensor x = tensor(rows, width);
        for (int row = 0; row < rows; row++) {
            for (int i = 0; i < width; i++) {
                float usual = (float) random.nextGaussian();
                x.set(
                        row,
                        i,
                        switch (row) {
                            case 1 -> usual * 40;
                            case 2 -> usual * 1e38f;
                            case 3 -> usual * 1e-42f;
                            case 4 -> random.nextBoolean() ? 0f : -0f;
                            case 5 -> i - 44.25f;
                            default -> usual;
                        });
            }
        }
        if (rows == ROWS) {
            x.set(6, width - 1, Float.NaN);
            x.set(7, width / 2, Float.NEGATIVE_INFINITY);
            x.set(8, 0, Float.POSITIVE_INFINITY);
        }
        return x;
    }

    private Tensor tensor(int rows, int width) {
        return Tensor.of(Shape.of(rows, width), take(4L * rows * width));
    }

    private MemorySegment take(long bytes) {
        MemorySegment piece = memory.asSlice(used, bytes);
        used = (used + bytes + 63) & -64;
        return piece;
    }
}
