package dev.flagship.kernels.vector;

import static dev.flagship.tensor.BandMatrix.BLOCK;

import dev.flagship.tensor.CanonicalMath;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * The rows of one product, packed in tiles of columns: {@code [k][column of the tile]}, a tile of w
 * columns that starts at column c taking w·K numbers from c·K. A single row is kept as it is.
 */
final class Activations {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED;

    private static final int HALF = BLOCK / 2;

    private int rows;
    private int cols;
    private int tiles;

    /** Numbers: int8 as floats, or the plain F32 numbers. */
    float[] numbers = {};

    /** Plain F32 numbers, where int8 and plain weights share a product. */
    float[] plain = {};

    /** sa, laid out like numbers with K/32 for K. */
    float[] scales = {};

    /** sa·Σ a, laid out like scales. */
    float[] sums = {};

    /** sa·Σ a of 16 numbers, laid out like numbers with K/16 for K. */
    float[] halfSums = {};

    /** Σ a of a single row. */
    float[] rowSums = {};

    /** Single row in int8, as {@link Gemv#pack8} and its like lay it out. */
    int[] for8 = {};

    int[] for4 = {};

    int[] for6 = {};

    private boolean eightBit;
    private boolean fourBit;
    private boolean sixBit;
    private boolean panels;
    private boolean halves;
    private boolean plainToo;

    /** Starts anew; say next which weights the rows {@link #meet}. */
    void begin(int rows, int cols) {
        this.rows = rows;
        this.cols = cols;
        eightBit = false;
        fourBit = false;
        sixBit = false;
        panels = false;
        halves = false;
        plainToo = false;
    }

    /** The rows will be multiplied by weights of this type. */
    void meet(DType type, Numerics numerics) {
        if (numerics == Numerics.EXACT || !type.quantized()) {
            plainToo = true;
            return;
        }
        panels |= rows > 1 || !Gemv.multiplies(type);
        halves |= type == DType.Q2_K;
        eightBit |= rows == 1 && type == DType.Q8_0;
        sixBit |= rows == 1 && type == DType.Q6_K;
        fourBit |= rows == 1 && Gemv.multiplies(type) && type.bits() == 4;
    }

    /** Whether any of the weights meets the rows in int8. */
    boolean int8() {
        return eightBit || fourBit || sixBit || panels;
    }

    /** Whether any of the weights meets the rows in F32. */
    boolean plain() {
        return plainToo;
    }

    /** Makes room for what the weights need. */
    void room() {
        int full = rows == 1 ? 0 : rows / GemmTiles.FULL;
        int rest =
                rows == 1
                        ? 1
                        : (rows - full * GemmTiles.FULL + GemmTiles.REST - 1) / GemmTiles.REST;
        tiles = full + rest;
        int padded = rows == 1 ? 1 : full * GemmTiles.FULL + rest * GemmTiles.REST;
        numbers = sized(numbers, panels ? padded * cols : 0);
        scales = sized(scales, int8() ? padded * (cols / BLOCK) : 0);
        sums = sized(sums, int8() ? padded * (cols / BLOCK) : 0);
        rowSums = sized(rowSums, int8() ? cols / BLOCK : 0);
        halfSums = sized(halfSums, halves ? padded * (cols / HALF) : 0);
        for8 = sized(for8, eightBit ? cols / 4 * Gemv.FACTORS_8 : 0);
        for4 = sized(for4, fourBit ? cols / 8 * Gemv.FACTORS_4 : 0);
        for6 = sized(for6, sixBit ? cols / 16 * Gemv.FACTORS_6 : 0);
        plain = sized(plain, plainToo ? padded * cols : 0);
    }

    private static float[] sized(float[] array, int length) {
        return array.length >= length ? array : new float[length];
    }

    private static int[] sized(int[] array, int length) {
        return array.length >= length ? array : new int[length];
    }

    int tiles() {
        return tiles;
    }

    /** First column of a tile. */
    int start(int tile) {
        int full = rows == 1 ? 0 : rows / GemmTiles.FULL;
        return tile <= full
                ? tile * GemmTiles.FULL
                : full * GemmTiles.FULL + (tile - full) * GemmTiles.REST;
    }

    int width(int tile) {
        if (rows == 1) {
            return 1;
        }
        return tile < rows / GemmTiles.FULL ? GemmTiles.FULL : GemmTiles.REST;
    }

    void packPlain(Tensor x, int tile) {
        int start = start(tile);
        int width = width(tile);
        for (int c = 0; c < width; c++) {
            int at = start * cols + c;
            if (start + c < rows) {
                long row = (start + c) * (cols * 4L);
                MemorySegment data = x.data();
                for (int k = 0; k < cols; k++) {
                    plain[at + k * width] = data.get(F32, row + k * 4L);
                }
            } else {
                for (int k = 0; k < cols; k++) {
                    plain[at + k * width] = 0f;
                }
            }
        }
    }

    /**
     * @param row receives the tile's rows in turn, K numbers
     * @param quants receives their int8 numbers
     */
    void packInt8(Tensor x, int tile, float[] row, int[] quants) {
        int start = start(tile);
        int width = width(tile);
        int blocks = cols / BLOCK;
        for (int c = 0; c < width; c++) {
            int at = start * cols + c;
            int scaleAt = start * blocks + c;
            if (start + c < rows) {
                MemorySegment.copy(x.data(), F32, (start + c) * (cols * 4L), row, 0, cols);
                for (int block = 0; block < blocks; block++) {
                    quantize(row, quants, block, scaleAt + block * width);
                    if (halves) {
                        halfSums(quants, block, scales[scaleAt + block * width], start, c, width);
                    }
                }
            } else {
                Arrays.fill(quants, 0, cols, 0);
                for (int block = 0; block < blocks; block++) {
                    scales[scaleAt + block * width] = 0f;
                    sums[scaleAt + block * width] = 0f;
                    if (halves) {
                        halfSums(quants, block, 0f, start, c, width);
                    }
                }
            }
            if (panels) {
                for (int k = 0; k < cols; k++) {
                    numbers[at + k * width] = quants[k];
                }
            }
        }
        if (eightBit) {
            Gemv.pack8(quants, cols, for8);
        }
        if (fourBit) {
            Gemv.pack4(quants, cols, for4);
        }
        if (sixBit) {
            Gemv.pack6(quants, cols, for6);
        }
    }

    private void quantize(float[] row, int[] quants, int block, int scaleAt) {
        int from = block * BLOCK;
        float amax = Int8Blocks.largest(row, from);
        float scale = CanonicalMath.int8Scale(amax);
        int sum = Int8Blocks.round(row, from, CanonicalMath.int8Inverse(amax), quants, from);
        scales[scaleAt] = scale;
        sums[scaleAt] = scale * sum;
        if (rows == 1) {
            rowSums[block] = sum;
        }
    }

    private void halfSums(int[] quants, int block, float scale, int start, int c, int width) {
        for (int half = 0; half < 2; half++) {
            int sum = 0;
            for (int k = block * BLOCK + half * HALF; k < block * BLOCK + (half + 1) * HALF; k++) {
                sum += quants[k];
            }
            halfSums[start * (cols / HALF) + (2 * block + half) * width + c] = scale * sum;
        }
    }
}
