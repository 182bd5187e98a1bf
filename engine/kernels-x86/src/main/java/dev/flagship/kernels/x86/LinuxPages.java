package dev.flagship.kernels.x86;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.flagship.tensor.OffHeap;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * mmap, mprotect, madvise and munmap of Linux on x86-64 (man 2 mmap; the constants are the
 * kernel's).
 */
final class LinuxPages implements Pages {
    private static final int MAP_PRIVATE = 0x02;
    private static final int MAP_ANONYMOUS = 0x20;

    private static final int MADV_HUGEPAGE = 14;

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

    private static final MethodHandle MADVISE =
            call("madvise", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));

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

    /**
     * Zeroed memory that the system gives page by page as it is touched, in large pages where it
     * has them. Large pages spare attention a part of its address lookups: what it reads lies
     * apart.
     */
    @SuppressWarnings("MustBeClosedChecker") // the new object owns the arena
    static OffHeap memory(long bytes) {
        LinuxPages pages = new LinuxPages();
        long all = Math.max(bytes, 1);
        long address = pages.reserve(all);
        if (address < 0) {
            return OffHeap.allocate(bytes); // or the error of a machine without so much memory
        }
        if (pages.protect(address, all, Access.READ_WRITE) != 0) {
            pages.release(address, all);
            return OffHeap.allocate(bytes);
        }
        pages.adviseLarge(address, all);
        Arena arena = Arena.ofShared();
        MemorySegment segment =
                MemorySegment.ofAddress(address)
                        .reinterpret(bytes, arena, _ -> pages.release(address, all));
        return OffHeap.of(arena, segment);
    }

    /** Advice that a system without large pages may refuse. */
    private void adviseLarge(long address, long bytes) {
        try (Arena arena = Arena.ofConfined()) {
            int _ = (int) MADVISE.invokeExact(state(arena), address, bytes, MADV_HUGEPAGE);
        } catch (Throwable t) {
            throw new IllegalStateException("madvise cannot be called", t);
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
