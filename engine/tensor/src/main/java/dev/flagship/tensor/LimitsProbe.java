package dev.flagship.tensor;

import java.lang.foreign.MemorySegment;

/**
 * Loops that do nothing but read, or nothing but multiply and add, as fast as a rung can: what its
 * products are measured against. Found by {@link java.util.ServiceLoader}, and like {@link
 * KernelsProvider} it must load without touching what its host may lack. Safe for use from several
 * threads at once.
 */
public interface LimitsProbe {

    /** Name of the rung's vectors, for people: {@code vector-512}. */
    String name();

    /** Whether the loops can run here. */
    boolean available();

    /**
     * Reads every whole 64 bytes of a piece once, in the order that is fastest here.
     *
     * @return a number that depends on all of them, to be kept, so that no read can be left out
     */
    int read(MemorySegment piece);

    /**
     * Fused multiply-adds of F32 vectors that stay in registers, enough of them in flight to hide
     * their latency.
     *
     * @return a number that depends on all of them
     */
    float multiplyAdd(int rounds);

    /** Floating-point operations of one round; a fused multiply-add counts as two. */
    long operationsPerRound();
}
