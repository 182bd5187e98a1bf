package dev.flagship.testing;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.KvRows;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.RopeTable;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The scalar rung against textbook formulas in doubles, within the rounding that its order of
 * operations allows. All other rungs are held to its bits, so this is where numbers are right or
 * wrong.
 */
class ScalarKernelsAccuracyTest {
    private static final double ULP = 0x1p-23;

    /** Of ggml's ggml-common.h, kvalues_iq4nl. */
    private static final List<Integer> NON_LINEAR =
            List.of(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);

    /** Of the Microscaling specification. */
    private static final List<Double> E2M1 = List.of(0., 0.5, 1., 1.5, 2., 3., 4., 6.);

    private final Seed seed = Seed.given();
    private final Random random = seed.random();
    private final GuardedMemory memory = new GuardedMemory(16 << 20, random);
    private final Kernels kernels = new ScalarKernels(new SerialTeam());

    @AfterEach
    void close() {
        memory.verifyWalls(seed.toString());
        memory.close();
    }

    private Tensor numbers(int rows, int width, double scale) {
        Tensor x = memory.tensor(rows, width);
        for (int row = 0; row < rows; row++) {
            for (int i = 0; i < width; i++) {
                x.set(row, i, (float) (random.nextGaussian() * scale));
            }
        }
        return x;
    }

    /** Weights as the formulas of ggml's blocks give them, straight from the source. */
    private static double[] dequantised(DType type, byte[] source, int count) {
        ByteBuffer b = ByteBuffer.wrap(source).order(ByteOrder.LITTLE_ENDIAN);
        double[] w = new double[count];
        for (int i = 0; i < count; i++) {
            int at = i / type.blockElements() * type.blockBytes();
            int in = i % type.blockElements();
            w[i] =
                    switch (type) {
                        case F32 -> b.getFloat(at);
                        case F16 -> Float.float16ToFloat(b.getShort(at));
                        case BF16 -> Float.intBitsToFloat(b.getShort(at) << 16);
                        case Q8_0 -> half(b, at) * b.get(at + 2 + in);
                        case Q4_0 -> half(b, at) * (nibble(b, at + 2, in) - 8);
                        case Q4_1 -> half(b, at) * nibble(b, at + 4, in) + half(b, at + 2);
                        case Q4_K -> superWithMinimum(b, at, in, at + 16, 0);
                        case Q6_K -> sixBitSuper(b, at, in);
                        case Q5_0 ->
                                half(b, at)
                                        * (nibble(b, at + 6, in) + 16 * bit(b, at + 2, in) - 16);
                        case Q5_1 ->
                                half(b, at) * (nibble(b, at + 8, in) + 16 * bit(b, at + 4, in))
                                        + half(b, at + 2);
                        case IQ4_NL -> half(b, at) * NON_LINEAR.get(nibble(b, at + 2, in));
                        case MXFP4 -> {
                            int code = nibble(b, at + 1, in);
                            double magnitude = E2M1.get(code % 8);
                            yield Math.scalb(code < 8 ? magnitude : -magnitude, b.get(at) - 127);
                        }
                        case Q2_K -> {
                            int both = b.get(at + in / 16) & 0xFF;
                            int minimum = both / 16;
                            yield half(b, at + 80) * (both % 16) * pair(b, at + 16, in)
                                    - half(b, at + 82) * minimum;
                        }
                        case Q3_K -> {
                            int group = in / 16;
                            int low = (b.get(at + 96 + group % 8) & 0xFF) >> group / 8 * 4;
                            int high = (b.get(at + 104 + group % 4) & 0xFF) >> group / 4 * 2;
                            int third = (b.get(at + in % 32) & 0xFF) >> in / 32;
                            yield half(b, at + 108)
                                    * (low % 16 + high % 4 * 16 - 32)
                                    * (pair(b, at + 32, in) + third % 2 * 4 - 4);
                        }
                        case Q5_K -> {
                            int fifth = (b.get(at + 16 + in % 32) & 0xFF) >> in / 32 & 1;
                            yield superWithMinimum(b, at, in, at + 48, 16 * fifth);
                        }
                        case IQ4_XS -> {
                            int group = in / 32;
                            int low = (b.get(at + 4 + group / 2) & 0xFF) >> group % 2 * 4;
                            int high = (b.getShort(at + 2) & 0xFFFF) >> 2 * group;
                            yield half(b, at)
                                    * (low % 16 + high % 4 * 16 - 32)
                                    * NON_LINEAR.get(nibble(b, at + 8 + group * 16, in % 32));
                        }
                        case IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S, IQ1_S, IQ1_M ->
                                throw new IllegalArgumentException(type + " has a codebook");
                    };
        }
        return w;
    }

