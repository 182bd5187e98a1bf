package dev.flagship.kernels.x86;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Memory that ends at a page which nobody may touch. */
final class GuardPages implements AutoCloseable {
    private final Pages pages = new LinuxPages();
    private final List<Region> regions = new ArrayList<>();

    private record Region(long address, long bytes) {}

    /** Zeroed bytes, the last of them the last of a page. */
    MemorySegment take(long bytes) {
        long usable = Math.ceilDiv(bytes, (long) Pages.PAGE) * Pages.PAGE;
        long whole = usable + 2L * Pages.PAGE;
        long address = pages.reserve(whole);
        if (address < 0
                || pages.protect(address + Pages.PAGE, usable, Pages.Access.READ_WRITE) != 0) {
            throw new AssertionError("no memory");
        }
        regions.add(new Region(address, whole));
        return MemorySegment.ofAddress(address + Pages.PAGE + usable - bytes).reinterpret(bytes);
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
