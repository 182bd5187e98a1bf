package dev.flagship.tensor;

import static dev.flagship.base.Check.check;

/**
 * Extents of a row-major tensor: {@code rows} vectors, each of {@code heads} parts of {@code width}
 * numbers.
 *
 * @param rows first axis, usually the rows of a step (T)
 * @param heads second axis; 1 where rows are not split
 * @param width last, contiguous axis
 */
public record Shape(int rows, int heads, int width) {
    public Shape {
        check(
                rows >= 0 && heads > 0 && width > 0,
                "shape (%s, %s, %s): rows may be 0, heads and width must be positive",
                rows,
                heads,
                width);
    }

    public static Shape of(int rows, int width) {
        return new Shape(rows, 1, width);
    }

    /** Numbers in one row. */
    public int rowSize() {
        return Math.multiplyExact(heads, width);
    }

    public long elements() {
        return (long) rows * heads * width;
    }

    @Override
    public String toString() {
        return heads == 1
                ? "(%d, %d)".formatted(rows, width)
                : "(%d, %d, %d)".formatted(rows, heads, width);
    }
}
