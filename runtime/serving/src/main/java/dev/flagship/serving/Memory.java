package dev.flagship.serving;

import com.sun.management.OperatingSystemMXBean;
import dev.flagship.tensor.OffHeap;
import java.lang.management.ManagementFactory;

/** The memory from which a KV pool is cut, and weights that no file keeps. */
interface Memory {

    /** What the operating system, or a container's limit, leaves to this process. */
    Memory OF_THIS_MACHINE =
            new Memory() {
                @Override
                public long total() {
                    var system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
                    return system.getTotalMemorySize();
                }

                @Override
                public long free() {
                    return FreeMemory.ofThisProcess().bytes().orElse(total());
                }

                @Override
                public OffHeap allocate(long bytes) {
                    return OffHeap.allocate(bytes);
                }
            };

    /** Bytes that there are, used or not. */
    long total();

    /** Bytes that could be taken without pushing anything out; all, where nobody can tell. */
    long free();

    OffHeap allocate(long bytes);
}
