package dev.flagship.kernels.x86;

import dev.flagship.tensor.OffHeap;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** What one thread works in: its block of parameters, and scratch. */
final class Worker implements AutoCloseable {
    private static final ValueLayout.OfLong SLOT = ValueLayout.JAVA_LONG;

    private final OffHeap params;
    private OffHeap scratch = OffHeap.allocate(0);

    /**
     * @param slots of its parameters, as many as the greediest of its kernels has
     */
    Worker(int slots) {
        params = OffHeap.allocate(8L * slots);
    }

    void set(int slot, long value) {
        params.segment().setAtIndex(SLOT, slot, value);
    }

    void call(MemorySegment entry) {
        Downcall.call(entry, params.segment().address());
    }

    /** Address of so many bytes at least, aligned to a cache line; what they held may be lost. */
    long scratch(long bytes) {
        scratch = sized(scratch, bytes);
        return scratch.segment().address();
    }

    /** The same memory, or larger one in its place. */
    static OffHeap sized(OffHeap memory, long bytes) {
        if (memory.segment().byteSize() >= bytes) {
            return memory;
        }
        OffHeap larger = OffHeap.allocate(bytes);
        memory.close();
        return larger;
    }

    /** Emitted code cannot notice that memory was closed. */
    static void alive(MemorySegment segment) {
        if (!segment.scope().isAlive()) {
            throw new IllegalStateException("project: an operand's memory is closed");
        }
    }

    /** A byte of ones for each of 8 bits, of which the set ones are the lowest. */
    static long bytesOf(long bits) {
        return bits == 0xFF ? -1 : (1L << 8 * Long.bitCount(bits)) - 1;
    }

    @Override
    public void close() {
        params.close();
        scratch.close();
    }
}
