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
     * @throws IllegalArgumentException for types with {@link DType#named}: no one here searches
     *     their codebooks
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
                case Q4_0, Q5_0 -> offset(type.bits(), values, from, out);
                case Q4_1, Q5_1 -> withMinimum(type.bits(), values, from, out);
                case IQ4_NL -> nonLinear(values, from, out);
                case MXFP4 -> microscaled(values, from, out);
                case Q2_K -> twoBitSuper(values, from, out);
                case Q3_K -> threeBitSuper(values, from, out);
                case Q4_K, Q5_K -> superWithMinimum(type.bits(), values, from, out);
                case Q6_K -> sixBitSuper(values, from, out);
                case IQ4_XS -> nonLinearSuper(values, from, out);
                case IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S, IQ1_S, IQ1_M ->
                        throw new IllegalArgumentException(type + " is not encoded");
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

    /** The number of the largest magnitude, signed. */
    private static float largest(float[] values, int from, int count) {
        float largest = 0;
        for (int i = from; i < from + count; i++) {
            largest = Math.abs(values[i]) > Math.abs(largest) ? values[i] : largest;
        }
        return largest;
    }

    private static void offset(int bits, float[] values, int from, ByteBuffer out) {
        int half = 1 << bits - 1;
        float d = stored(out, largest(values, from, BLOCK) / -half);
        int[] quants = new int[BLOCK];
        for (int i = 0; i < BLOCK; i++) {
            quants[i] = quant(values[from + i], 0, d, -half, half - 1) + half;
        }
        bitsAndNibbles(bits, quants, out);
    }

    private static void withMinimum(int bits, float[] values, int from, ByteBuffer out) {
        float smallest = values[from];
        float largest = values[from];
        for (int i = from; i < from + BLOCK; i++) {
            smallest = Math.min(smallest, values[i]);
            largest = Math.max(largest, values[i]);
        }
        int most = (1 << bits) - 1;
        float d = stored(out, (largest - smallest) / most);
        float m = stored(out, smallest);
        int[] quants = new int[BLOCK];
        for (int i = 0; i < BLOCK; i++) {
            quants[i] = quant(values[from + i], m, d, 0, most);
        }
        bitsAndNibbles(bits, quants, out);
    }

    /** The fifth bits, if there are any, then nibbles. */
    private static void bitsAndNibbles(int bits, int[] quants, ByteBuffer out) {
        int fifth = 0;
        for (int i = 0; i < BLOCK; i++) {
            fifth |= quants[i] >> 4 << i;
        }
        if (bits == 5) {
            out.putInt(fifth);
        }
        for (int i = 0; i < BLOCK / 2; i++) {
            out.put((byte) (quants[i] & 15 | quants[i + BLOCK / 2] << 4));
        }
    }

    private static int[] nearest(DType type, float[] values, int from, float scale) {
        int[] codes = new int[BLOCK];
        for (int i = 0; i < BLOCK; i++) {
            double least = Double.POSITIVE_INFINITY;
            for (int code = 0; code < 16; code++) {
                double error = Math.abs((double) scale * type.level(code) - values[from + i]);
                if (error < least) {
                    least = error;
                    codes[i] = code;
                }
            }
        }
        return codes;
    }

    private static void nonLinear(float[] values, int from, ByteBuffer out) {
        float d = stored(out, largest(values, from, BLOCK) / -127);
        bitsAndNibbles(4, nearest(DType.IQ4_NL, values, from, d), out);
    }

    /** The exponent that makes the largest magnitude 4 to 8, of which 6 can be told. */
    private static void microscaled(float[] values, int from, ByteBuffer out) {
        float largest = Math.abs(largest(values, from, BLOCK));
        int e = largest == 0 ? 0 : Math.max(0, Math.getExponent(largest) - 2 + 127);
        out.put((byte) e);
        float scale = Math.scalb(1f, e - 128);
        bitsAndNibbles(4, nearest(DType.MXFP4, values, from, scale), out);
    }

    private static void nonLinearSuper(float[] values, int from, ByteBuffer out) {
        float[] wanted = new float[8];
        for (int group = 0; group < 8; group++) {
            wanted[group] = largest(values, from + group * BLOCK, BLOCK) / -127;
        }
        float d = stored(out, largest(wanted, 0, 8) / -32);
        int[] scales = new int[8];
        int high = 0;
        for (int group = 0; group < 8; group++) {
            scales[group] = quant(wanted[group], 0, d, -32, 31) + 32;
            high |= scales[group] >> 4 << 2 * group;
        }
        out.putShort((short) high);
        for (int group = 0; group < 8; group += 2) {
            out.put((byte) (scales[group] & 15 | scales[group + 1] << 4));
        }
        for (int group = 0; group < 8; group++) {
            float scale = d * (scales[group] - 32);
            bitsAndNibbles(4, nearest(DType.IQ4_XS, values, from + group * BLOCK, scale), out);
        }
    }

    private static void threeBitSuper(float[] values, int from, ByteBuffer out) {
        float[] wanted = new float[16];
        for (int group = 0; group < 16; group++) {
            wanted[group] = largest(values, from + group * 16, 16) / -4;
        }
        short half = Float.floatToFloat16(largest(wanted, 0, 16) / -32);
        float d = Float.float16ToFloat(half);
        int[] quants = new int[256];
        byte[] packed = new byte[12];
        for (int group = 0; group < 16; group++) {
            int s = quant(wanted[group], 0, d, -32, 31) + 32;
            packed[group % 8] |= (byte) ((s & 15) << group / 8 * 4);
            packed[8 + group % 4] |= (byte) (s >> 4 << group / 4 * 2);
            for (int i = group * 16; i < (group + 1) * 16; i++) {
                quants[i] = quant(values[from + i], 0, d * (s - 32), -4, 3) + 4;
            }
        }
        for (int i = 0; i < BLOCK; i++) {
            int bits = 0;
            for (int part = 0; part < 8; part++) {
                bits |= quants[part * BLOCK + i] >> 2 << part;
            }
            out.put((byte) bits);
        }
        pairs(quants, 0, out);
        out.put(packed);
        out.putShort(half);
    }

    private static void twoBitSuper(float[] values, int from, ByteBuffer out) {
        float[] spans = new float[16];
        float[] depths = new float[16];
        for (int group = 0; group < 16; group++) {
            float most = 0;
            for (int i = from + group * 16; i < from + (group + 1) * 16; i++) {
                depths[group] = Math.max(depths[group], -values[i]);
                most = Math.max(most, values[i]);
            }
            spans[group] = most + depths[group];
        }
        short half = Float.floatToFloat16(largest(spans, 0, 16) / 3 / 15);
        short halfMin = Float.floatToFloat16(largest(depths, 0, 16) / 15);
        float d = Float.float16ToFloat(half);
        float dmin = Float.float16ToFloat(halfMin);
        int[] quants = new int[256];
        for (int group = 0; group < 16; group++) {
            int s = quant(spans[group] / 3, 0, d, 0, 15);
            int m = quant(depths[group], 0, dmin, 0, 15);
            out.put((byte) (s | m << 4));
            for (int i = group * 16; i < (group + 1) * 16; i++) {
                quants[i] = quant(values[from + i], -dmin * m, d * s, 0, 3);
            }
        }
        pairs(quants, 0, out);
        out.putShort(half);
        out.putShort(halfMin);
    }

    /** Two bits of 256 numbers: a byte has those of one number of each 32 of 128. */
    private static void pairs(int[] quants, int shift, ByteBuffer out) {
        for (int i = 0; i < 64; i++) {
            int at = i / 32 * 128 + i % 32;
            int pairs = 0;
            for (int quarter = 0; quarter < 4; quarter++) {
                pairs |= (quants[at + quarter * 32] >> shift & 3) << 2 * quarter;
            }
            out.put((byte) pairs);
        }
    }

    private static void superWithMinimum(int bits, float[] values, int from, ByteBuffer out) {
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
        int most = (1 << bits) - 1;
        float d = stored(out, span / most / 63);
        float dmin = stored(out, depth / 63);
        int[] scales = new int[8];
        int[] minima = new int[8];
        byte[] packed = new byte[12];
        for (int group = 0; group < 8; group++) {
            int s = quant(spans[group] / most, 0, d, 0, 63);
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
        int[] quants = new int[256];
        for (int i = 0; i < 256; i++) {
            int group = i / BLOCK;
            float m = -dmin * minima[group];
            quants[i] = quant(values[from + i], m, d * scales[group], 0, most);
        }
        for (int i = 0; bits == 5 && i < BLOCK; i++) {
            int fifth = 0;
            for (int group = 0; group < 8; group++) {
                fifth |= quants[group * BLOCK + i] >> 4 << group;
            }
            out.put((byte) fifth);
        }
        for (int i = 0; i < 128; i++) {
            int at = i / BLOCK * 2 * BLOCK + i % BLOCK;
            out.put((byte) (quants[at] & 15 | quants[at + BLOCK] << 4));
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
        pairs(quants, 4, out);
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
                default -> block(type, out, kind, random);
            }
        }
        return bytes;
    }

    /** Whether a byte of a block belongs to an F16 scale or minimum, or to an exponent. */
    public static boolean isScale(DType type, int at) {
        return switch (type) {
            case MXFP4 -> at < 1;
            default -> at < 2;
            case IQ1_M -> at > 48 && at % 2 == 1; // above a part of a small scale
            case Q4_1, Q5_1, Q4_K, Q5_K -> at < 4;
            case Q2_K -> at >= 80;
            case Q3_K -> at >= 108;
            case Q6_K -> at >= 208;
            case F32, F16, BF16 -> false;
        };
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

    private static void block(DType type, ByteBuffer out, Kind kind, Random random) {
        int from = out.position();
        pattern(out, kind, random, type.blockBytes());
        if (type == DType.MXFP4) { // from 253 on the largest level is infinite
            int exponent = kind == Kind.USUAL ? 118 + random.nextInt(6) : random.nextInt(253);
            out.put(from, (byte) exponent);
            return;
        }
        if (type == DType.IQ1_M) {
            short scale = scale(kind, random);
            for (int i = 0; i < 4; i++) {
                int at = from + 49 + 2 * i;
                out.put(at, (byte) (out.get(at) & 15 | scale >> 4 * i << 4));
            }
            return;
        }
        for (int at = 0; at < type.blockBytes(); at += 2) {
            if (isScale(type, at)) {
                out.putShort(from + at, scale(kind, random));
            }
        }
    }

    private static short scale(Kind kind, Random random) {
        float scale = usual(random);
        return switch (kind == Kind.USUAL ? 0 : random.nextInt(6)) {
            case 1 -> (short) 0;
            case 2 -> Float.floatToFloat16(65504f);
            case 3 -> (short) (0x8000 | random.nextInt(0x400)); // −0 and denormals
            case 4 -> finite(random, 0x7C00);
            default -> Float.floatToFloat16(scale);
        };
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
