package dev.flagship.testing;

import dev.flagship.tensor.Tensor;

/** Equality of results to the last bit, where any NaN equals any other. */
public final class Bits {
    private Bits() {}

    /** Whether two numbers are the same bits, or both NaN. */
    public static boolean same(float a, float b) {
        return Float.floatToRawIntBits(a) == Float.floatToRawIntBits(b)
                || (Float.isNaN(a) && Float.isNaN(b));
    }

    /**
     * Fails at the first number that differs.
     *
     * @throws AssertionError naming the place and both numbers
     */
    public static void assertSame(String what, Tensor actual, Tensor expected) {
        if (!actual.shape().equals(expected.shape())) {
            throw new AssertionError(
                    "%s: shape %s, expected %s".formatted(what, actual.shape(), expected.shape()));
        }
        for (int row = 0; row < expected.rows(); row++) {
            assertSameRow(what, actual, row, expected, row);
        }
    }

    /**
     * Fails at the first number of a row that differs.
     *
     * @throws AssertionError naming the place and both numbers
     */
    public static void assertSameRow(
            String what, Tensor actual, int row, Tensor expected, int expectedRow) {
        for (int i = 0; i < expected.rowSize(); i++) {
            float a = actual.get(row, i);
            float e = expected.get(expectedRow, i);
            if (!same(a, e)) {
                throw new AssertionError(
                        "%s: [%d, %d] is %s (%08x), expected %s (%08x)"
                                .formatted(
                                        what,
                                        row,
                                        i,
                                        a,
                                        Float.floatToRawIntBits(a),
                                        e,
                                        Float.floatToRawIntBits(e)));
            }
        }
    }

    /** Fails unless the numbers are the same bits, or both NaN. */
    public static void assertSame(String what, float actual, float expected) {
        if (!same(actual, expected)) {
            throw new AssertionError("%s: %s, expected %s".formatted(what, actual, expected));
        }
    }
}
