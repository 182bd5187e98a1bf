package dev.flagship.tensor;

import java.util.Arrays;

/**
 * Cosines and sines of rotary position embedding (arXiv:2104.09864) for positions 0, 1, 2, …, grown
 * on demand. Angles are rounded to F32 before the sine is taken, as the reference does: at position
 * 1,000 that is 10⁻⁵ of angle.
 *
 * <p>Not thread-safe: the step thread grows it before it starts the kernels.
 */
public final class RopeTable {
    private final float[] inverseFrequencies;
    private float[] cos = {};
    private float[] sin = {};
    private int positions;

    /**
     * @param inverseFrequencies angle per position of each pair (E/2)
     */
    public RopeTable(float[] inverseFrequencies) {
        this.inverseFrequencies = inverseFrequencies.clone();
    }

    /** Pairs that one position rotates: E/2. */
    public int pairs() {
        return inverseFrequencies.length;
    }

    /** Makes positions [0, count) available. */
    public void ensure(int count) {
        if (count <= positions) {
            return;
        }
        int grown = Math.max(count, Math.max(64, Math.min(positions * 2, positions + 1024)));
        cos = Arrays.copyOf(cos, grown * pairs());
        sin = Arrays.copyOf(sin, grown * pairs());
        for (int position = positions; position < grown; position++) {
            for (int i = 0; i < pairs(); i++) {
                float angle = position * inverseFrequencies[i];
                cos[position * pairs() + i] = (float) StrictMath.cos(angle);
                sin[position * pairs() + i] = (float) StrictMath.sin(angle);
            }
        }
        positions = grown;
    }

    /** cos of position p, pair i at p·pairs + i. Valid until the next {@link #ensure}. */
    public float[] cos() {
        return cos;
    }

    /** sin, laid out as {@link #cos}. */
    public float[] sin() {
        return sin;
    }
}
