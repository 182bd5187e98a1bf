package dev.flagship.kernels.vector;

import static dev.flagship.kernels.vector.Lanes.FLOATS;
import static dev.flagship.kernels.vector.Lanes.LENGTH;
import static dev.flagship.kernels.vector.Lanes.PANEL_ROWS;
import static dev.flagship.tensor.BandMatrix.BLOCK;

import jdk.incubator.vector.FloatVector;
import org.jspecify.annotations.Nullable;

/**
 * Products of a panel (two vectors of rows) with a tile of columns, accumulators in registers.
 * Twelve columns fill the 32 registers of AVX-512 and NEON, six the 16 of AVX2, four serve the
 * rest.
 *
 * <p>Long because each accumulator is a variable of its own: C2 keeps vectors in registers only so.
 * The tiles differ in nothing but their width.
 *
 * <p>Activations of a tile are packed {@code [column of the matrix][column of the tile]},
 * accumulators {@code [column of the tile][PANEL_ROWS]}.
 */
final class GemmTiles {
    private GemmTiles() {}

    /** Columns of a full tile on this machine. */
    static final int FULL = LENGTH == 8 ? 6 : 12;

    /** Columns of a tile that takes what full tiles leave. */
    static final int REST = 4;

    /**
     * Adds groups [0, groups) of a panel of quants: per group I = Σ q·a in exact floats, acc =
     * fma(I, sw·sa, acc), then if minima are given acc = fma(m, sa·Σa, acc).
     *
     * @param size columns of a group
     * @param scales sa as {@code [block][tile column]}, from scalesAt
     * @param sums sa·Σa as {@code [group][tile column]}, from sumsAt; read only with minima
     */
    static void int8(
            int width,
            float[] panel,
            float[] panelScales,
            float @Nullable [] minima,
            int groups,
            int size,
            float[] act,
            int actAt,
            float[] scales,
            int scalesAt,
            float[] sums,
            int sumsAt,
            float[] acc,
            int accAt) {
        for (int block = 0; block < groups; block++) {
            int at = scalesAt + block * size / BLOCK * width;
            switch (width) {
                case 12 ->
                        int8Tile12(
                                panel,
                                panelScales,
                                act,
                                actAt,
                                scales,
                                at,
                                acc,
                                accAt,
                                block,
                                size);
                case 6 ->
                        int8Tile6(
                                panel,
                                panelScales,
                                act,
                                actAt,
                                scales,
                                at,
                                acc,
                                accAt,
                                block,
                                size);
                case 1 ->
                        int8Column(
                                panel,
                                panelScales,
                                act,
                                actAt,
                                scales[at],
                                acc,
                                accAt,
                                block,
                                size);
                default ->
                        int8Tile4(
                                panel,
                                panelScales,
                                act,
                                actAt,
                                scales,
                                at,
                                acc,
                                accAt,
                                block,
                                size);
            }
            if (minima != null) {
                addMinima(width, minima, block, sums, sumsAt + block * width, acc, accAt);
            }
        }
    }

    private static void addMinima(
            int width,
            float[] minima,
            int block,
            float[] sums,
            int sumsAt,
            float[] acc,
            int accAt) {
        FloatVector m0 = FloatVector.fromArray(FLOATS, minima, block * PANEL_ROWS);
        FloatVector m1 = FloatVector.fromArray(FLOATS, minima, block * PANEL_ROWS + LENGTH);
        for (int c = 0; c < width; c++) {
            FloatVector sum = FloatVector.broadcast(FLOATS, sums[sumsAt + c]);
            int at = accAt + c * PANEL_ROWS;
            m0.fma(sum, FloatVector.fromArray(FLOATS, acc, at)).intoArray(acc, at);
            m1.fma(sum, FloatVector.fromArray(FLOATS, acc, at + LENGTH))
                    .intoArray(acc, at + LENGTH);
        }
    }

