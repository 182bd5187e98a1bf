package dev.flagship.kernels.x86;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** mmap, mprotect and munmap of Linux on x86-64 (man 2 mmap; the constants are the kernel's). */
final class LinuxPages implements Pages {
    private static final int MAP_PRIVATE = 0x02;
    private static final int MAP_ANONYMOUS = 0x20;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final Linker.Option ERRNO = Linker.Option.captureCallState("errno");
    private static final ValueLayout.OfInt ERRNO_LAYOUT =
            (ValueLayout.OfInt)
                    Linker.Option.captureStateLayout()
                            .select(MemoryLayout.PathElement.groupElement("errno"));
    private static final long ERRNO_OFFSET =
            Linker.Option.captureStateLayout()
                    .byteOffset(MemoryLayout.PathElement.groupElement("errno"));

    private static final MethodHandle MMAP =
            call(
                    "mmap",
                    FunctionDescriptor.of(
                            JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT,
                            JAVA_LONG));
    private static final MethodHandle MPROTECT =
            call("mprotect", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    private static final MethodHandle MUNMAP =
            call("munmap", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));

    private static MethodHandle call(String name, FunctionDescriptor type) {
        return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), type, ERRNO);
    }

    private static MemorySegment state(Arena arena) {
        return arena.allocate(Linker.Option.captureStateLayout());
    }

    private static int errno(MemorySegment state) {
        return state.get(ERRNO_LAYOUT, ERRNO_OFFSET);
    }

    @Override
    public long reserve(long bytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = state(arena);
            long address =
                    (long)
                            MMAP.invokeExact(
                                    state,
                                    MemorySegment.NULL,
                                    bytes,
                                    Access.NONE.bits,
                                    MAP_PRIVATE | MAP_ANONYMOUS,
                                    -1,
                                    0L);
            return address == -1 ? -errno(state) : address;
        } catch (Throwable t) {
            throw new IllegalStateException("mmap cannot be called", t);
        }
    }

    @Override
    public int protect(long address, long bytes, Access access) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = state(arena);
            int result = (int) MPROTECT.invokeExact(state, address, bytes, access.bits);
            return result == 0 ? 0 : errno(state);
        } catch (Throwable t) {
            throw new IllegalStateException("mprotect cannot be called", t);
        }
    }

    @Override
    public void release(long address, long bytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = state(arena);
            int result = (int) MUNMAP.invokeExact(state, address, bytes);
            if (result != 0) {
                throw new IllegalStateException(
                        "munmap of %x failed with errno %d".formatted(address, errno(state)));
            }
        } catch (IllegalStateException e) {
            throw e;
        } catch (Throwable t) {
            throw new IllegalStateException("munmap cannot be called", t);
        }
    }
}
