package dev.flagship.testing;

import dev.flagship.tensor.DType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;

/** Row-major weights as a model file holds them (see {@link DType}), made for tests. */
public final class SourceBlocks {
    private static final int BLOCK = 32;

    private SourceBlocks() {}

    private static byte[] bytes(DType type, int elements) {
        return new byte[Math.toIntExact(type.rowBytes(elements))];
    }

    /**
     * Encodes numbers; of block types the scale is the one that fits the largest number.
     *
     * @param values for block types a multiple of the block
     */
    public static byte[] encode(DType type, float[] values) {
        byte[] bytes = bytes(type, values.length);
        ByteBuffer out = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        for (int from = 0; from < values.length; from += type.blockElements()) {
            switch (type) {
                case F32 -> out.putFloat(values[from]);
                case F16 -> out.putShort(Float.floatToFloat16(values[from]));
                case BF16 -> out.putShort(bfloat16(values[from]));
                case Q8_0 -> eightBit(values, from, out);
                case Q4_0 -> fourBit(values, from, out);
                case Q4_1 -> fourBitWithMinimum(values, from, out);
                case Q4_K -> fourBitSuper(values, from, out);
                case Q6_K -> sixBitSuper(values, from, out);
            }
        }
        return bytes;
    }

    /** Rounds to nearest, ties to even; finite numbers only. */
    private static short bfloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        return (short) ((bits + 0x7FFF + (bits >>> 16 & 1)) >>> 16);
    }

    private static float stored(ByteBuffer out, float scale) {
        short half = Float.floatToFloat16(scale);
        out.putShort(half);
        return Float.float16ToFloat(half);
    }

    private static void eightBit(float[] values, int from, ByteBuffer out) {
        float largest = 0;
        for (int i = from; i < from + BLOCK; i++) {
            largest = Math.max(largest, Math.abs(values[i]));
        }
        float d = stored(out, largest / 127);
        for (int i = from; i < from + BLOCK; i++) {
            out.put((byte) quant(values[i], 0, d, -127, 127));
        }
    }

    private static void fourBit(float[] values, int from, ByteBuffer out) {
        float largest = 0;
        for (int i = from; i < from + BLOCK; i++) {
            largest = Math.abs(values[i]) > Math.abs(largest) ? values[i] : largest;
        }
        float d = stored(out, largest / -8);
        for (int i = from; i < from + BLOCK / 2; i++) {
            int low = quant(values[i], 0, d, -8, 7) + 8;
            int high = quant(values[i + BLOCK / 2], 0, d, -8, 7) + 8;
            out.put((byte) (low | high << 4));
        }
    }

    private static void fourBitWithMinimum(float[] values, int from, ByteBuffer out) {
        float smallest = values[from];
        float largest = values[from];
        for (int i = from; i < from + BLOCK; i++) {
            smallest = Math.min(smallest, values[i]);
            largest = Math.max(largest, values[i]);
        }
        float d = stored(out, (largest - smallest) / 15);
        float m = stored(out, smallest);
        for (int i = from; i < from + BLOCK / 2; i++) {
            int low = quant(values[i], m, d, 0, 15);
            int high = quant(values[i + BLOCK / 2], m, d, 0, 15);
            out.put((byte) (low | high << 4));
        }
    }

    private static void fourBitSuper(float[] values, int from, ByteBuffer out) {
        float[] spans = new float[8];
        float[] depths = new float[8];
        float span = 0;
        float depth = 0;
        for (int group = 0; group < 8; group++) {
            float largest = 0;
            for (int i = from + group * BLOCK; i < from + (group + 1) * BLOCK; i++) {
                depths[group] = Math.max(depths[group], -values[i]);
                largest = Math.max(largest, values[i]);
            }
            spans[group] = largest + depths[group];
            span = Math.max(span, spans[group]);
            depth = Math.max(depth, depths[group]);
        }
        float d = stored(out, span / 15 / 63);
        float dmin = stored(out, depth / 63);
        int[] scales = new int[8];
        int[] minima = new int[8];
        byte[] packed = new byte[12];
        for (int group = 0; group < 8; group++) {
            int s = quant(spans[group] / 15, 0, d, 0, 63);
            int m = quant(depths[group], 0, dmin, 0, 63);
            scales[group] = s;
            minima[group] = m;
            if (group < 4) {
                packed[group] = (byte) s;
                packed[group + 4] = (byte) m;
            } else {
                packed[group + 4] = (byte) (s & 15 | m << 4);
                packed[group - 4] |= (byte) (s >> 4 << 6);
                packed[group] |= (byte) (m >> 4 << 6);
            }
        }
        out.put(packed);
        for (int group = 0; group < 8; group += 2) {
            for (int i = 0; i < BLOCK; i++) {
                int at = from + group * BLOCK + i;
                int next = group + 1;
                int low = quant(values[at], -dmin * minima[group], d * scales[group], 0, 15);
                int high = quant(values[at + BLOCK], -dmin * minima[next], d * scales[next], 0, 15);
                out.put((byte) (low | high << 4));
            }
        }
    }

    private static void sixBitSuper(float[] values, int from, ByteBuffer out) {
        float[] largest = new float[16];
        float most = 0;
        for (int i = 0; i < 256; i++) {
            largest[i / 16] = Math.max(largest[i / 16], Math.abs(values[from + i]));
            most = Math.max(most, Math.abs(values[from + i]));
        }
        short half = Float.floatToFloat16(most / 31 / 127);
        float d = Float.float16ToFloat(half);
        byte[] scales = new byte[16];
        int[] quants = new int[256];
        for (int i = 0; i < 256; i++) {
            scales[i / 16] = (byte) quant(largest[i / 16] / 31, 0, d, 0, 127);
            quants[i] = quant(values[from + i], 0, d * scales[i / 16], -32, 31) + 32;
        }
        for (int i = 0; i < 128; i++) {
            int at = i / 64 * 128 + i % 64;
            out.put((byte) (quants[at] & 15 | (quants[at + 64] & 15) << 4));
        }
        for (int i = 0; i < 64; i++) {
            int at = i / 32 * 128 + i % 32;
            int pairs = 0;
            for (int quarter = 0; quarter < 4; quarter++) {
                pairs |= quants[at + quarter * 32] >> 4 << 2 * quarter;
            }
            out.put((byte) pairs);
        }
        out.put(scales);
        out.putShort(half);
    }

    private static int quant(float value, float minimum, float scale, int low, int high) {
        return scale == 0 ? 0 : (int) Math.clamp(Math.rint((value - minimum) / scale), low, high);
    }

    /** What the numbers of a random matrix are like. */
    public enum Kind {
        /** As in real models. */
        USUAL,
        /**
         * Every kind of finite bits: largest and smallest quants, zero, huge and denormal scales.
         */
        EXTREME
    }

    /** Random finite weights; for block types every quant occurs. */
    public static byte[] random(DType type, int elements, Kind kind, Random random) {
        byte[] bytes = bytes(type, elements);
        ByteBuffer out = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < elements / type.blockElements(); i++) {
            switch (type) {
                case F32 -> out.putFloat(kind == Kind.USUAL ? usual(random) : extreme(random));
                case F16 ->
                        out.putShort(
                                kind == Kind.USUAL
                                        ? Float.floatToFloat16(usual(random))
                                        : finite(random, 0x7C00));
                case BF16 ->
                        out.putShort(
                                kind == Kind.USUAL
                                        ? bfloat16(usual(random))
                                        : finite(random, 0x7F80));
                case Q8_0 -> block(out, kind, random, 1, 32);
                case Q4_0 -> block(out, kind, random, 1, 16);
                case Q4_1 -> block(out, kind, random, 2, 16);
                case Q4_K -> block(out, kind, random, 2, 140);
                case Q6_K -> {
                    pattern(out, kind, random, 208);
                    scale(out, kind, random);
                }
            }
        }
        return bytes;
    }

    private static float usual(Random random) {
        return (float) random.nextGaussian() * 0.05f;
    }

    private static float extreme(Random random) {
        return switch (random.nextInt(6)) {
            case 0 -> -0f;
            case 1 -> Float.MIN_VALUE * (1 + random.nextInt(1000));
            case 2 -> (float) random.nextGaussian() * 1e30f;
            case 3 -> -Float.MAX_VALUE;
            default -> (float) random.nextGaussian();
        };
    }

    /** Any 16 bits whose exponent is not all ones. */
    private static short finite(Random random, int exponent) {
        while (true) {
            short bits = (short) random.nextInt();
            if ((bits & exponent) != exponent) {
                return bits;
            }
        }
    }

    private static void block(ByteBuffer out, Kind kind, Random random, int scales, int bytes) {
        for (int i = 0; i < scales; i++) {
            scale(out, kind, random);
        }
        pattern(out, kind, random, bytes);
    }

    private static void scale(ByteBuffer out, Kind kind, Random random) {
        float scale = usual(random);
        out.putShort(
                switch (kind == Kind.USUAL ? 0 : random.nextInt(6)) {
                    case 1 -> (short) 0;
                    case 2 -> Float.floatToFloat16(65504f);
                    case 3 -> (short) (0x8000 | random.nextInt(0x400)); // −0 and denormals
                    case 4 -> finite(random, 0x7C00);
                    default -> Float.floatToFloat16(scale);
                });
    }

    /** Quants, and the small scales of super-blocks. */
    private static void pattern(ByteBuffer out, Kind kind, Random random, int bytes) {
        int pattern = kind == Kind.USUAL ? 0 : random.nextInt(6);
        for (int i = 0; i < bytes; i++) {
            out.put(
                    (byte)
                            switch (pattern) {
                                case 1 -> 0; // smallest nibbles
                                case 2 -> 0xFF; // largest nibbles
                                case 3 -> 0x80; // −128
                                case 4 -> 0x7F; // 127
                                default -> random.nextInt();
                            });
        }
    }
}
