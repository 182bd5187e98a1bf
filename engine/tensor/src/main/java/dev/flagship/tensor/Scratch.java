package dev.flagship.tensor;

import dev.flagship.base.InvalidArgumentException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Stack of short-lived tensors. {@link #take} pushes, closing a {@link #frame} pops all that was
 * taken since. Blocks are kept for the next step, and so are the tensors' headers, so that a step
 * which repeats the shapes of the last one allocates nothing.
 *
 * <p>Also carries what every operation needs to know: the kernels and the numerics mode. One thread
 * only, the step thread.
 */
public final class Scratch implements AutoCloseable {
    private static final long ALIGNMENT = 64;
    private static final long FIRST_BLOCK = 1 << 20;

    /** Headers remembered for one place. */
    private static final int VARIANTS = 4;

    private record Issued(int block, long offset, Tensor tensor) {}

    private final Kernels kernels;
    private final Numerics numerics;
    private final List<OffHeap> blocks = new ArrayList<>();
    private final List<Tensor> taken = new ArrayList<>(); // valid to issuedCount
    // By place in the order of taking, what was handed out there lately: a layer, the head, a chunk
    // of a prompt and a single token come to the same places with different shapes.
    private final List<List<Issued>> issued = new ArrayList<>();
    private final List<List<List<Tensor>>> groups = new ArrayList<>();
    private final Frames frames = new Frames();
    private int block;
    private long offset;
    private int issuedCount;
    private int groupCount;

    public Scratch(Kernels kernels, Numerics numerics) {
        this.kernels = kernels;
        this.numerics = numerics;
    }

    public Kernels kernels() {
        return kernels;
    }

    public Numerics numerics() {
        return numerics;
    }

    /** An uninitialised tensor (rows, width), alive until the innermost open frame closes. */
    public Tensor take(int rows, int width) {
        long bytes = Math.multiplyExact((long) rows * width, 4L);
        long padded = (bytes + ALIGNMENT - 1) & -ALIGNMENT;
        while (block < blocks.size() && offset + padded > blocks.get(block).segment().byteSize()) {
            block++;
            offset = 0;
        }
        if (block == blocks.size()) {
            grow(padded);
        }
        Tensor tensor = reuse(rows, width);
        if (tensor == null) {
            tensor =
                    Tensor.over(
                            "",
                            Shape.of(rows, width),
                            blocks.get(block).segment().asSlice(offset, bytes, ALIGNMENT),
                            this);
            remember(issued, issuedCount, new Issued(block, offset, tensor));
        }
        if (issuedCount < taken.size()) {
            taken.set(issuedCount, tensor);
        } else {
            taken.add(tensor);
        }
        issuedCount++;
        offset += padded;
        return tensor;
    }

    /** One tensor (rows, width) for each width, in order; the list is reused as the tensors are. */
    public List<Tensor> takeAll(int rows, int[] widths) {
        int from = issuedCount;
        for (int width : widths) {
            take(rows, width);
        }
        List<Tensor> group = known(from);
        if (group == null) {
            group = List.copyOf(taken.subList(from, issuedCount));
            remember(groups, groupCount, group);
        }
        groupCount++;
        return group;
    }

    @SuppressWarnings("ReferenceEquality") // the very headers, not equal ones
    private @Nullable List<Tensor> known(int from) {
        if (groupCount == groups.size()) {
            return null;
        }
        List<List<Tensor>> variants = groups.get(groupCount);
        for (int v = 0; v < variants.size(); v++) {
            List<Tensor> group = variants.get(v);
            int same = 0;
            while (same < group.size()
                    && from + same < issuedCount
                    && group.get(same) == taken.get(from + same)) {
                same++;
            }
            if (same == group.size() && from + same == issuedCount) {
                return group;
            }
        }
        return null;
    }

    private @Nullable Tensor reuse(int rows, int width) {
        if (issuedCount == issued.size()) {
            return null;
        }
        List<Issued> variants = issued.get(issuedCount);
        for (int v = 0; v < variants.size(); v++) {
            Issued known = variants.get(v);
            Tensor tensor = known.tensor;
            if (known.block == block
                    && known.offset == offset
                    && tensor.rows() == rows
                    && tensor.rowSize() == width) {
                return tensor;
            }
        }
        return null;
    }

    /** Adds a variant at a place; of too many the oldest is forgotten. */
    private static <T> void remember(List<List<T>> places, int place, T variant) {
        if (place == places.size()) {
            places.add(new ArrayList<>(VARIANTS));
        }
        List<T> variants = places.get(place);
        if (variants.size() == VARIANTS) {
            variants.removeFirst();
        }
        variants.add(variant);
    }

    private void grow(long atLeast) {
        long last = blocks.isEmpty() ? FIRST_BLOCK / 2 : blocks.getLast().segment().byteSize();
        long size = Math.max(atLeast, Math.multiplyExact(last, 2L));
        blocks.add(OffHeap.allocate(size));
        offset = 0;
    }

    /** Opens a frame; closing it frees all that was taken since. Frames close in reverse order. */
    public Frame frame() {
        return frames.push(block, offset, issuedCount, groupCount);
    }

    /** Bytes of all blocks. */
    public long capacity() {
        return blocks.stream().mapToLong(b -> b.segment().byteSize()).sum();
    }

    @Override
    public void close() {
        for (OffHeap b : blocks) {
            b.close();
        }
        blocks.clear();
        taken.clear();
        issued.clear();
        groups.clear();
    }

    /** A mark on the stack. */
    public interface Frame extends AutoCloseable {
        @Override
        void close();
    }

    /** Marks by depth, reused. */
    private final class Frames {
        private final List<Mark> marks = new ArrayList<>();
        private int depth;

        Mark push(int block, long offset, int issued, int group) {
            if (depth == marks.size()) {
                marks.add(new Mark(depth));
            }
            Mark mark = marks.get(depth++);
            mark.block = block;
            mark.offset = offset;
            mark.issued = issued;
            mark.group = group;
            return mark;
        }

        private final class Mark implements Frame {
            private final int level;
            private int block;
            private long offset;
            private int issued;
            private int group;

            Mark(int level) {
                this.level = level;
            }

            @Override
            public void close() {
                if (depth != level + 1) {
                    throw new InvalidArgumentException(
                            "frame %s closed while %s are open; frames close in reverse order"
                                    .formatted(level, depth));
                }
                depth = level;
                Scratch.this.block = block;
                Scratch.this.offset = offset;
                issuedCount = issued;
                groupCount = group;
            }
        }
    }
}
