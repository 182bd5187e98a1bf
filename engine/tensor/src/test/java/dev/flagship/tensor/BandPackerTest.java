package dev.flagship.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.InvalidArgumentException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;
import java.util.function.IntUnaryOperator;
import org.junit.jupiter.api.Test;

/** Against a dequantiser that reads the source by ggml's formulas and knows nothing of bands. */
class BandPackerTest {
    private static final int[] ROWS = {1, 4, 15, 16, 17, 33, 100};

    /** Of ggml's ggml-common.h, kvalues_iq4nl. */
    private static final int[] NON_LINEAR = {
        -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
    };

    private final long seed = seed();
    private final Random random = new Random(seed);

    private static long seed() {
        String given = System.getProperty("tests.seed", "random");
        return given.equals("random") ? new Random().nextInt() : Long.parseLong(given);
    }

    private static int[] cols(DType type) {
        if (type.superBlocks()) {
            return new int[] {256, 768};
        }
        return type.quantized() ? new int[] {32, 64, 288} : new int[] {1, 2, 7, 32, 33, 128, 261};
    }

    /** Random bits, made finite. */
    private byte[] source(DType type, int rows, int cols) {
        byte[] bytes = new byte[(int) (rows * type.rowBytes(cols))];
        random.nextBytes(bytes);
        ByteBuffer b = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        int step = type == DType.F32 ? 4 : type.quantized() ? type.blockBytes() : 2;
        for (int at = 0; at < bytes.length; at += step) {
            switch (type) {
                case F32 -> b.putInt(at, b.getInt(at) & 0xBFFFFFFF);
                case BF16 -> b.putShort(at, (short) (b.getShort(at) & 0xBFFF));
                case MXFP4 -> b.put(at, (byte) random.nextInt(253));
                case IQ1_M -> b.put(at + 55, (byte) (b.get(at + 55) & 0xBF));
                default -> {
                    int scale = at + scaleAt(type);
                    b.putShort(scale, (short) (b.getShort(scale) & 0xBFFF));
                    if (type.hasMinimum()) {
                        b.putShort(scale + 2, (short) (b.getShort(scale + 2) & 0xBFFF));
                    }
                }
            }
        }
        return bytes;
    }

    /** Where a block has its F16 scale, and behind it a minimum. */
    private static int scaleAt(DType type) {
        return switch (type) {
            case Q2_K -> 80;
            case Q3_K -> 108;
            case Q6_K -> 208;
            default -> 0;
        };
    }

    private static float half(ByteBuffer b, int at) {
        return Float.float16ToFloat(b.getShort(at));
    }

    private static float dequantised(ByteBuffer b, DType type, int cols, int row, int col) {
        int from = (int) (row * type.rowBytes(cols));
        int block = from + col / type.blockElements() * type.blockBytes();
        int i = col % type.blockElements();
        return switch (type) {
            case F32 -> b.getFloat(block);
            case F16 -> half(b, block);
            case BF16 -> Float.intBitsToFloat(b.getShort(block) << 16);
            case Q8_0 -> half(b, block) * b.get(block + 2 + i);
            case Q4_0 -> half(b, block) * (nibble(b, block + 2, i) - 8);
            case Q4_1 ->
                    // One rounding, as a fused multiply-add has; doubles are exact here.
                    (float)
                            ((double) half(b, block) * nibble(b, block + 4, i)
                                    + half(b, block + 2));
            case Q5_0 ->
                    half(b, block) * (nibble(b, block + 6, i) + 16 * bit(b, block + 2, i) - 16);
            case Q5_1 ->
                    (float)
                            ((double) half(b, block)
                                            * (nibble(b, block + 8, i) + 16 * bit(b, block + 4, i))
                                    + half(b, block + 2));
            case IQ4_NL -> half(b, block) * NON_LINEAR[nibble(b, block + 2, i)];
            case MXFP4 -> microscaled(b.get(block) & 0xFF, nibble(b, block + 1, i));
            case Q2_K -> {
                int both = b.get(block + i / 16) & 0xFF;
                int minimum = both / 16;
                double scaled = (double) half(b, block + 80) * (both % 16);
                yield (float)
                        (scaled * pair(b, block + 16, i) - (double) half(b, block + 82) * minimum);
            }
            case Q3_K -> threeBitSuper(b, block, i);
            case IQ4_XS -> {
                int low = (b.get(block + 4 + i / 64) & 0xFF) >> i / 32 % 2 * 4;
                int high = (b.getShort(block + 2) & 0xFFFF) >> i / 32 * 2;
                yield half(b, block)
                        * (low % 16 + high % 4 * 16 - 32)
                        * NON_LINEAR[nibble(b, block + 8 + i / 32 * 16, i % 32)];
            }
            case Q4_K -> superWithMinimum(b, block, block + 16, 0, i);
            case Q5_K -> {
                int fifth = (b.get(block + 16 + i % 32) & 0xFF) >> i / 32;
                yield superWithMinimum(b, block, block + 48, fifth % 2 * 16, i);
            }
            case Q6_K -> sixBitSuper(b, block, i);
            case IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S, IQ1_S, IQ1_M ->
                    throw new IllegalArgumentException(type + " has a codebook");
        };
    }

