package dev.flagship.kernels.x86;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** Placed kernels for tests, which are skipped where the processor cannot run them. */
final class Libraries {
    private Libraries() {}

    static KernelLibrary load() {
        return load(Isa.AVX512_VNNI);
    }

    static KernelLibrary load(Isa isa) {
        return load(new LinuxPages(), isa);
    }

    static KernelLibrary load(Pages pages) {
        return load(pages, Isa.AVX512_VNNI);
    }

    static KernelLibrary load(Pages pages, Isa isa) {
        assumeTrue(runs(isa), "no " + isa.tag + " here");
        return ((KernelLibrary.Loaded) KernelLibrary.load(pages, isa, Tuning.usual(isa))).library();
    }

    /** Whether this processor runs such kernels. */
    static boolean runs(Isa isa) {
        return isa.lacking(features()).isEmpty();
    }

    static CpuFeatures features() {
        return ((CpuProbe.Found) CpuProbe.run(new LinuxPages())).features();
    }
}
