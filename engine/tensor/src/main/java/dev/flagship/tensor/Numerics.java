package dev.flagship.tensor;

import java.util.Locale;

/** How products are computed. Both modes give the same bits on every rung. */
public enum Numerics {
    /**
     * Weights widened to F32, F32 activations; with a KV cache of F32, parity with the reference.
     */
    EXACT,
    /** Quantised weights meet activations rounded to int8 per 32 values. */
    FAST;

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