    /** Eight levels and their negatives: a bit of mantissa, two of exponent, the sign. */
    private static float microscaled(int exponent, int code) {
        double magnitude =
                code % 8 < 2 ? code % 8 * 0.5 : Math.scalb(1 + code % 2 * 0.5, code % 8 / 2 - 1);
        return (float)
                Math.scalb(code < 8 || magnitude == 0 ? magnitude : -magnitude, exponent - 127);
    }

    private static float threeBitSuper(ByteBuffer b, int at, int i) {
        int group = i / 16;
        int low = (b.get(at + 96 + group % 8) & 0xFF) >> group / 8 * 4;
        int high = (b.get(at + 104 + group % 4) & 0xFF) >> group / 4 * 2;
        int third = (b.get(at + i % 32) & 0xFF) >> i / 32;
        return half(b, at + 108)
                * (low % 16 + high % 4 * 16 - 32)
                * (pair(b, at + 32, i) + third % 2 * 4 - 4);
    }

    private static int bit(ByteBuffer b, int at, int i) {
        return b.getInt(at) >>> i & 1;
    }

    private static int pair(ByteBuffer b, int at, int i) {
        return (b.get(at + i / 128 * 32 + i % 32) & 0xFF) >> i % 128 / 32 * 2 & 3;
    }

    private static float superWithMinimum(ByteBuffer b, int at, int nibbles, int more, int i) {
        int group = i / 32;
        int pair = b.get(nibbles + group / 2 * 32 + i % 32) & 0xFF;
        int q = (group % 2 == 0 ? pair % 16 : pair / 16) + more;
        int scale = b.get(at + 4 + group % 4) & 0xFF;
        int minimum = b.get(at + 8 + group % 4) & 0xFF;
        int last = b.get(at + 12 + group % 4) & 0xFF;
        int s = group < 4 ? scale % 64 : last % 16 + scale / 64 * 16;
        int m = group < 4 ? minimum % 64 : last / 16 + minimum / 64 * 16;
        return (float) ((double) half(b, at) * s * q - (double) half(b, at + 2) * m);
    }

    private static float sixBitSuper(ByteBuffer b, int at, int i) {
        int low = b.get(at + i / 128 * 64 + i % 64) & 0xFF;
        int pairs = b.get(at + 128 + i / 128 * 32 + i % 32) & 0xFF;
        int q = (i % 128 < 64 ? low % 16 : low / 16) + (pairs >> i % 128 / 32 * 2) % 4 * 16;
        return half(b, at + 208) * b.get(at + 192 + i / 16) * (q - 32);
    }

    private static int nibble(ByteBuffer b, int at, int i) {
        int pair = b.get(at + i % 16) & 0xFF;
        return i < 16 ? pair % 16 : pair / 16;
    }

    private static BandMatrix pack(
            DType type, int rows, int cols, byte[] source, IntUnaryOperator order) {
        MemorySegment numbers =
                MemorySegment.ofArray(new byte[(int) BandMatrix.numberBytes(type, rows, cols)]);
        MemorySegment scales =
                MemorySegment.ofArray(new byte[(int) BandMatrix.scaleBytes(type, rows, cols)]);
        BandPacker packer =
                new BandPacker("w", type, rows, cols, MemorySegment.ofArray(source), order);
        int bands = BandMatrix.bands(rows);
        int half = bands / 2; // ranges may come in any order
        packer.pack(
                half,
                bands,
                numbers.asSlice(half * BandMatrix.bandBytes(type, cols)),
                scales.asSlice(half * BandMatrix.bandScaleBytes(type, cols)));
        packer.pack(0, half, numbers, scales);
        return new BandMatrix("w", type, rows, cols, numbers, scales);
    }

