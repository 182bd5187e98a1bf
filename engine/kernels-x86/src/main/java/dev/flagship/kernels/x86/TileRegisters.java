package dev.flagship.kernels.x86;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
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
        Linker linker = Linker.nativeLinker();
        Optional<MemorySegment> found = linker.defaultLookup().find("arch_prctl");
        if (found.isEmpty()) {
            return false;
        }
        MethodHandle archPrctl =
                linker.downcallHandle(
                        found.get(), FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG));
        try {
            return (int) archPrctl.invokeExact(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
        } catch (Throwable t) {
            throw new IllegalStateException("arch_prctl cannot be called", t);
        }
    }
}
