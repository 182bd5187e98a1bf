package dev.flagship.testing;

import dev.flagship.tensor.Tensor;
import java.util.Random;

/** Rows of awkward numbers: what a model may meet, and what it meets once it has gone wrong. */
public final class Activations {
    /** Kinds of rows; any number of rows in a row meets all of them. */
    private static final int KINDS = 11;

    private Activations() {}

    /** Fills a tensor; row i is of another kind than row i + 1. */
    public static void fill(Tensor x, Random random) {
        int firstKind = random.nextInt(KINDS);
        for (int row = 0; row < x.rows(); row++) {
            x.put(row, row((firstKind + row) % KINDS, x.rowSize(), random));
        }
    }

    /** Fills a tensor with finite numbers of a moderate size. */
    static void fillUsual(Tensor x, Random random) {
        for (int row = 0; row < x.rows(); row++) {
            x.put(row, row(0, x.rowSize(), random));
        }
    }

    private static float[] row(int kind, int width, Random random) {
        float[] row = new float[width];
        for (int i = 0; i < width; i++) {
            float usual = (float) random.nextGaussian();
            row[i] =
                    switch (kind) {
                        case 1 -> random.nextInt(255) - 127; // int8 with a scale of 1
                        case 2 -> random.nextBoolean() ? 0f : -0f;
                        case 3 -> Float.MIN_VALUE * random.nextInt(-5000, 5000); // denormal
                        case 4 -> usual * 1e38f; // sums overflow
                        case 5 -> usual * (float) Math.pow(10, random.nextInt(-25, 25));
                        case 6 -> i % 32 == 0 ? 127f : random.nextInt(-126, 126) + 0.5f; // ties
                        case 7 -> usual * 1e5f;
                        case 10 -> random.nextBoolean() ? 5f : -5f; // int8: +127 and -127 alone
                        default -> usual;
                    };
        }
        if (kind == 8) {
            row[random.nextInt(width)] =
                    random.nextBoolean() ? Float.POSITIVE_INFINITY : Float.NEGATIVE_INFINITY;
        } else if (kind == 9) {
            // Quiet NaNs with a sign or a payload are as much NaN as the one of Java.
            int bits = random.nextBoolean() ? 0x7FC00000 : 0xFFC00000 | random.nextInt(1 << 22);
            row[random.nextInt(width)] = Float.intBitsToFloat(bits);
        }
        return row;
    }
}