    /** Types with codebooks are compared with the reference's own in quality/testing. */
    @Test
    void everyWeightComesBackAsTheFormulaHasIt() {
        for (DType type : DType.values()) {
            if (type.named()) {
                continue;
            }
            for (int rows : ROWS) {
                for (int cols : cols(type)) {
                    byte[] source = source(type, rows, cols);
                    IntUnaryOperator order = row -> rows - 1 - row;
                    BandMatrix w = pack(type, rows, cols, source, order);
                    ByteBuffer b = ByteBuffer.wrap(source).order(ByteOrder.LITTLE_ENDIAN);
                    for (int row = 0; row < rows; row++) {
                        for (int col = 0; col < cols; col++) {
                            float expected = dequantised(b, type, cols, rows - 1 - row, col);
                            assertThat(Float.floatToIntBits(w.weight(row, col)))
                                    .as("%s [%d, %d], seed %d", type, row, col, seed)
                                    .isEqualTo(Float.floatToIntBits(expected));
                        }
                    }
                }
            }
        }
    }

    @Test
    void quantsScalesAndMinimaComeApart() {
        for (DType type : new DType[] {DType.Q8_0, DType.Q4_0, DType.Q4_1}) {
            byte[] source = source(type, 33, 64);
            BandMatrix w = pack(type, 33, 64, source, IntUnaryOperator.identity());
            ByteBuffer b = ByteBuffer.wrap(source).order(ByteOrder.LITTLE_ENDIAN);
            for (int row = 0; row < 33; row++) {
                for (int block = 0; block < 2; block++) {
                    int at = (row * 2 + block) * type.blockBytes();
                    assertThat(w.scale(row, block)).isEqualTo(half(b, at));
                    if (type == DType.Q4_1) {
                        assertThat(w.min(row, block)).isEqualTo(half(b, at + 2));
                    }
                    for (int i = 0; i < 32; i++) {
                        int expected =
                                switch (type) {
                                    case Q8_0 -> b.get(at + 2 + i);
                                    case Q4_0 -> nibble(b, at + 2, i) - 8;
                                    default -> nibble(b, at + 4, i);
                                };
                        assertThat(w.quant(row, block * 32 + i)).isEqualTo(expected);
                    }
                }
            }
        }
    }

    @Test
    void paddingRowsStayZero() {
        for (DType type : DType.values()) {
            int cols = type.superBlocks() ? 256 : 64;
            int bands = 2;
            BandMatrix w =
                    pack(type, 17, cols, source(type, 17, cols), IntUnaryOperator.identity());
            // The same planes seen as if all 32 rows were there.
            BandMatrix whole = new BandMatrix("w", type, bands * 16, cols, w.numbers(), w.scales());
            for (int row = 17; row < 32; row++) {
                for (int col = 0; col < cols; col++) {
                    assertThat(Math.abs(whole.weight(row, col))).isZero();
                }
            }
        }
    }

    @Test
    void theLayoutIsTheOneDocumented() {
        byte[] source = source(DType.Q8_0, 16, 32);
        BandMatrix eight = pack(DType.Q8_0, 16, 32, source, IntUnaryOperator.identity());
        // Row 3, column 6: second line, lane 3, third byte, + 128.
        assertThat(eight.numbers().get(ValueLayout.JAVA_BYTE, 64 + 3 * 4 + 2) & 0xFF)
                .isEqualTo(source[3 * 34 + 2 + 6] + 128);
        source = source(DType.Q4_0, 16, 32);
        BandMatrix four = pack(DType.Q4_0, 16, 32, source, IntUnaryOperator.identity());
        // Row 5, columns 9 and 13 share a byte of the second line.
        int pair = four.numbers().get(ValueLayout.JAVA_BYTE, 64 + 5 * 4 + 1) & 0xFF;
        ByteBuffer b = ByteBuffer.wrap(source);
        assertThat(pair & 15).isEqualTo(nibble(b, 5 * 18 + 2, 9));
        assertThat(pair >> 4).isEqualTo(nibble(b, 5 * 18 + 2, 13));
        assertThat(eight.byteSize()).isEqualTo(16 * 34);
        assertThat(four.byteSize()).isEqualTo(16 * 18);
    }