    /** A tile of one column, whose sums are taken by turns: in integers the order is free. */
    private static void int8Column(
            float[] panel,
            float[] panelScales,
            float[] act,
            int actAt,
            float scale,
            float[] acc,
            int accAt,
            int block,
            int columns) {
        FloatVector a0 = FloatVector.zero(FLOATS);
        FloatVector b0 = a0;
        FloatVector a1 = a0;
        FloatVector b1 = a0;
        for (int k = block * columns; k < (block + 1) * columns; k += 2) {
            int p = k * PANEL_ROWS;
            FloatVector x = FloatVector.broadcast(FLOATS, act[actAt + k]);
            a0 = FloatVector.fromArray(FLOATS, panel, p).fma(x, a0);
            b0 = FloatVector.fromArray(FLOATS, panel, p + LENGTH).fma(x, b0);
            FloatVector y = FloatVector.broadcast(FLOATS, act[actAt + k + 1]);
            a1 = FloatVector.fromArray(FLOATS, panel, p + PANEL_ROWS).fma(y, a1);
            b1 = FloatVector.fromArray(FLOATS, panel, p + PANEL_ROWS + LENGTH).fma(y, b1);
        }
        FloatVector s0 = FloatVector.fromArray(FLOATS, panelScales, block * PANEL_ROWS).mul(scale);
        FloatVector s1 =
                FloatVector.fromArray(FLOATS, panelScales, block * PANEL_ROWS + LENGTH).mul(scale);
        a0.add(a1).fma(s0, FloatVector.fromArray(FLOATS, acc, accAt)).intoArray(acc, accAt);
        b0.add(b1)
                .fma(s1, FloatVector.fromArray(FLOATS, acc, accAt + LENGTH))
                .intoArray(acc, accAt + LENGTH);
    }

    /** Adds columns [0, columns) of a panel of weights: acc = fma(w, x, acc), columns ascending. */
    static void plain(
            int width, float[] panel, int columns, float[] act, int actAt, float[] acc, int accAt) {
        switch (width) {
            case 12 -> plainTile12(panel, columns, act, actAt, acc, accAt);
            case 6 -> plainTile6(panel, columns, act, actAt, acc, accAt);
            case 4 -> plainTile4(panel, columns, act, actAt, acc, accAt);
            default -> plainColumn(panel, columns, act, actAt, acc, accAt);
        }
    }

    private static void plainColumn(
            float[] panel, int columns, float[] act, int actAt, float[] acc, int accAt) {
        FloatVector a = FloatVector.fromArray(FLOATS, acc, accAt);
        FloatVector b = FloatVector.fromArray(FLOATS, acc, accAt + LENGTH);
        for (int k = 0; k < columns; k++) {
            FloatVector x = FloatVector.broadcast(FLOATS, act[actAt + k]);
            a = FloatVector.fromArray(FLOATS, panel, k * PANEL_ROWS).fma(x, a);
            b = FloatVector.fromArray(FLOATS, panel, k * PANEL_ROWS + LENGTH).fma(x, b);
        }
        a.intoArray(acc, accAt);
        b.intoArray(acc, accAt + LENGTH);
    }

