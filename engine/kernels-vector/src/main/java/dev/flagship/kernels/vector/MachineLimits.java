package dev.flagship.kernels.vector;

import dev.flagship.tensor.LimitsProbe;
import java.lang.foreign.MemorySegment;

/** The speed of reading that vectors of this machine's preferred length reach. */
public final class MachineLimits implements LimitsProbe {
    public MachineLimits() {}

    @Override
    public boolean available() {
        // Asked before any class that links to the module is touched.
        return ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
    }

    @Override
    public int read(MemorySegment piece) {
        return PeakLoops.read(piece);
    }
}
