package dev.flagship.testing;

import dev.flagship.tensor.DType;
import dev.flagship.tensor.KvLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;

/** KV pages full of numbers. */
public final class KvPages {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfShort F16 = ValueLayout.JAVA_SHORT_UNALIGNED;

    private KvPages() {}

    /**
     * Fills whole pages with normally distributed numbers.
     *
     * @param special whether some are NaN, infinite (but not in Q8_0, where a scale never is), as
     *     large as F16 holds or denormal in it; in Q8_0 their scales
     */
    public static void fill(KvLayout layout, MemorySegment pool, boolean special, Random random) {
        if (layout.type() == DType.Q8_0) {
            fillQuantized(layout, pool, special, random);
            return;
        }
        boolean f32 = layout.type() == DType.F32;
        for (long i = 0; i < pool.byteSize() / layout.type().blockBytes(); i++) {
            float value = (float) random.nextGaussian();
            if (special && random.nextInt(2000) == 0) {
                value =
                        switch (random.nextInt(4)) {
                            case 0 -> Float.NaN;
                            case 1 -> Float.POSITIVE_INFINITY;
                            case 2 -> -60000f;
                            default -> 6e-8f; // a denormal of F16
                        };
            }
            if (f32) {
                pool.set(F32, i * 4, value);
            } else {
                pool.set(F16, i * 2, Float.floatToFloat16(value));
            }
        }
    }

    private static void fillQuantized(
            KvLayout layout, MemorySegment pool, boolean special, Random random) {
        for (long block = 0; block < pool.byteSize(); block += layout.blockBytes()) {
            for (long i = 0; i < layout.scalesOffset(); i++) {
                pool.set(ValueLayout.JAVA_BYTE, block + i, (byte) (random.nextInt(255) - 127));
            }
            for (long at = layout.scalesOffset(); at < layout.blockBytes(); at += 2) {
                float scale = (float) Math.abs(random.nextGaussian()) / 64;
                if (special && random.nextInt(100) == 0) {
                    scale =
                            switch (random.nextInt(4)) {
                                case 0 -> Float.NaN;
                                case 1 -> 65504f;
                                case 2 -> 0f;
                                default -> 6e-8f;
                            };
                }
                pool.set(F16, block + at, Float.floatToFloat16(scale));
            }
        }
    }

    /** Makes what a token has in a layer and a head NaN, whatever the type. */
    public static void poison(KvLayout layout, MemorySegment pool, int page, int slot) {
        int size = layout.headSize();
        long keys = layout.keys(page, 0, 0);
        long values = layout.values(page, 0, 0);
        if (layout.type() == DType.Q8_0) {
            int groups = size / KvLayout.GROUP;
            for (int g = 0; g < groups; g++) {
                long key = keys + layout.scalesOffset() + 2L * (g * KvLayout.PAGE + slot);
                long value = values + layout.scalesOffset() + 2L * (slot * groups + g);
                pool.set(F16, key, Float.floatToFloat16(Float.NaN));
                pool.set(F16, value, Float.floatToFloat16(Float.NaN));
            }
            return;
        }
        for (int d = 0; d < size; d++) {
            nan(layout, pool, keys, d * KvLayout.PAGE + slot);
            nan(layout, pool, values, slot * size + d);
        }
    }

    private static void nan(KvLayout layout, MemorySegment pool, long base, int index) {
        if (layout.type() == DType.F32) {
            pool.set(F32, base + index * 4L, Float.NaN);
        } else {
            pool.set(F16, base + index * 2L, Float.floatToFloat16(Float.NaN));
        }
    }
}
