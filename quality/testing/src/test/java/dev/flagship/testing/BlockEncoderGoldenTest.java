package dev.flagship.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.BandPacker;
import dev.flagship.tensor.BlockEncoder;
import dev.flagship.tensor.DType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntUnaryOperator;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Blocks of ours against those of llama.cpp's quantiser: tools/golden/blocks/quantised.py. */
class BlockEncoderGoldenTest {
    private static final String GOLDEN = "blocks/quantised.safetensors";

    /** Of an error's last digits: they are sums of squares in F32 there, in double here. */
    private static final double DIGITS = 1 + 1e-5;

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"Q8_0", "Q4_0", "Q4_1", "Q4_K", "Q6_K"})
    void noBlockOfTheGoldenIsWorseThanTheReferences(DType type) throws IOException {
        Golden golden = Golden.read(GOLDEN);
        List<float[]> weights = golden.rows("weights");
        List<float[]> ours = roundTrip(type, weights);
        List<float[]> theirs = golden.rows(type.name());
        int size = type.blockElements();
        for (int row = 0; row < weights.size(); row++) {
            for (int from = 0; from < weights.get(row).length; from += size) {
                int to = from + size;
                assertThat(error(weights.get(row), ours.get(row), from, to))
                        .as("%s, row %d, block at %d", type, row, from)
                        .isLessThanOrEqualTo(
                                DIGITS * error(weights.get(row), theirs.get(row), from, to));
            }
        }
    }

    /** The last rows have nothing but one number, or what the reference gives without error. */
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"Q4_K", "Q6_K"})
    void superBlocksAreTogetherBetterThanTheReferences(DType type) throws IOException {
        Golden golden = Golden.read(GOLDEN);
        List<float[]> weights = golden.rows("weights");
        List<float[]> ours = roundTrip(type, weights);
        List<float[]> theirs = golden.rows(type.name());
        for (int[] kind : List.of(rows(0, 5), rows(5, 8), rows(8, 11), rows(11, 13))) {
            double mine = 0;
            double reference = 0;
            for (int row = kind[0]; row < kind[1]; row++) {
                int cols = weights.get(row).length;
                mine += error(weights.get(row), ours.get(row), 0, cols);
                reference += error(weights.get(row), theirs.get(row), 0, cols);
            }
            assertThat(mine).as("%s, rows from %d", type, kind[0]).isLessThan(0.99 * reference);
        }
    }

    /** What lies beside a row in the same call is not seen in its blocks. */
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"Q8_0", "Q4_0", "Q4_1", "Q4_K", "Q6_K"})
    void rowsAreRoundedAlikeAloneAndTogether(DType type) throws IOException {
        List<float[]> weights = Golden.read(GOLDEN).rows("weights");
        List<float[]> together = roundTrip(type, weights);
        for (int row = 0; row < weights.size(); row++) {
            float[] alone = roundTrip(type, weights.subList(row, row + 1)).getFirst();
            assertThat(together.get(row)).as("%s, row %d", type, row).isEqualTo(alone);
        }
    }

    private static int[] rows(int from, int to) {
        return new int[] {from, to};
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"Q8_0", "Q4_0", "Q4_1", "Q4_K", "Q6_K"})
    void nothingStaysNothingAndOneNumberNearlyItself(DType type) throws IOException {
        float[] row = new float[512];
        Arrays.fill(row, 0, 256, 0.25f);
        float[] back = roundTrip(type, List.of(row)).getFirst();
        for (int col = 0; col < row.length; col++) {
            assertThat((double) back[col]).isBetween(row[col] - 0.002, row[col] + 0.002);
        }
        assertThat(back[300]).isZero();
    }

    /**
     * Spreads that are nothing beside an offset, numbers at the ends of F16, and the least of F32.
     */
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"Q8_0", "Q4_0", "Q4_1", "Q4_K", "Q6_K"})
    void extremesStayNearWhatTheyWere(DType type) {
        List<float[]> rows = new ArrayList<>();
        for (float base : new float[] {65_000, -65_000, 0, 1e-7f, Float.MIN_VALUE}) {
            for (float spread : new float[] {0, 1e-3f, 500, Float.MIN_VALUE}) {
                float[] row = new float[256];
                for (int i = 0; i < row.length; i++) {
                    row[i] = base + spread * (i % 7 - 3) / 3;
                }
                rows.add(row);
            }
        }
        List<float[]> back = roundTrip(type, rows);
        for (int row = 0; row < rows.size(); row++) {
            double most = 0;
            for (float x : rows.get(row)) {
                most = Math.max(most, Math.abs(x));
            }
            for (int i = 0; i < 256; i++) {
                assertThat((double) back.get(row)[i])
                        .as("%s, row %d, weight %d", type, row, i)
                        .isCloseTo(rows.get(row)[i], within(allowed(type, most)));
            }
        }
    }

    /**
     * Somewhat more than half a step of the type. F16's least number is 2^-24: where scales are
     * that small, each is off by up to half of it, times the largest number that it multiplies; but
     * never by more than the row's largest weight, since nothing is an answer too.
     */
    private static double allowed(DType type, double most) {
        double scales = Math.min(most, 0x1p-25 * largestNumber(type));
        return switch (type) {
            case Q8_0 -> most / 200 + scales;
            case Q6_K -> most / 40 + scales;
            default -> most / 8 + scales;
        };
    }

    /** What a block's scale in F16 multiplies at most; in super-blocks, with the scale in it. */
    private static int largestNumber(DType type) {
        return switch (type) {
            case Q8_0 -> 127;
            case Q4_0 -> 8;
            case Q4_1 -> 15;
            case Q4_K -> 63 * 15;
            case Q6_K -> 128 * 32;
            default -> throw new IllegalArgumentException("no blocks of " + type);
        };
    }

    @Test
    void weightsThatAreNoNumbersOrTooLargeAreRefusedByPlace() {
        float[] row = new float[256];
        row[77] = Float.NaN;
        assertThatEncoding(row).hasMessageContaining("\"w\"").hasMessageContaining("[3, 77]");
        row[77] = 1e6f;
        assertThatEncoding(row).hasMessageContaining("1000000").hasMessageContaining("[3, 77]");
    }

    private static AbstractThrowableAssert<?, ? extends Throwable> assertThatEncoding(float[] row) {
        MemorySegment out = MemorySegment.ofArray(new byte[1024]);
        return assertThatThrownBy(
                () -> new BlockEncoder("w", DType.Q4_K, 256).encode(_ -> 3, 1, row, out, 0));
    }

    /** Encoded, and read as the kernels read it. */
    private static List<float[]> roundTrip(DType type, List<float[]> weights) {
        int rows = weights.size();
        int cols = weights.getFirst().length;
        byte[] blocks = new byte[Math.toIntExact(rows * type.rowBytes(cols))];
        BlockEncoder encoder = new BlockEncoder("w", type, cols);
        float[] all = new float[rows * cols];
        for (int row = 0; row < rows; row++) {
            System.arraycopy(weights.get(row), 0, all, row * cols, cols);
        }
        encoder.encode(row -> row, rows, all, MemorySegment.ofArray(blocks), 0);
        MemorySegment numbers =
                MemorySegment.ofArray(new byte[(int) BandMatrix.numberBytes(type, rows, cols)]);
        MemorySegment scales =
                MemorySegment.ofArray(new byte[(int) BandMatrix.scaleBytes(type, rows, cols)]);
        new BandPacker(
                        "w",
                        type,
                        rows,
                        cols,
                        MemorySegment.ofArray(blocks),
                        IntUnaryOperator.identity())
                .pack(0, BandMatrix.bands(rows), numbers, scales);
        BandMatrix matrix = new BandMatrix("w", type, rows, cols, numbers, scales);
        List<float[]> back = new ArrayList<>();
        for (int row = 0; row < rows; row++) {
            float[] one = new float[cols];
            for (int col = 0; col < cols; col++) {
                one[col] = matrix.weight(row, col);
            }
            back.add(one);
        }
        return back;
    }

    private static double error(float[] weights, float[] rounded, int from, int to) {
        double sum = 0;
        for (int i = from; i < to; i++) {
            double miss = (double) weights[i] - rounded[i];
            sum += miss * miss;
        }
        return sum;
    }
}