    /** Tile of 12 columns. */
    private static void int8Tile12(
            float[] panel,
            float[] panelScales,
            float[] act,
            int actAt,
            float[] scales,
            int scalesAt,
            float[] acc,
            int accAt,
            int block,
            int columns) {
        FloatVector zero = FloatVector.zero(FLOATS);
        FloatVector a0 = zero;
        FloatVector b0 = zero;
        FloatVector a1 = zero;
        FloatVector b1 = zero;
        FloatVector a2 = zero;
        FloatVector b2 = zero;
        FloatVector a3 = zero;
        FloatVector b3 = zero;
        FloatVector a4 = zero;
        FloatVector b4 = zero;
        FloatVector a5 = zero;
        FloatVector b5 = zero;
        FloatVector a6 = zero;
        FloatVector b6 = zero;
        FloatVector a7 = zero;
        FloatVector b7 = zero;
        FloatVector a8 = zero;
        FloatVector b8 = zero;
        FloatVector a9 = zero;
        FloatVector b9 = zero;
        FloatVector a10 = zero;
        FloatVector b10 = zero;
        FloatVector a11 = zero;
        FloatVector b11 = zero;
        FloatVector x;
        for (int k = 0; k < columns; k++) {
            int at = actAt + (block * columns + k) * 12;
            int p = (block * columns + k) * PANEL_ROWS;
            FloatVector w0 = FloatVector.fromArray(FLOATS, panel, p);
            FloatVector w1 = FloatVector.fromArray(FLOATS, panel, p + LENGTH);
            x = FloatVector.broadcast(FLOATS, act[at + 0]);
            a0 = w0.fma(x, a0);
            b0 = w1.fma(x, b0);
            x = FloatVector.broadcast(FLOATS, act[at + 1]);
            a1 = w0.fma(x, a1);
            b1 = w1.fma(x, b1);
            x = FloatVector.broadcast(FLOATS, act[at + 2]);
            a2 = w0.fma(x, a2);
            b2 = w1.fma(x, b2);
            x = FloatVector.broadcast(FLOATS, act[at + 3]);
            a3 = w0.fma(x, a3);
            b3 = w1.fma(x, b3);
            x = FloatVector.broadcast(FLOATS, act[at + 4]);
            a4 = w0.fma(x, a4);
            b4 = w1.fma(x, b4);
            x = FloatVector.broadcast(FLOATS, act[at + 5]);
            a5 = w0.fma(x, a5);
            b5 = w1.fma(x, b5);
            x = FloatVector.broadcast(FLOATS, act[at + 6]);
            a6 = w0.fma(x, a6);
            b6 = w1.fma(x, b6);
            x = FloatVector.broadcast(FLOATS, act[at + 7]);
            a7 = w0.fma(x, a7);
            b7 = w1.fma(x, b7);
            x = FloatVector.broadcast(FLOATS, act[at + 8]);
            a8 = w0.fma(x, a8);
            b8 = w1.fma(x, b8);
            x = FloatVector.broadcast(FLOATS, act[at + 9]);
            a9 = w0.fma(x, a9);
            b9 = w1.fma(x, b9);
            x = FloatVector.broadcast(FLOATS, act[at + 10]);
            a10 = w0.fma(x, a10);
            b10 = w1.fma(x, b10);
            x = FloatVector.broadcast(FLOATS, act[at + 11]);
            a11 = w0.fma(x, a11);
            b11 = w1.fma(x, b11);
        }
        FloatVector s0 = FloatVector.fromArray(FLOATS, panelScales, block * PANEL_ROWS);
        FloatVector s1 = FloatVector.fromArray(FLOATS, panelScales, block * PANEL_ROWS + LENGTH);
        float s;
        s = scales[scalesAt + 0];
        a0.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 0 * PANEL_ROWS))
                .intoArray(acc, accAt + 0 * PANEL_ROWS);
        b0.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 0 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 0 * PANEL_ROWS + LENGTH);
        s = scales[scalesAt + 1];
        a1.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 1 * PANEL_ROWS))
                .intoArray(acc, accAt + 1 * PANEL_ROWS);
        b1.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 1 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 1 * PANEL_ROWS + LENGTH);
        s = scales[scalesAt + 2];
        a2.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 2 * PANEL_ROWS))
                .intoArray(acc, accAt + 2 * PANEL_ROWS);
        b2.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 2 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 2 * PANEL_ROWS + LENGTH);
        s = scales[scalesAt + 3];
        a3.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 3 * PANEL_ROWS))
                .intoArray(acc, accAt + 3 * PANEL_ROWS);
        b3.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 3 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 3 * PANEL_ROWS + LENGTH);
        s = scales[scalesAt + 4];
        a4.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 4 * PANEL_ROWS))
                .intoArray(acc, accAt + 4 * PANEL_ROWS);
        b4.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 4 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 4 * PANEL_ROWS + LENGTH);
        s = scales[scalesAt + 5];
        a5.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 5 * PANEL_ROWS))
                .intoArray(acc, accAt + 5 * PANEL_ROWS);
        b5.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 5 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 5 * PANEL_ROWS + LENGTH);
        s = scales[scalesAt + 6];
        a6.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 6 * PANEL_ROWS))
                .intoArray(acc, accAt + 6 * PANEL_ROWS);
        b6.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 6 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 6 * PANEL_ROWS + LENGTH);
        s = scales[scalesAt + 7];
        a7.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 7 * PANEL_ROWS))
                .intoArray(acc, accAt + 7 * PANEL_ROWS);
        b7.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 7 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 7 * PANEL_ROWS + LENGTH);
        s = scales[scalesAt + 8];
        a8.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 8 * PANEL_ROWS))
                .intoArray(acc, accAt + 8 * PANEL_ROWS);
        b8.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 8 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 8 * PANEL_ROWS + LENGTH);
        s = scales[scalesAt + 9];
        a9.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 9 * PANEL_ROWS))
                .intoArray(acc, accAt + 9 * PANEL_ROWS);
        b9.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 9 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 9 * PANEL_ROWS + LENGTH);
        s = scales[scalesAt + 10];
        a10.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 10 * PANEL_ROWS))
                .intoArray(acc, accAt + 10 * PANEL_ROWS);
        b10.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 10 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 10 * PANEL_ROWS + LENGTH);
        s = scales[scalesAt + 11];
        a11.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 11 * PANEL_ROWS))
                .intoArray(acc, accAt + 11 * PANEL_ROWS);
        b11.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 11 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 11 * PANEL_ROWS + LENGTH);
    }

    /** Tile of 12 columns. */
    private static void plainTile12(
            float[] panel, int columns, float[] act, int actAt, float[] acc, int accAt) {
        FloatVector a0 = FloatVector.fromArray(FLOATS, acc, accAt + 0 * PANEL_ROWS);
        FloatVector b0 = FloatVector.fromArray(FLOATS, acc, accAt + 0 * PANEL_ROWS + LENGTH);
        FloatVector a1 = FloatVector.fromArray(FLOATS, acc, accAt + 1 * PANEL_ROWS);
        FloatVector b1 = FloatVector.fromArray(FLOATS, acc, accAt + 1 * PANEL_ROWS + LENGTH);
        FloatVector a2 = FloatVector.fromArray(FLOATS, acc, accAt + 2 * PANEL_ROWS);
        FloatVector b2 = FloatVector.fromArray(FLOATS, acc, accAt + 2 * PANEL_ROWS + LENGTH);
        FloatVector a3 = FloatVector.fromArray(FLOATS, acc, accAt + 3 * PANEL_ROWS);
        FloatVector b3 = FloatVector.fromArray(FLOATS, acc, accAt + 3 * PANEL_ROWS + LENGTH);
        FloatVector a4 = FloatVector.fromArray(FLOATS, acc, accAt + 4 * PANEL_ROWS);
        FloatVector b4 = FloatVector.fromArray(FLOATS, acc, accAt + 4 * PANEL_ROWS + LENGTH);
        FloatVector a5 = FloatVector.fromArray(FLOATS, acc, accAt + 5 * PANEL_ROWS);
        FloatVector b5 = FloatVector.fromArray(FLOATS, acc, accAt + 5 * PANEL_ROWS + LENGTH);
        FloatVector a6 = FloatVector.fromArray(FLOATS, acc, accAt + 6 * PANEL_ROWS);
        FloatVector b6 = FloatVector.fromArray(FLOATS, acc, accAt + 6 * PANEL_ROWS + LENGTH);
        FloatVector a7 = FloatVector.fromArray(FLOATS, acc, accAt + 7 * PANEL_ROWS);
        FloatVector b7 = FloatVector.fromArray(FLOATS, acc, accAt + 7 * PANEL_ROWS + LENGTH);
        FloatVector a8 = FloatVector.fromArray(FLOATS, acc, accAt + 8 * PANEL_ROWS);
        FloatVector b8 = FloatVector.fromArray(FLOATS, acc, accAt + 8 * PANEL_ROWS + LENGTH);
        FloatVector a9 = FloatVector.fromArray(FLOATS, acc, accAt + 9 * PANEL_ROWS);
        FloatVector b9 = FloatVector.fromArray(FLOATS, acc, accAt + 9 * PANEL_ROWS + LENGTH);
        FloatVector a10 = FloatVector.fromArray(FLOATS, acc, accAt + 10 * PANEL_ROWS);
        FloatVector b10 = FloatVector.fromArray(FLOATS, acc, accAt + 10 * PANEL_ROWS + LENGTH);
        FloatVector a11 = FloatVector.fromArray(FLOATS, acc, accAt + 11 * PANEL_ROWS);
        FloatVector b11 = FloatVector.fromArray(FLOATS, acc, accAt + 11 * PANEL_ROWS + LENGTH);
        FloatVector x;
        for (int k = 0; k < columns; k++) {
            int at = actAt + k * 12;
            FloatVector w0 = FloatVector.fromArray(FLOATS, panel, k * PANEL_ROWS);
            FloatVector w1 = FloatVector.fromArray(FLOATS, panel, k * PANEL_ROWS + LENGTH);
            x = FloatVector.broadcast(FLOATS, act[at + 0]);
            a0 = w0.fma(x, a0);
            b0 = w1.fma(x, b0);
            x = FloatVector.broadcast(FLOATS, act[at + 1]);
            a1 = w0.fma(x, a1);
            b1 = w1.fma(x, b1);
            x = FloatVector.broadcast(FLOATS, act[at + 2]);
            a2 = w0.fma(x, a2);
            b2 = w1.fma(x, b2);
            x = FloatVector.broadcast(FLOATS, act[at + 3]);
            a3 = w0.fma(x, a3);
            b3 = w1.fma(x, b3);
            x = FloatVector.broadcast(FLOATS, act[at + 4]);
            a4 = w0.fma(x, a4);
            b4 = w1.fma(x, b4);
            x = FloatVector.broadcast(FLOATS, act[at + 5]);
            a5 = w0.fma(x, a5);
            b5 = w1.fma(x, b5);
            x = FloatVector.broadcast(FLOATS, act[at + 6]);
            a6 = w0.fma(x, a6);
            b6 = w1.fma(x, b6);
            x = FloatVector.broadcast(FLOATS, act[at + 7]);
            a7 = w0.fma(x, a7);
            b7 = w1.fma(x, b7);
            x = FloatVector.broadcast(FLOATS, act[at + 8]);
            a8 = w0.fma(x, a8);
            b8 = w1.fma(x, b8);
            x = FloatVector.broadcast(FLOATS, act[at + 9]);
            a9 = w0.fma(x, a9);
            b9 = w1.fma(x, b9);
            x = FloatVector.broadcast(FLOATS, act[at + 10]);
            a10 = w0.fma(x, a10);
            b10 = w1.fma(x, b10);
            x = FloatVector.broadcast(FLOATS, act[at + 11]);
            a11 = w0.fma(x, a11);
            b11 = w1.fma(x, b11);
        }
        a0.intoArray(acc, accAt + 0 * PANEL_ROWS);
        b0.intoArray(acc, accAt + 0 * PANEL_ROWS + LENGTH);
        a1.intoArray(acc, accAt + 1 * PANEL_ROWS);
        b1.intoArray(acc, accAt + 1 * PANEL_ROWS + LENGTH);
        a2.intoArray(acc, accAt + 2 * PANEL_ROWS);
        b2.intoArray(acc, accAt + 2 * PANEL_ROWS + LENGTH);
        a3.intoArray(acc, accAt + 3 * PANEL_ROWS);
        b3.intoArray(acc, accAt + 3 * PANEL_ROWS + LENGTH);
        a4.intoArray(acc, accAt + 4 * PANEL_ROWS);
        b4.intoArray(acc, accAt + 4 * PANEL_ROWS + LENGTH);
        a5.intoArray(acc, accAt + 5 * PANEL_ROWS);
        b5.intoArray(acc, accAt + 5 * PANEL_ROWS + LENGTH);
        a6.intoArray(acc, accAt + 6 * PANEL_ROWS);
        b6.intoArray(acc, accAt + 6 * PANEL_ROWS + LENGTH);
        a7.intoArray(acc, accAt + 7 * PANEL_ROWS);
        b7.intoArray(acc, accAt + 7 * PANEL_ROWS + LENGTH);
        a8.intoArray(acc, accAt + 8 * PANEL_ROWS);
        b8.intoArray(acc, accAt + 8 * PANEL_ROWS + LENGTH);
        a9.intoArray(acc, accAt + 9 * PANEL_ROWS);
        b9.intoArray(acc, accAt + 9 * PANEL_ROWS + LENGTH);
        a10.intoArray(acc, accAt + 10 * PANEL_ROWS);
        b10.intoArray(acc, accAt + 10 * PANEL_ROWS + LENGTH);
        a11.intoArray(acc, accAt + 11 * PANEL_ROWS);
        b11.intoArray(acc, accAt + 11 * PANEL_ROWS + LENGTH);
    }

    /** Tile of 6 columns. */
    private static void int8Tile6(
            float[] panel,
            float[] panelScales,
            float[] act,
            int actAt,
            float[] scales,
            int scalesAt,
            float[] acc,
            int accAt,
            int block,
            int columns) {
        FloatVector zero = FloatVector.zero(FLOATS);
        FloatVector a0 = zero;
        FloatVector b0 = zero;
        FloatVector a1 = zero;
        FloatVector b1 = zero;
        FloatVector a2 = zero;
        FloatVector b2 = zero;
        FloatVector a3 = zero;
        FloatVector b3 = zero;
        FloatVector a4 = zero;
        FloatVector b4 = zero;
        FloatVector a5 = zero;
        FloatVector b5 = zero;
        FloatVector x;
        for (int k = 0; k < columns; k++) {
            int at = actAt + (block * columns + k) * 6;
            int p = (block * columns + k) * PANEL_ROWS;
            FloatVector w0 = FloatVector.fromArray(FLOATS, panel, p);
            FloatVector w1 = FloatVector.fromArray(FLOATS, panel, p + LENGTH);
            x = FloatVector.broadcast(FLOATS, act[at + 0]);
            a0 = w0.fma(x, a0);
            b0 = w1.fma(x, b0);
            x = FloatVector.broadcast(FLOATS, act[at + 1]);
            a1 = w0.fma(x, a1);
            b1 = w1.fma(x, b1);
            x = FloatVector.broadcast(FLOATS, act[at + 2]);
            a2 = w0.fma(x, a2);
            b2 = w1.fma(x, b2);
            x = FloatVector.broadcast(FLOATS, act[at + 3]);
            a3 = w0.fma(x, a3);
            b3 = w1.fma(x, b3);
            x = FloatVector.broadcast(FLOATS, act[at + 4]);
            a4 = w0.fma(x, a4);
            b4 = w1.fma(x, b4);
            x = FloatVector.broadcast(FLOATS, act[at + 5]);
            a5 = w0.fma(x, a5);
            b5 = w1.fma(x, b5);
        }
        FloatVector s0 = FloatVector.fromArray(FLOATS, panelScales, block * PANEL_ROWS);
        FloatVector s1 = FloatVector.fromArray(FLOATS, panelScales, block * PANEL_ROWS + LENGTH);
        float s;
        s = scales[scalesAt + 0];
        a0.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 0 * PANEL_ROWS))
                .intoArray(acc, accAt + 0 * PANEL_ROWS);
        b0.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 0 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 0 * PANEL_ROWS + LENGTH);
        s = scales[scalesAt + 1];
        a1.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 1 * PANEL_ROWS))
                .intoArray(acc, accAt + 1 * PANEL_ROWS);
        b1.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 1 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 1 * PANEL_ROWS + LENGTH);
        s = scales[scalesAt + 2];
        a2.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 2 * PANEL_ROWS))
                .intoArray(acc, accAt + 2 * PANEL_ROWS);
        b2.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 2 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 2 * PANEL_ROWS + LENGTH);
        s = scales[scalesAt + 3];
        a3.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 3 * PANEL_ROWS))
                .intoArray(acc, accAt + 3 * PANEL_ROWS);
        b3.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 3 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 3 * PANEL_ROWS + LENGTH);
        s = scales[scalesAt + 4];
        a4.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 4 * PANEL_ROWS))
                .intoArray(acc, accAt + 4 * PANEL_ROWS);
        b4.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 4 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 4 * PANEL_ROWS + LENGTH);
        s = scales[scalesAt + 5];
        a5.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 5 * PANEL_ROWS))
                .intoArray(acc, accAt + 5 * PANEL_ROWS);
        b5.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 5 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 5 * PANEL_ROWS + LENGTH);
    }

    /** Tile of 6 columns. */
    private static void plainTile6(
            float[] panel, int columns, float[] act, int actAt, float[] acc, int accAt) {
        FloatVector a0 = FloatVector.fromArray(FLOATS, acc, accAt + 0 * PANEL_ROWS);
        FloatVector b0 = FloatVector.fromArray(FLOATS, acc, accAt + 0 * PANEL_ROWS + LENGTH);
        FloatVector a1 = FloatVector.fromArray(FLOATS, acc, accAt + 1 * PANEL_ROWS);
        FloatVector b1 = FloatVector.fromArray(FLOATS, acc, accAt + 1 * PANEL_ROWS + LENGTH);
        FloatVector a2 = FloatVector.fromArray(FLOATS, acc, accAt + 2 * PANEL_ROWS);
        FloatVector b2 = FloatVector.fromArray(FLOATS, acc, accAt + 2 * PANEL_ROWS + LENGTH);
        FloatVector a3 = FloatVector.fromArray(FLOATS, acc, accAt + 3 * PANEL_ROWS);
        FloatVector b3 = FloatVector.fromArray(FLOATS, acc, accAt + 3 * PANEL_ROWS + LENGTH);
        FloatVector a4 = FloatVector.fromArray(FLOATS, acc, accAt + 4 * PANEL_ROWS);
        FloatVector b4 = FloatVector.fromArray(FLOATS, acc, accAt + 4 * PANEL_ROWS + LENGTH);
        FloatVector a5 = FloatVector.fromArray(FLOATS, acc, accAt + 5 * PANEL_ROWS);
        FloatVector b5 = FloatVector.fromArray(FLOATS, acc, accAt + 5 * PANEL_ROWS + LENGTH);
        FloatVector x;
        for (int k = 0; k < columns; k++) {
            int at = actAt + k * 6;
            FloatVector w0 = FloatVector.fromArray(FLOATS, panel, k * PANEL_ROWS);
            FloatVector w1 = FloatVector.fromArray(FLOATS, panel, k * PANEL_ROWS + LENGTH);
            x = FloatVector.broadcast(FLOATS, act[at + 0]);
            a0 = w0.fma(x, a0);
            b0 = w1.fma(x, b0);
            x = FloatVector.broadcast(FLOATS, act[at + 1]);
            a1 = w0.fma(x, a1);
            b1 = w1.fma(x, b1);
            x = FloatVector.broadcast(FLOATS, act[at + 2]);
            a2 = w0.fma(x, a2);
            b2 = w1.fma(x, b2);
            x = FloatVector.broadcast(FLOATS, act[at + 3]);
            a3 = w0.fma(x, a3);
            b3 = w1.fma(x, b3);
            x = FloatVector.broadcast(FLOATS, act[at + 4]);
            a4 = w0.fma(x, a4);
            b4 = w1.fma(x, b4);
            x = FloatVector.broadcast(FLOATS, act[at + 5]);
            a5 = w0.fma(x, a5);
            b5 = w1.fma(x, b5);
        }
        a0.intoArray(acc, accAt + 0 * PANEL_ROWS);
        b0.intoArray(acc, accAt + 0 * PANEL_ROWS + LENGTH);
        a1.intoArray(acc, accAt + 1 * PANEL_ROWS);
        b1.intoArray(acc, accAt + 1 * PANEL_ROWS + LENGTH);
        a2.intoArray(acc, accAt + 2 * PANEL_ROWS);
        b2.intoArray(acc, accAt + 2 * PANEL_ROWS + LENGTH);
        a3.intoArray(acc, accAt + 3 * PANEL_ROWS);
        b3.intoArray(acc, accAt + 3 * PANEL_ROWS + LENGTH);
        a4.intoArray(acc, accAt + 4 * PANEL_ROWS);
        b4.intoArray(acc, accAt + 4 * PANEL_ROWS + LENGTH);
        a5.intoArray(acc, accAt + 5 * PANEL_ROWS);
        b5.intoArray(acc, accAt + 5 * PANEL_ROWS + LENGTH);
    }

    /** Tile of 4 columns. */
    private static void int8Tile4(
            float[] panel,
            float[] panelScales,
            float[] act,
            int actAt,
            float[] scales,
            int scalesAt,
            float[] acc,
            int accAt,
            int block,
            int columns) {
        FloatVector zero = FloatVector.zero(FLOATS);
        FloatVector a0 = zero;
        FloatVector b0 = zero;
        FloatVector a1 = zero;
        FloatVector b1 = zero;
        FloatVector a2 = zero;
        FloatVector b2 = zero;
        FloatVector a3 = zero;
        FloatVector b3 = zero;
        FloatVector x;
        for (int k = 0; k < columns; k++) {
            int at = actAt + (block * columns + k) * 4;
            int p = (block * columns + k) * PANEL_ROWS;
            FloatVector w0 = FloatVector.fromArray(FLOATS, panel, p);
            FloatVector w1 = FloatVector.fromArray(FLOATS, panel, p + LENGTH);
            x = FloatVector.broadcast(FLOATS, act[at + 0]);
            a0 = w0.fma(x, a0);
            b0 = w1.fma(x, b0);
            x = FloatVector.broadcast(FLOATS, act[at + 1]);
            a1 = w0.fma(x, a1);
            b1 = w1.fma(x, b1);
            x = FloatVector.broadcast(FLOATS, act[at + 2]);
            a2 = w0.fma(x, a2);
            b2 = w1.fma(x, b2);
            x = FloatVector.broadcast(FLOATS, act[at + 3]);
            a3 = w0.fma(x, a3);
            b3 = w1.fma(x, b3);
        }
        FloatVector s0 = FloatVector.fromArray(FLOATS, panelScales, block * PANEL_ROWS);
        FloatVector s1 = FloatVector.fromArray(FLOATS, panelScales, block * PANEL_ROWS + LENGTH);
        float s;
        s = scales[scalesAt + 0];
        a0.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 0 * PANEL_ROWS))
                .intoArray(acc, accAt + 0 * PANEL_ROWS);
        b0.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 0 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 0 * PANEL_ROWS + LENGTH);
        s = scales[scalesAt + 1];
        a1.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 1 * PANEL_ROWS))
                .intoArray(acc, accAt + 1 * PANEL_ROWS);
        b1.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 1 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 1 * PANEL_ROWS + LENGTH);
        s = scales[scalesAt + 2];
        a2.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 2 * PANEL_ROWS))
                .intoArray(acc, accAt + 2 * PANEL_ROWS);
        b2.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 2 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 2 * PANEL_ROWS + LENGTH);
        s = scales[scalesAt + 3];
        a3.fma(s0.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 3 * PANEL_ROWS))
                .intoArray(acc, accAt + 3 * PANEL_ROWS);
        b3.fma(s1.mul(s), FloatVector.fromArray(FLOATS, acc, accAt + 3 * PANEL_ROWS + LENGTH))
                .intoArray(acc, accAt + 3 * PANEL_ROWS + LENGTH);
    }

    /** Tile of 4 columns. */
    private static void plainTile4(
            float[] panel, int columns, float[] act, int actAt, float[] acc, int accAt) {
        FloatVector a0 = FloatVector.fromArray(FLOATS, acc, accAt + 0 * PANEL_ROWS);
        FloatVector b0 = FloatVector.fromArray(FLOATS, acc, accAt + 0 * PANEL_ROWS + LENGTH);
        FloatVector a1 = FloatVector.fromArray(FLOATS, acc, accAt + 1 * PANEL_ROWS);
        FloatVector b1 = FloatVector.fromArray(FLOATS, acc, accAt + 1 * PANEL_ROWS + LENGTH);
        FloatVector a2 = FloatVector.fromArray(FLOATS, acc, accAt + 2 * PANEL_ROWS);
        FloatVector b2 = FloatVector.fromArray(FLOATS, acc, accAt + 2 * PANEL_ROWS + LENGTH);
        FloatVector a3 = FloatVector.fromArray(FLOATS, acc, accAt + 3 * PANEL_ROWS);
        FloatVector b3 = FloatVector.fromArray(FLOATS, acc, accAt + 3 * PANEL_ROWS + LENGTH);
        FloatVector x;
        for (int k = 0; k < columns; k++) {
            int at = actAt + k * 4;
            FloatVector w0 = FloatVector.fromArray(FLOATS, panel, k * PANEL_ROWS);
            FloatVector w1 = FloatVector.fromArray(FLOATS, panel, k * PANEL_ROWS + LENGTH);
            x = FloatVector.broadcast(FLOATS, act[at + 0]);
            a0 = w0.fma(x, a0);
            b0 = w1.fma(x, b0);
            x = FloatVector.broadcast(FLOATS, act[at + 1]);
            a1 = w0.fma(x, a1);
            b1 = w1.fma(x, b1);
            x = FloatVector.broadcast(FLOATS, act[at + 2]);
            a2 = w0.fma(x, a2);
            b2 = w1.fma(x, b2);
            x = FloatVector.broadcast(FLOATS, act[at + 3]);
            a3 = w0.fma(x, a3);
            b3 = w1.fma(x, b3);
        }
        a0.intoArray(acc, accAt + 0 * PANEL_ROWS);
        b0.intoArray(acc, accAt + 0 * PANEL_ROWS + LENGTH);
        a1.intoArray(acc, accAt + 1 * PANEL_ROWS);
        b1.intoArray(acc, accAt + 1 * PANEL_ROWS + LENGTH);
        a2.intoArray(acc, accAt + 2 * PANEL_ROWS);
        b2.intoArray(acc, accAt + 2 * PANEL_ROWS + LENGTH);
        a3.intoArray(acc, accAt + 3 * PANEL_ROWS);
        b3.intoArray(acc, accAt + 3 * PANEL_ROWS + LENGTH);
    }
}
