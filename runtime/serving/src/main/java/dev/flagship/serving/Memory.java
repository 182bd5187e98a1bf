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
                public OffHeap allocate(long bytes) {
                    return OffHeap.allocate(bytes);
                }
            };

    /** Bytes that there are, used or not. */
    long total();

    OffHeap allocate(long bytes);
}
