package dev.flagship.kernels.vector;

import static dev.flagship.tensor.BandMatrix.BAND;
import static dev.flagship.tensor.BandMatrix.BLOCK;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Rows of a table, widened; what a block of a quantised row shares is looked up once. */
final class EmbeddingRows {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED;
    private static final int LINE = 64;

    private EmbeddingRows() {}

    /** Row {@code to} of out = row {@code id} of the table. */
    static void widen(BandMatrix table, int id, Tensor out, int to) {
        switch (table.type()) {
            case Q8_0 -> eightBit(table, id, out, to);
            case Q4_0, Q4_1, Q4_K -> fourBit(table, id, out, to);
            case Q6_K -> sixBit(table, id, out, to);
            default -> any(table, id, out, to);
            case F32, F16, BF16 -> {
                for (int col = 0; col < table.cols(); col++) {
                    out.set(to, col, table.weight(id, col));
                }
            }
        }
    }

    /** Where a row's first numbers lie; the next ones are a line further on. */
    private static long first(BandMatrix table, int id) {
        return id / BAND * BandMatrix.bandBytes(table.type(), table.cols()) + id % BAND * 4L;
    }

    private static void eightBit(BandMatrix table, int id, Tensor out, int to) {
        MemorySegment numbers = table.numbers();
        MemorySegment data = out.data();
        long from = first(table, id);
        long at = 4L * to * table.cols();
        for (int block = 0; block < table.cols() / BLOCK; block++) {
            float scale = table.scale(id, block);
            for (int k = 0; k < BLOCK; k += 4) {
                int four = numbers.get(I32, from);
                data.set(F32, at, ((four & 0xFF) - 128) * scale);
                data.set(F32, at + 4, ((four >>> 8 & 0xFF) - 128) * scale);
                data.set(F32, at + 8, ((four >>> 16 & 0xFF) - 128) * scale);
                data.set(F32, at + 12, ((four >>> 24) - 128) * scale);
                from += LINE;
                at += 16;
            }
        }
    }

    private static void fourBit(BandMatrix table, int id, Tensor out, int to) {
        boolean minima = table.type().hasMinimum();
        MemorySegment numbers = table.numbers();
        MemorySegment data = out.data();
        long from = first(table, id);
        long at = 4L * to * table.cols();
        for (int block = 0; block < table.cols() / BLOCK; block++) {
            float scale = table.scale(id, block);
            float min = minima ? table.min(id, block) : 0f;
            for (int k = 0; k < BLOCK; k += 8) {
                int eight = numbers.get(I32, from);
                for (int half = 0; half < 2; half++) {
                    for (int i = 0; i < 4; i++) {
                        int q = eight >>> 8 * i + 4 * half & 15;
                        float value = minima ? Math.fma(q, scale, min) : (q - 8) * scale;
                        data.set(F32, at, value);
                        at += 4;
                    }
                }
                from += LINE;
            }
        }
    }

    private static void any(BandMatrix table, int id, Tensor out, int to) {
        boolean minima = table.type().hasMinimum();
        int size = table.type().groupElements();
        MemorySegment data = out.data();
        long at = 4L * to * table.cols();
        for (int group = 0; group < table.cols() / size; group++) {
            float scale = table.scale(id, group);
            float min = minima ? table.min(id, group) : 0f;
            for (int k = group * size; k < (group + 1) * size; k++, at += 4) {
                int q = table.quant(id, k);
                data.set(F32, at, minima ? Math.fma(q, scale, min) : q * scale);
            }
        }
    }

    private static void sixBit(BandMatrix table, int id, Tensor out, int to) {
        MemorySegment numbers = table.numbers();
        MemorySegment data = out.data();
        long from = first(table, id);
        long at = 4L * to * table.cols();
        for (int group = 0; group < table.cols() / 16; group++) {
            float scale = table.scale(id, group);
            int pairs = numbers.get(I32, from + 2 * LINE);
            for (int k = 0; k < 16; k += 8) {
                int eight = numbers.get(I32, from);
                for (int half = 0; half < 2; half++) {
                    for (int i = 0; i < 4; i++) {
                        int low = eight >>> 8 * i + 4 * half & 15;
                        int high = pairs >>> 8 * i + 2 * half + k / 2 & 3;
                        data.set(F32, at, ((low | high << 4) - 32) * scale);
                        at += 4;
                    }
                }
                from += LINE;
            }
            from += LINE; // of pairs
        }
    }
}