    private static double superWithMinimum(ByteBuffer b, int at, int i, int nibbles, int more) {
        int group = i / 32;
        int pair = b.get(nibbles + group / 2 * 32 + i % 32) & 0xFF;
        int q = (group % 2 == 0 ? pair % 16 : pair / 16) + more;
        int scale = b.get(at + 4 + group % 4) & 0xFF;
        int minimum = b.get(at + 8 + group % 4) & 0xFF;
        int last = b.get(at + 12 + group % 4) & 0xFF;
        int s = group < 4 ? scale % 64 : last % 16 + scale / 64 * 16;
        int m = group < 4 ? minimum % 64 : last / 16 + minimum / 64 * 16;
        return half(b, at) * s * q - half(b, at + 2) * m;
    }

    private static double sixBitSuper(ByteBuffer b, int at, int i) {
        int low = b.get(at + i / 128 * 64 + i % 64) & 0xFF;
        int pairs = b.get(at + 128 + i / 128 * 32 + i % 32) & 0xFF;
        int q = (i % 128 < 64 ? low % 16 : low / 16) + (pairs >> i % 128 / 32 * 2) % 4 * 16;
        return half(b, at + 208) * b.get(at + 192 + i / 16) * (q - 32);
    }

    private static double half(ByteBuffer b, int at) {
        return Float.float16ToFloat(b.getShort(at));
    }

    private static int bit(ByteBuffer b, int at, int i) {
        return b.getInt(at) >>> i & 1;
    }

    private static int pair(ByteBuffer b, int at, int i) {
        return (b.get(at + i / 128 * 32 + i % 32) & 0xFF) >> i % 128 / 32 * 2 & 3;
    }

    private static int nibble(ByteBuffer b, int at, int i) {
        int pair = b.get(at + i % 16) & 0xFF;
        return i < 16 ? pair & 15 : pair >> 4;
    }

    private static int cols(DType type) {
        return type.superBlocks() ? 256 : 288;
    }

    /** Weights that {@link BlocksGoldenTest} compares with the reference's. */
    private static double[] unpacked(BandMatrix w) {
        double[] weights = new double[w.rows() * w.cols()];
        Arrays.setAll(weights, i -> w.weight(i / w.cols(), i % w.cols()));
        return weights;
    }

