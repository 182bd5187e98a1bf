package dev.flagship.testing;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.BandPacker;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.IntUnaryOperator;

/**
 * Memory in which everything has a wall of known bytes on both sides and starts at a random
 * address, aligned to nothing. {@link #verifyWalls} tells who wrote past an end, though the
 * neighbours are alive and no fault was raised.
 */
public final class GuardedMemory implements AutoCloseable {
    private static final byte WALL = 0x5A;
    private static final int WALL_BYTES = 128;

    /** What a fresh tensor holds, so that an output that nobody wrote shows. */
    public static final float UNWRITTEN = -12345.678f;

    private final OffHeap memory;
    private final Random random;
    private final List<MemorySegment> walls = new ArrayList<>();
    private long used;

    /**
     * @param bytes for everything that is alive between two calls of {@link #reset}
     */
    public GuardedMemory(long bytes, Random random) {
        this.memory = OffHeap.allocate(bytes);
        this.random = random;
    }

    /** Zeroed bytes between two walls. */
    public MemorySegment take(long bytes) {
        int before = WALL_BYTES + random.nextInt(64);
        MemorySegment whole = memory.segment().asSlice(used, before + bytes + WALL_BYTES);
        used += whole.byteSize();
        wall(whole.asSlice(0, before));
        wall(whole.asSlice(before + bytes));
        return whole.asSlice(before, bytes).fill((byte) 0);
    }

    /** All of it, walls and neighbours: for proving that walls are seen. */
    MemorySegment segment() {
        return memory.segment();
    }

    private void wall(MemorySegment bytes) {
        walls.add(bytes.fill(WALL));
    }

    /** A tensor whose numbers are all {@link #UNWRITTEN}. */
    public Tensor tensor(Shape shape) {
        MemorySegment data = take(shape.elements() * 4);
        for (long i = 0; i < shape.elements(); i++) {
            data.set(ValueLayout.JAVA_FLOAT_UNALIGNED, i * 4, UNWRITTEN);
        }
        return Tensor.of(shape, data);
    }

    /** A tensor (rows, width) whose numbers are all {@link #UNWRITTEN}. */
    public Tensor tensor(int rows, int width) {
        return tensor(Shape.of(rows, width));
    }

    /** A copy elsewhere, of the same shape. */
    public Tensor copy(Tensor tensor) {
        MemorySegment data = take(tensor.data().byteSize());
        return Tensor.of(tensor.shape(), data.copyFrom(tensor.data()));
    }

    /** Packs row-major blocks as {@link DType} describes them. */
    public BandMatrix matrix(String name, DType type, int rows, int cols, byte[] source) {
        return matrix(name, type, rows, cols, source, IntUnaryOperator.identity());
    }

    /**
     * Packs row-major blocks as {@link DType} describes them.
     *
     * @param rowOrder the source row of each row of the matrix
     */
    public BandMatrix matrix(
            String name, DType type, int rows, int cols, byte[] source, IntUnaryOperator rowOrder) {
        MemorySegment numbers = take(BandMatrix.numberBytes(type, rows, cols));
        MemorySegment scales = take(BandMatrix.scaleBytes(type, rows, cols));
        new BandPacker(name, type, rows, cols, MemorySegment.ofArray(source), rowOrder)
                .pack(0, BandMatrix.bands(rows), numbers, scales);
        return new BandMatrix(name, type, rows, cols, numbers, scales);
    }

    /**
     * Fails if a wall has changed.
     *
     * @throws AssertionError naming the distance past the end or before the beginning
     */
    public void verifyWalls(String what) {
        for (int i = 0; i < walls.size(); i++) {
            MemorySegment wall = walls.get(i);
            for (long at = 0; at < wall.byteSize(); at++) {
                if (wall.get(ValueLayout.JAVA_BYTE, at) != WALL) {
                    long distance = i % 2 == 0 ? wall.byteSize() - at : at + 1;
                    throw new AssertionError(
                            "%s: byte %d %s region %d was overwritten"
                                    .formatted(
                                            what,
                                            distance,
                                            i % 2 == 0 ? "before" : "past the end of",
                                            i / 2));
                }
            }
        }
    }

    /** Gives everything back, after {@link #verifyWalls}. */
    public void reset(String what) {
        verifyWalls(what);
        walls.clear();
        used = 0;
    }

    @Override
    public void close() {
        memory.close();
    }
}
