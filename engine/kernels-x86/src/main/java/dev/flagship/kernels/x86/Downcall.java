package dev.flagship.kernels.x86;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Collections;

/**
 * The one way from Java into emitted code and the C library. A plain downcall, so a collection need
 * not wait for a kernel; it costs about 10 ns.
 *
 * <p>All calls have one shape, six longs for a long, whatever the callee reads of them: it is how
 * System V's convention for x86-64 passes integers (psABI 3.2.3), and each shape that Java links
 * costs tens of milliseconds of a start.
 */
final class Downcall {
    private static final int ARGUMENTS = 6;

    /** What C functions take and give. */
    static final FunctionDescriptor SHAPE =
            FunctionDescriptor.of(
                    JAVA_LONG,
                    Collections.nCopies(ARGUMENTS, JAVA_LONG).toArray(MemoryLayout[]::new));

    private static final MethodHandle CALL = Linker.nativeLinker().downcallHandle(SHAPE);

    private Downcall() {}

    /**
     * Calls a kernel.
     *
     * @param params address of its block of longs
     */
    static void call(MemorySegment entry, long params) {
        long _ = call(entry, params, 0, 0, 0, 0, 0);
    }

    /**
     * Calls a function of up to six integers and addresses.
     *
     * @return what it gives; of an int only the lower half counts
     */
    static long call(MemorySegment function, long a, long b, long c, long d, long e, long f) {
        try {
            return (long) CALL.invokeExact(function, a, b, c, d, e, f);
        } catch (RuntimeException | Error thrown) {
            throw thrown;
        } catch (Throwable thrown) {
            throw new IllegalStateException("native code threw", thrown);
        }
    }
}
