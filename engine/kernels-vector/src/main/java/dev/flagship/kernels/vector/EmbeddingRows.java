package dev.flagship.kernels.vector;

import static dev.flagship.tensor.BandMatrix.BAND;
import static dev.flagship.tensor.BandMatrix.BLOCK;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Rows of a table, widened; what a block of a quantised row shares is looked up once. A row's band
 * is copied to an array first and the row gathers in one, for a start runs this in code that no
 * compiler has bettered, where each access to a segment costs a microsecond.
 */
final class EmbeddingRows {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED;

    /** Ints of a line. */
    private static final int LINE = 16;

    private int[] band = {};
    private float[] row = {};

    /** Row {@code to} of out = row {@code id} of the table. */
    void widen(BandMatrix table, int id, Tensor out, int to) {
        if (row.length < table.cols()) {
            row = new float[table.cols()];
        }
        switch (table.type()) {
            case Q8_0 -> eightBit(table, id);
            case Q4_0, Q4_1, Q4_K -> fourBit(table, id);
            case Q6_K -> sixBit(table, id);
            default -> any(table, id);
            case F32, F16, BF16 -> {
                for (int col = 0; col < table.cols(); col++) {
                    row[col] = table.weight(id, col);
                }
            }
        }
        MemorySegment.copy(row, 0, out.data(), F32, 4L * to * table.cols(), table.cols());
    }

    /**
     * Brings a row's band; returns where its first numbers are, the next ones a line further on.
     */
    private int bring(BandMatrix table, int id) {
        long bytes = BandMatrix.bandBytes(table.type(), table.cols());
        int ints = Math.toIntExact(bytes / Integer.BYTES);
        if (band.length < ints) {
            band = new int[ints];
        }
        MemorySegment.copy(table.numbers(), I32, id / BAND * bytes, band, 0, ints);
        return id % BAND;
    }

    private void eightBit(BandMatrix table, int id) {
        int from = bring(table, id);
        int at = 0;
        for (int block = 0; block < table.cols() / BLOCK; block++) {
            float scale = table.scale(id, block);
            for (int k = 0; k < BLOCK; k += 4) {
                int four = band[from];
                row[at] = ((four & 0xFF) - 128) * scale;
                row[at + 1] = ((four >>> 8 & 0xFF) - 128) * scale;
                row[at + 2] = ((four >>> 16 & 0xFF) - 128) * scale;
                row[at + 3] = ((four >>> 24) - 128) * scale;
                from += LINE;
                at += 4;
            }
        }
    }

    private void fourBit(BandMatrix table, int id) {
        boolean minima = table.type().hasMinimum();
        int from = bring(table, id);
        int at = 0;
        for (int block = 0; block < table.cols() / BLOCK; block++) {
            float scale = table.scale(id, block);
            float min = minima ? table.min(id, block) : 0f;
            for (int k = 0; k < BLOCK; k += 8) {
                int eight = band[from];
                for (int half = 0; half < 2; half++) {
                    for (int i = 0; i < 4; i++) {
                        int q = eight >>> 8 * i + 4 * half & 15;
                        row[at++] = minima ? Math.fma(q, scale, min) : (q - 8) * scale;
                    }
                }
                from += LINE;
            }
        }
    }

    private void any(BandMatrix table, int id) {
        boolean minima = table.type().hasMinimum();
        int size = table.type().groupElements();
        for (int group = 0; group < table.cols() / size; group++) {
            float scale = table.scale(id, group);
            float min = minima ? table.min(id, group) : 0f;
            for (int k = group * size; k < (group + 1) * size; k++) {
                int q = table.quant(id, k);
                row[k] = minima ? Math.fma(q, scale, min) : q * scale;
            }
        }
    }

    private void sixBit(BandMatrix table, int id) {
        int from = bring(table, id);
        int at = 0;
        for (int group = 0; group < table.cols() / 16; group++) {
            float scale = table.scale(id, group);
            int pairs = band[from + 2 * LINE];
            for (int k = 0; k < 16; k += 8) {
                int eight = band[from];
                for (int half = 0; half < 2; half++) {
                    for (int i = 0; i < 4; i++) {
                        int low = eight >>> 8 * i + 4 * half & 15;
                        int high = pairs >>> 8 * i + 2 * half + k / 2 & 3;
                        row[at++] = ((low | high << 4) - 32) * scale;
                    }
                }
                from += LINE;
            }
            from += LINE; // of pairs
        }
    }
}
