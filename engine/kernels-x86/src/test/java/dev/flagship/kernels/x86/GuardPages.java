package dev.flagship.kernels.x86;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Memory that ends, or begins, at a page which nobody may touch. */
final class GuardPages implements AutoCloseable {
    private final Pages pages = new LinuxPages();
    private final List<Region> regions = new ArrayList<>();

    private record Region(long address, long bytes) {}

    /** Zeroed bytes, the last of them the last of a page: no one may touch what follows. */
    MemorySegment take(long bytes) {
        long usable = usable(bytes);
        return reserve(usable).asSlice(usable - bytes);
    }

    /** Zeroed bytes, the first of them the first of a page: no one may touch what is before. */
    MemorySegment takeBehind(long bytes) {
        return reserve(usable(bytes)).asSlice(0, bytes);
    }

    /** One of each, for what is written. */
    List<MemorySegment> both(long bytes) {
        return List.of(take(bytes), takeBehind(bytes));
    }

    private static long usable(long bytes) {
        return Math.ceilDiv(bytes, (long) Pages.PAGE) * Pages.PAGE;
    }

    /** Whole pages between two that nobody may touch. */
    private MemorySegment reserve(long usable) {
        long whole = usable + 2L * Pages.PAGE;
        long address = pages.reserve(whole);
        if (address < 0
                || pages.protect(address + Pages.PAGE, usable, Pages.Access.READ_WRITE) != 0) {
            throw new AssertionError("no memory");
        }
        regions.add(new Region(address, whole));
        return MemorySegment.ofAddress(address + Pages.PAGE).reinterpret(usable);
    }

    MemorySegment copy(MemorySegment source) {
        return take(source.byteSize()).copyFrom(source);
    }

    @Override
    public void close() {
        for (Region region : regions) {
            pages.release(region.address(), region.bytes());
        }
    }
}
