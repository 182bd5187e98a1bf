package dev.flagship.kernels.x86;

import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * Linux's leave to use AMX's tile registers, which a process must ask for once (Linux
 * Documentation/arch/x86/xstate.rst): their 8 KiB are not saved at task switches otherwise.
 */
final class TileRegisters {
    private static final int ARCH_REQ_XCOMP_PERM = 0x1023;
    private static final long XFEATURE_XTILEDATA = 18;

    private TileRegisters() {}

    /** Asks for leave; false where the system knows no such thing or refuses. */
    static boolean permitted() {
        Optional<MemorySegment> found = Linker.nativeLinker().defaultLookup().find("arch_prctl");
        return found.isPresent()
                && (int)
                                Downcall.call(
                                        found.get(),
                                        ARCH_REQ_XCOMP_PERM,
                                        XFEATURE_XTILEDATA,
                                        0,
                                        0,
                                        0,
                                        0)
                        == 0;
    }
}