    /** Largest error of a product, as a share of Σ|w·x|. */
    private double productError(DType type, Tensor x, int rows, Numerics numerics) {
        int cols = x.rowSize();
        byte[] source = SourceBlocks.random(type, rows * cols, SourceBlocks.Kind.USUAL, random);
        BandMatrix w = memory.matrix("w", type, rows, cols, source);
        double[] weights = type.named() ? unpacked(w) : dequantised(type, source, rows * cols);
        Tensor out = memory.tensor(x.rows(), rows);
        kernels.project(x, List.of(w), List.of(out), numerics);
        double worst = 0;
        for (int n = 0; n < x.rows(); n++) {
            for (int output = 0; output < rows; output++) {
                double sum = 0;
                double absolute = 0;
                for (int k = 0; k < cols; k++) {
                    double product = weights[output * cols + k] * x.get(n, k);
                    sum += product;
                    absolute += Math.abs(product);
                }
                worst = Math.max(worst, Math.abs(out.get(n, output) - sum) / absolute);
                assertThat(out.get(n, output)).isFinite();
            }
        }
        return worst;
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void exactProductsErrOnlyByRounding(DType type) {
        Tensor x = numbers(3, cols(type), 1);
        double error = productError(type, x, 33, Numerics.EXACT);
        assertThat(error).as("%s", seed).isLessThan(288 * ULP / 2);
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void int8ErrorIsWithinOnePercentOfTheAbsoluteSum(DType type) {
        int cols = cols(type);
        for (double scale : new double[] {1e-3, 1, 1e5}) {
            Tensor x = numbers(3, cols, scale);
            assertThat(productError(type, x, 33, Numerics.FAST)).as("%s", seed).isLessThan(0.01);
        }
        Tensor cancelling = numbers(2, cols, 1);
        for (int k = 1; k < cols; k += 2) {
            cancelling.set(0, k, -cancelling.get(0, k - 1));
        }
        assertThat(productError(type, cancelling, 33, Numerics.FAST))
                .as("%s", seed)
                .isLessThan(0.01);
    }

    @Test
    void normsHaveUnitMeanSquare() {
        Tensor x = numbers(2, 100, 3);
        Tensor weight = numbers(1, 100, 1);
        Tensor out = memory.tensor(2, 100);
        kernels.rmsNorm(x, weight, 1e-5f, out);
        for (int row = 0; row < 2; row++) {
            double squares = 0;
            for (int i = 0; i < 100; i++) {
                squares += (double) x.get(row, i) * x.get(row, i);
            }
            double inverse = 1 / Math.sqrt(squares / 100 + 1e-5);
            for (int i = 0; i < 100; i++) {
                double expected = x.get(row, i) * inverse * weight.get(0, i);
                assertThat((double) out.get(row, i))
                        .isCloseTo(expected, within(1e-6 * Math.abs(expected)));
            }
        }
    }

    @Test
    void layerNormIsTheFormula() {
        Tensor x = numbers(2, 100, 3);
        for (int i = 0; i < 100; i++) {
            x.set(1, i, x.get(1, i) + 50); // a mean that matters
        }
        Tensor weight = numbers(1, 100, 1);
        Tensor bias = numbers(1, 100, 1);
        Tensor out = memory.tensor(2, 100);
        kernels.layerNorm(x, weight, bias, 1e-5f, out);
        for (int row = 0; row < 2; row++) {
            double mean = 0;
            for (int i = 0; i < 100; i++) {
                mean += x.get(row, i) / 100.0;
            }
            double squares = 0;
            for (int i = 0; i < 100; i++) {
                squares += (x.get(row, i) - mean) * (x.get(row, i) - mean);
            }
            double inverse = 1 / Math.sqrt(squares / 100 + 1e-5);
            for (int i = 0; i < 100; i++) {
                double expected =
                        (x.get(row, i) - mean) * inverse * weight.get(0, i) + bias.get(0, i);
                assertThat((double) out.get(row, i)).isCloseTo(expected, within(2e-5));
            }
        }
    }

    @Test
    void rotationsTurnHalvesOfEachHead() {
        float[] frequencies = {1f, 0.1f, 0.01f};
        RopeTable table = new RopeTable(frequencies);
        table.ensure(100);
        Tensor x = numbers(2, 12, 1);
        Tensor before = memory.copy(x);
        int[] positions = {0, 77};
        kernels.rope(x.split(2, 6), table, positions);
        for (int row = 0; row < 2; row++) {
            for (int head = 0; head < 2; head++) {
                for (int i = 0; i < 3; i++) {
                    double angle = positions[row] * (double) frequencies[i];
                    double a = before.get(row, head * 6 + i);
                    double b = before.get(row, head * 6 + i + 3);
                    assertThat((double) x.get(row, head * 6 + i))
                            .isCloseTo(a * Math.cos(angle) - b * Math.sin(angle), within(1e-5));
                    assertThat((double) x.get(row, head * 6 + i + 3))
                            .isCloseTo(b * Math.cos(angle) + a * Math.sin(angle), within(1e-5));
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "F16", "Q8_0"})
    void attentionIsSoftmaxOverThePast(DType type) {
        int kvHeads = 2;
        int group = 3;
        int size = type == DType.Q8_0 ? 64 : 20;
        double tolerance =
                switch (type) {
                    case F32 -> 2e-6;
                    case F16 -> 3e-3;
                    default -> 2.5e-2; // half a step is 1/254 of the largest of 32, of all below 5
                };
        int heads = kvHeads * group;
        KvLayout layout = new KvLayout(2, kvHeads, size, type);
        for (int last : new int[] {0, 15, 16, 63, 64, 511, 512, 700}) {
            int pages = last / KvLayout.PAGE + 1;
            int[] table = new int[pages];
            for (int i = 0; i < pages; i++) {
                table[i] = pages - 1 - i;
            }
            KvRows all = new KvRows(layout, memory.take(pages * layout.pageBytes()));
            for (int p = 0; p <= last; p++) {
                all.add(table, p);
            }
            Tensor keys = numbers(last + 1, kvHeads * size, 1);
            Tensor values = numbers(last + 1, kvHeads * size, 1);
            kernels.append(all, 1, keys, values);
            KvRows one = new KvRows(layout, all.pool());
            one.add(table, last);
            Tensor q = numbers(1, heads * size, 1);
            Tensor out = memory.tensor(1, heads * size);
            kernels.attend(one, 1, q.split(heads, size), out);
            for (int head = 0; head < heads; head++) {
                int from = head / group * size;
                double[] expected = softmax(q, head * size, keys, values, from, size);
                for (int d = 0; d < size; d++) {
                    assertThat((double) out.get(0, head * size + d))
                            .as("%s, position %d, head %d, %s", type, last, head, seed)
                            .isCloseTo(expected[d], within(tolerance));
                }
            }
            memory.reset(seed.toString());
        }
    }

    /** Two groups of 32 whose largest numbers are 127 and 254, so that all is exact. */
    @Test
    void aTokenLiesInEightBitPagesWhereTheLayoutSays() {
        KvLayout layout = new KvLayout(1, 2, 64, DType.Q8_0);
        int slot = 5;
        KvRows rows = new KvRows(layout, memory.take(2 * layout.pageBytes()));
        rows.add(new int[] {0, 1}, 16 + slot);
        Tensor keys = memory.tensor(1, 128);
        Tensor values = memory.tensor(1, 128);
        for (int i = 0; i < 128; i++) {
            int step = i / 32 % 2 + 1;
            keys.set(0, i, step * (127 - i));
            values.set(0, i, step * (i - 127));
        }
        for (int head = 0; head < 2; head++) { // one in each group that gives its scale
            keys.set(0, head * 64, 127);
            keys.set(0, head * 64 + 32, 254);
            values.set(0, head * 64, -127);
            values.set(0, head * 64 + 32, -254);
        }
        kernels.append(rows, 0, keys, values);
        for (int head = 0; head < 2; head++) {
            long k = layout.keys(1, 0, head);
            long v = layout.values(1, 0, head);
            for (int d = 0; d < 64; d++) {
                int step = d / 32 + 1;
                assertThat((float) rows.pool().get(JAVA_BYTE, k + d * 16L + slot) * step)
                        .isEqualTo(keys.get(0, head * 64 + d));
                assertThat((float) rows.pool().get(JAVA_BYTE, v + slot * 64L + d) * step)
                        .isEqualTo(values.get(0, head * 64 + d));
            }
            for (int group = 0; group < 2; group++) {
                short scale = Float.floatToFloat16(group + 1f);
                long key = k + 64 * 16 + 2L * (group * 16 + slot);
                long value = v + 64 * 16 + 2L * (slot * 2 + group);
                assertThat(rows.pool().get(JAVA_SHORT_UNALIGNED, key)).isEqualTo(scale);
                assertThat(rows.pool().get(JAVA_SHORT_UNALIGNED, value)).isEqualTo(scale);
            }
        }
    }

    /**
     * Neither an infinity nor a number that was cut: 8.4 million is above what a scale can tell.
     */
    @ParameterizedTest
    @ValueSource(floats = {8.4e6f, Float.POSITIVE_INFINITY, Float.NaN})
    void whatNoScaleHoldsMakesItsGroupNanAndNoOther(float value) {
        KvLayout layout = new KvLayout(1, 1, 64, DType.Q8_0);
        KvRows rows = new KvRows(layout, memory.take(layout.pageBytes()));
        int[] table = {0};
        rows.add(table, 0);
        rows.add(table, 1);
        Tensor keys = numbers(2, 64, 1);
        Tensor values = numbers(2, 64, 1);
        values.set(1, 40, value);
        kernels.append(rows, 0, keys, values);
        Tensor out = memory.tensor(2, 64);
        kernels.attend(rows, 0, numbers(2, 64, 1).split(1, 64), out);
        for (int d = 0; d < 64; d++) {
            assertThat(out.get(0, d)).isFinite();
            assertThat(Float.isNaN(out.get(1, d))).as("dimension %d", d).isEqualTo(d >= 32);
        }
    }

    private static double[] softmax(
            Tensor q, int queryFrom, Tensor keys, Tensor values, int from, int size) {
        double[] weights = new double[keys.rows()];
        double sum = 0;
        for (int t = 0; t < weights.length; t++) {
            double dot = 0;
            for (int d = 0; d < size; d++) {
                dot += (double) q.get(0, queryFrom + d) * keys.get(t, from + d);
            }
            weights[t] = Math.exp(dot / Math.sqrt(size));
            sum += weights[t];
        }
        double[] result = new double[size];
        for (int t = 0; t < weights.length; t++) {
            for (int d = 0; d < size; d++) {
                result[d] += weights[t] / sum * values.get(t, from + d);
            }
        }
        return result;
    }

    @Test
    void gatesAreSiluTimesUp() {
        Tensor gate = numbers(1, 50, 4);
        Tensor up = numbers(1, 50, 1);
        Tensor out = memory.tensor(1, 50);
        kernels.swiGlu(gate, up, out);
        for (int i = 0; i < 50; i++) {
            double g = gate.get(0, i);
            double expected = g / (1 + Math.exp(-g)) * up.get(0, i);
            assertThat((double) out.get(0, i))
                    .isCloseTo(expected, within(Math.abs(expected) * 1e-6));
        }
    }

    @Test
    void softmaxSharesOutOne() {
        Tensor x = numbers(3, 100, 5);
        x.set(1, 40, 3000f);
        Tensor out = memory.tensor(3, 100);
        kernels.softmax(x, out);
        for (int row = 0; row < 3; row++) {
            double max = Double.NEGATIVE_INFINITY;
            for (int i = 0; i < 100; i++) {
                max = Math.max(max, x.get(row, i));
            }
            double sum = 0;
            for (int i = 0; i < 100; i++) {
                sum += Math.exp(x.get(row, i) - max);
            }
            for (int i = 0; i < 100; i++) {
                double expected = Math.exp(x.get(row, i) - max) / sum;
                assertThat((double) out.get(row, i))
                        .isCloseTo(expected, within(expected * 2e-6 + 1e-37));
            }
        }
    }

    @Test
    void logSumExpSurvivesLargeLogits() {
        Tensor logits = numbers(2, 1000, 30);
        logits.set(1, 500, 3000f);
        for (int row = 0; row < 2; row++) {
            double max = Double.NEGATIVE_INFINITY;
            for (int i = 0; i < 1000; i++) {
                max = Math.max(max, logits.get(row, i));
            }
            double sum = 0;
            for (int i = 0; i < 1000; i++) {
                sum += Math.exp(logits.get(row, i) - max);
            }
            assertThat((double) kernels.logSumExp(logits, row))
                    .isCloseTo(max + Math.log(sum), within(max * 2 * ULP + 1e-6));
        }
    }
}
