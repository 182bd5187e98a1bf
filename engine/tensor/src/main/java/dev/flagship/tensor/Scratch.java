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

    private record Issued(int block, long offset, Tensor tensor) {}

    private record Group(int issuedFrom, List<Tensor> tensors) {}

    private final Kernels kernels;
    private final Numerics numerics;
    private final List<OffHeap> blocks = new ArrayList<>();
    private final List<Issued> issued = new ArrayList<>();
    private final List<Group> groups = new ArrayList<>();
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
            remember(tensor);
        }
        issuedCount++;
        offset += padded;
        return tensor;
    }

    /** One tensor (rows, width) for each width, in order; the list is reused as the tensors are. */
    public List<Tensor> takeAll(int rows, int[] widths) {
        int from = issuedCount;
        boolean same = groupCount < groups.size() && groups.get(groupCount).issuedFrom == from;
        List<Tensor> known = same ? groups.get(groupCount).tensors : List.of();
        same &= known.size() == widths.length;
        for (int i = 0; i < widths.length; i++) {
            Tensor tensor = take(rows, widths[i]);
            same = same && known.get(i) == tensor;
        }
        if (!same) {
            List<Tensor> fresh = new ArrayList<>(widths.length);
            for (int i = 0; i < widths.length; i++) {
                fresh.add(issued.get(from + i).tensor);
            }
            Group group = new Group(from, List.copyOf(fresh));
            if (groupCount < groups.size()) {
                groups.set(groupCount, group);
            } else {
                groups.add(group);
            }
        }
        return groups.get(groupCount++).tensors;
    }

    private @Nullable Tensor reuse(int rows, int width) {
        if (issuedCount == issued.size()) {
            return null;
        }
        Issued last = issued.get(issuedCount);
        Tensor tensor = last.tensor;
        boolean same =
                last.block == block
                        && last.offset == offset
                        && tensor.rows() == rows
                        && tensor.rowSize() == width;
        return same ? tensor : null;
    }

    private void remember(Tensor tensor) {
        Issued entry = new Issued(block, offset, tensor);
        if (issuedCount < issued.size()) {
            issued.set(issuedCount, entry);
        } else {
            issued.add(entry);
        }
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
