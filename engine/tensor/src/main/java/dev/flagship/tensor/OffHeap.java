package dev.flagship.tensor;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;

/**
 * One piece of memory outside the heap with one owner, counted by {@link MemoryLedger}. Segments
 * cut from it die when it is closed; it may be used from any thread.
 */
public final class OffHeap implements AutoCloseable {
    private final Arena arena;
    private final MemorySegment segment;

    private OffHeap(Arena arena, MemorySegment segment) {
        this.arena = arena;
        this.segment = segment;
        MemoryLedger.opened(segment.byteSize());
    }

    /** Zeroed memory, 64-byte aligned. */
    @SuppressWarnings("MustBeClosedChecker") // the new object owns the arena
    public static OffHeap allocate(long bytes) {
        Arena arena = Arena.ofShared();
        try {
            return new OffHeap(arena, arena.allocate(Math.max(bytes, 1), 64).asSlice(0, bytes));
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /**
     * Memory that somebody else reserved, and that the arena, the new object's from now on, frees.
     */
    public static OffHeap of(Arena arena, MemorySegment segment) {
        return new OffHeap(arena, segment);
    }

    /**
     * Maps a whole file read-only.
     *
     * @throws IOException if it cannot be mapped; nothing stays open then
     */
    @SuppressWarnings("MustBeClosedChecker") // the new object owns the arena
    public static OffHeap map(FileChannel file) throws IOException {
        Arena arena = Arena.ofShared();
        try {
            return new OffHeap(
                    arena, file.map(FileChannel.MapMode.READ_ONLY, 0, file.size(), arena));
        } catch (IOException | RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    public MemorySegment segment() {
        return segment;
    }

    @Override
    public void close() {
        arena.close();
        MemoryLedger.closed(segment.byteSize());
    }
}
