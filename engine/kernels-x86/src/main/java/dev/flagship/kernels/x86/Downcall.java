package dev.flagship.kernels.x86;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * The one way from Java into emitted code. A plain downcall, so a collection need not wait for a
 * kernel; it costs about 10 ns.
 */
final class Downcall {
    private static final MethodHandle CALL =
            Linker.nativeLinker().downcallHandle(FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG));

    private Downcall() {}

    /**
     * Calls a kernel.
     *
     * @param params address of its block of longs
     */
    static void call(MemorySegment entry, long params) {
        try {
            CALL.invokeExact(entry, params);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable t) {
            throw new IllegalStateException("emitted code threw", t);
        }
    }
}
