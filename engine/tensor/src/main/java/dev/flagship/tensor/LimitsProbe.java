package dev.flagship.tensor;

import java.lang.foreign.MemorySegment;

/**
 * A loop that does nothing but read, as fast as it can be done: what the reading of weights is
 * measured against. Found by {@link java.util.ServiceLoader}, and like {@link KernelsProvider} it
 * must load without touching what its host may lack. Safe for use from several threads at once.
 */
public interface LimitsProbe {

    /** Whether the loop can run here. */
    boolean available();

    /**
     * Reads every whole 64 bytes of a piece once, in the order that is fastest here.
     *
     * @return a number that depends on all of them, to be kept, so that no read can be left out
     */
    int read(MemorySegment piece);
}
