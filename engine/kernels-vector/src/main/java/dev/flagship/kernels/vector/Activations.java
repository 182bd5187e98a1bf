package dev.flagship.kernels.vector;

import static dev.flagship.tensor.BandMatrix.BLOCK;

import dev.flagship.tensor.CanonicalMath;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The rows of one product, packed in tiles of columns: {@code [k][column of the tile]}, a tile of w
 * columns that starts at column c taking w·K numbers from c·K. A single row is kept as it is.
 */
final class Activations {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED;

    private int rows;
    private int cols;
    private int tiles;

    /** Numbers: int8 as floats, or the plain F32 numbers. */
    float[] numbers = {};

    /** Plain F32 numbers, where int8 and plain weights share a product. */
    float[] plain = {};

    /** sa, laid out like numbers with K/32 for K. */
    float[] scales = {};

    /** Σ a for one row, sa·Σ a for tiles: the Gemv needs both, the tiles only the product. */
    float[] sums = {};

    /** Single row in int8: numbers times the prescale of 8-bit and of 4-bit lines. */
    float[] for8 = {};

    float[] for4 = {};

    void shape(int rows, int cols, boolean int8, boolean plainToo) {
        this.rows = rows;
        this.cols = cols;
        int full = rows == 1 ? 0 : rows / GemmTiles.FULL;
        int rest =
                rows == 1
                        ? 1
                        : (rows - full * GemmTiles.FULL + GemmTiles.REST - 1) / GemmTiles.REST;
        tiles = full + rest;
        int padded = rows == 1 ? 1 : full * GemmTiles.FULL + rest * GemmTiles.REST;
        if (int8) {
            numbers = sized(numbers, padded * cols);
            scales = sized(scales, padded * (cols / BLOCK));
            sums = sized(sums, padded * (cols / BLOCK));
            if (rows == 1) {
                for8 = sized(for8, cols);
                for4 = sized(for4, cols);
            }
        }
        if (plainToo) {
            plain = sized(plain, padded * cols);
        }
    }

    private static float[] sized(float[] array, int length) {
        return array.length >= length ? array : new float[length];
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

    void packInt8(Tensor x, int tile, float[] row) {
        int start = start(tile);
        int width = width(tile);
        int blocks = cols / BLOCK;
        for (int c = 0; c < width; c++) {
            int at = start * cols + c;
            int scaleAt = start * blocks + c;
            if (start + c < rows) {
                MemorySegment.copy(x.data(), F32, (start + c) * (cols * 4L), row, 0, cols);
                for (int block = 0; block < blocks; block++) {
                    quantize(row, block, at, scaleAt, width);
                }
            } else {
                for (int k = 0; k < cols; k++) {
                    numbers[at + k * width] = 0f;
                }
                for (int block = 0; block < blocks; block++) {
                    scales[scaleAt + block * width] = 0f;
                    sums[scaleAt + block * width] = 0f;
                }
            }
        }
        if (rows == 1) {
            for (int k = 0; k < cols; k++) {
                for8[k] = numbers[k] * Gemv.prescale8(k);
                for4[k] = numbers[k] * Gemv.prescale4(k);
            }
        }
    }

    private void quantize(float[] row, int block, int at, int scaleAt, int width) {
        int from = block * BLOCK;
        int bits = 0;
        for (int k = from; k < from + BLOCK; k++) {
            bits = Math.max(bits, Float.floatToRawIntBits(row[k]) & 0x7FFFFFFF);
        }
        float amax = Float.intBitsToFloat(bits);
        float scale = CanonicalMath.int8Scale(amax);
        float inverse = CanonicalMath.int8Inverse(amax);
        int sum = 0;
        for (int k = from; k < from + BLOCK; k++) {
            int q = CanonicalMath.int8(row[k], inverse);
            sum += q;
            numbers[at + k * width] = q;
        }
        scales[scaleAt + block * width] = scale;
        sums[scaleAt + block * width] = rows == 1 ? sum : scale * sum;
    }
}
