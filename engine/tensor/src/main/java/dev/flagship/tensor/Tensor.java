package dev.flagship.tensor;

import static dev.flagship.base.Check.check;

import dev.flagship.base.InvalidArgumentException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * F32 numbers off the heap, row-major. A tensor owns nothing: its memory belongs to the {@link
 * Scratch} or the arena it was cut from, and dies with that.
 */
public final class Tensor {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED;

    private final String name;
    private final Shape shape;
    private final MemorySegment data;
    private final @Nullable Scratch scratch;
    // Views are asked for in every layer of every step; remembering the last one keeps a step free
    // of garbage.
    private @Nullable Tensor lastView;

    private Tensor(String name, Shape shape, MemorySegment data, @Nullable Scratch scratch) {
        this.name = name;
        this.shape = shape;
        this.data = data;
        this.scratch = scratch;
    }

    /** A tensor over memory that somebody else owns; operations that need scratch refuse it. */
    public static Tensor of(Shape shape, MemorySegment data) {
        return over("", shape, data, null);
    }

    /** A weight, known by its path in the model; see {@link #of}. */
    public static Tensor named(String name, Shape shape, MemorySegment data) {
        return over(name, shape, data, null);
    }

    static Tensor over(String name, Shape shape, MemorySegment data, @Nullable Scratch scratch) {
        check(
                data.byteSize() == Math.multiplyExact(shape.elements(), 4L),
                "tensor %s needs %s bytes, got a segment of %s",
                shape,
                shape.elements() * 4,
                data.byteSize());
        return new Tensor(name, shape, data, scratch);
    }

    /** Path of a weight; empty for results. */
    public String name() {
        return name;
    }

    public Shape shape() {
        return shape;
    }

    public int rows() {
        return shape.rows();
    }

    /** Numbers in one row. */
    public int rowSize() {
        return shape.rowSize();
    }

    /** The numbers, F32 in native (little-endian) order. */
    public MemorySegment data() {
        return data;
    }

    /** Where results computed from this tensor go. */
    public Scratch scratch() {
        if (scratch == null) {
            throw new IllegalStateException(
                    "tensor %s was not cut from a scratch".formatted(shape));
        }
        return scratch;
    }

    /** Element {@code column} of row {@code row}, columns counted over all heads. */
    public float get(int row, int column) {
        return data.get(F32, ((long) row * rowSize() + column) * 4);
    }

    public void set(int row, int column, float value) {
        data.set(F32, ((long) row * rowSize() + column) * 4, value);
    }

    /** The same numbers with each row seen as {@code heads} parts of {@code width}. */
    public Tensor split(int heads, int width) {
        if (heads * width != rowSize()) {
            throw new InvalidArgumentException(
                    "cannot split rows of %s into %s heads of %s"
                            .formatted(rowSize(), heads, width));
        }
        return view(shape.rows(), heads, width);
    }

    /** The same numbers with rows in one part again. */
    public Tensor join() {
        return view(shape.rows(), 1, rowSize());
    }

    private Tensor view(int rows, int heads, int width) {
        Tensor view = lastView;
        if (view == null || view.shape.heads() != heads || view.shape.width() != width) {
            view = new Tensor(name, new Shape(rows, heads, width), data, scratch);
            lastView = view;
        }
        return view;
    }

    /** Adds {@code other} in place, element by element. Shapes must be equal. */
    public void accumulate(Tensor other) {
        scratch().kernels().add(this, other);
    }

    /** Copies row {@code row} into a new array. */
    public float[] row(int row) {
        float[] out = new float[rowSize()];
        MemorySegment.copy(data, F32, (long) row * rowSize() * 4, out, 0, out.length);
        return out;
    }

    /** Copies numbers in, row-major, starting at row {@code row}. */
    public void put(int row, float[] values) {
        MemorySegment.copy(values, 0, data, F32, (long) row * rowSize() * 4, values.length);
    }
}
