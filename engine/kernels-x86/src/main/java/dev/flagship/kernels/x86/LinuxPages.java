package dev.flagship.kernels.x86;

import dev.flagship.tensor.OffHeap;
import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/**
 * mmap, mprotect, madvise and munmap of Linux on x86-64 (man 2 mmap; the constants are the
 * kernel's).
 */
final class LinuxPages implements Pages {
    private static final int MAP_PRIVATE = 0x02;
    private static final int MAP_ANONYMOUS = 0x20;

    private static final int MADV_HUGEPAGE = 14;

    private static final MemorySegment MMAP = function("mmap");
    private static final MemorySegment MPROTECT = function("mprotect");
    private static final MemorySegment MUNMAP = function("munmap");
    private static final MemorySegment MADVISE = function("madvise");

    private static MemorySegment function(String name) {
        return Linker.nativeLinker().defaultLookup().findOrThrow(name);
    }

    /**
     * A call once more that failed, to learn why: Java keeps errno for calls of a shape of their
     * own alone, which a start without failures need not link.
     */
    private static final class Again {
        private static final MethodHandle CALL =
                Linker.nativeLinker()
                        .downcallHandle(Downcall.SHAPE, Linker.Option.captureCallState("errno"));
        private static final VarHandle ERRNO =
                Linker.Option.captureStateLayout()
                        .varHandle(MemoryLayout.PathElement.groupElement("errno"));

        private Again() {}

        /** What the function gives now, or −errno where it gives −1. */
        static long call(MemorySegment function, long a, long b, long c, long d, long e) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment state = arena.allocate(Linker.Option.captureStateLayout());
                long result = (long) CALL.invokeExact(function, state, a, b, c, d, e, 0L);
                return (int) result == -1 ? -(int) ERRNO.get(state, 0L) : result;
            } catch (Throwable t) {
                throw new IllegalStateException("the C library cannot be called", t);
            }
        }
    }

    @Override
    public long reserve(long bytes) {
        long access = Access.NONE.bits;
        long flags = MAP_PRIVATE | MAP_ANONYMOUS;
        long address = Downcall.call(MMAP, 0, bytes, access, flags, -1, 0);
        return address == -1 ? Again.call(MMAP, 0, bytes, access, flags, -1) : address;
    }

    @Override
    public int protect(long address, long bytes, Access access) {
        int result = (int) Downcall.call(MPROTECT, address, bytes, access.bits, 0, 0, 0);
        return result == 0 ? 0 : (int) -Again.call(MPROTECT, address, bytes, access.bits, 0, 0);
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
        long _ = Downcall.call(MADVISE, address, bytes, MADV_HUGEPAGE, 0, 0, 0);
    }

    @Override
    public void release(long address, long bytes) {
        if ((int) Downcall.call(MUNMAP, address, bytes, 0, 0, 0, 0) != 0) {
            long errno = -Again.call(MUNMAP, address, bytes, 0, 0, 0);
            throw new IllegalStateException(
                    "munmap of %x failed with errno %d".formatted(address, errno));
        }
    }
}
