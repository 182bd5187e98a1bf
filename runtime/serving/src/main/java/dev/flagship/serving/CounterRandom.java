package dev.flagship.serving;

/**
 * Random numbers without state: a number depends on seed, choice and position alone. So there is
 * nothing to roll back, and neither batching nor a restart changes an answer. SplitMix64's
 * finaliser (Steele, Lea, Flood, OOPSLA 2014) over a Weyl sequence.
 */
final class CounterRandom {
    private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;

    private CounterRandom() {}

    /** Uniform in [0, 1), 53 bits. */
    static double uniform(long seed, int choice, int position) {
        long x = mix(seed + GOLDEN_GAMMA);
        x = mix(x + GOLDEN_GAMMA * (1L + choice));
        x = mix(x + GOLDEN_GAMMA * (1L + position));
        return (x >>> 11) * 0x1p-53;
    }

    private static long mix(long z) {
        long a = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        long b = (a ^ (a >>> 27)) * 0x94D049BB133111EBL;
        return b ^ (b >>> 31);
    }
}