    @Test
    void nonFiniteWeightsAreRefusedByNameAndPlace() {
        for (DType type : DType.values()) {
            for (int bad : new int[] {0, 1}) {
                if (bad == 1 && !type.hasMinimum()) {
                    continue;
                }
                int column = type.superBlocks() ? 256 : 32;
                byte[] source = source(type, 20, 2 * column);
                ByteBuffer b = ByteBuffer.wrap(source).order(ByteOrder.LITTLE_ENDIAN);
                int at =
                        (int) (18 * type.rowBytes(2L * column))
                                + column / type.blockElements() * type.blockBytes();
                switch (type) {
                    case MXFP4 -> b.put(at, (byte) 253);
                    case IQ1_M -> { // 0xFC00, four bits at a time
                        b.put(at + 53, (byte) 0xC0);
                        b.put(at + 55, (byte) 0xF0);
                    }
                    case F32 -> b.putFloat(at, Float.NaN);
                    case BF16 -> b.putShort(at, (short) 0xFF80);
                    default -> b.putShort(at + scaleAt(type) + bad * 2, (short) 0xFC00);
                }
                IntUnaryOperator order = IntUnaryOperator.identity();
                assertThatThrownBy(() -> pack(type, 20, 2 * column, source, order))
                        .isInstanceOf(BandPacker.NonFiniteWeightException.class)
                        .hasMessageContaining("Tensor \"w\" ")
                        .hasMessageContaining("[18, " + column + "]");
            }
        }
    }

    @Test
    void nonFinitePlainWeightsAreFoundInEveryColumn() {
        int cols = 131;
        for (DType type : new DType[] {DType.F32, DType.F16, DType.BF16}) {
            for (int bad = 0; bad < cols; bad++) {
                byte[] source = source(type, 17, cols);
                ByteBuffer b = ByteBuffer.wrap(source).order(ByteOrder.LITTLE_ENDIAN);
                int at = (int) (16 * type.rowBytes(cols) + bad * type.rowBytes(1));
                switch (type) {
                    case F32 -> b.putInt(at, 0xFF800000);
                    case F16 -> b.putShort(at, (short) 0x7C01);
                    default -> b.putShort(at, (short) 0x7F80);
                }
                IntUnaryOperator order = IntUnaryOperator.identity();
                assertThatThrownBy(() -> pack(type, 17, cols, source, order))
                        .as("%s, seed %d", type, seed)
                        .isInstanceOf(BandPacker.NonFiniteWeightException.class)
                        .hasMessageContaining("[16, " + bad + "]");
            }
        }
    }

    @Test
    void hostileNamesAreQuotedInMessages() {
        String name = "w\n2026 INFO fine\u001b[2J".concat("n".repeat(500));
        MemorySegment nan = MemorySegment.ofArray(new byte[] {0, 0, (byte) 0xC0, 0x7F});
        MemorySegment plane = MemorySegment.ofArray(new byte[64]);
        MemorySegment none = MemorySegment.ofArray(new byte[0]);
        IntUnaryOperator same = IntUnaryOperator.identity();
        String quoted = "\"w\\u000a2026 INFO fine\\u001b[2Jnnn";
        assertThatThrownBy(() ->
                        new BandPacker(name, DType.F32, 1, 1, nan, same).pack(0, 1, plane, none))
                .isInstanceOf(BandPacker.NonFiniteWeightException.class)
                .hasMessageContaining(quoted)
                .hasMessageNotContainingAny(name);
        assertThatThrownBy(() -> new BandMatrix(name, DType.F32, 16, 2, plane, none))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining(quoted)
                .hasMessageNotContainingAny(name);
    }

    @Test
    void planesOfTheWrongSizeAreRefused() {
        MemorySegment some = MemorySegment.ofArray(new byte[64]);
        MemorySegment none = MemorySegment.ofArray(new byte[0]);
        assertThatThrownBy(() -> new BandMatrix("w", DType.F32, 16, 2, some, none))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("matrix \"w\" [16, 2]");
        assertThatThrownBy(() -> new BandMatrix("w", DType.Q8_0, 16, 33, some, none))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("33");
    }
}
