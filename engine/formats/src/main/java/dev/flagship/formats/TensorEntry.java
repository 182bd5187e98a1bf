package dev.flagship.formats;

import dev.flagship.base.Check;
import dev.flagship.tensor.DType;
import java.util.List;

/**
 * Where a tensor lies and how to read it. Little-endian, and row-major wherever {@link
 * #contiguous}; the bytes may start at any address, so read them with unaligned layouts.
 *
 * @param name as on disk
 * @param type encoding of the elements
 * @param shape outermost dimension first, as Hugging Face writes it (a Linear is [out, in]); empty
 *     for a scalar; every dimension is at least 1
 * @param strides by how many elements neighbours in each dimension lie apart; only PyTorch files
 *     have others than row-major ones, and none in which two elements share a place
 * @param file index into {@link ModelFile#files}
 * @param offset of the first byte, from the start of that file
 */
public record TensorEntry(
        String name, DType type, List<Long> shape, List<Long> strides, int file, long offset) {
    public TensorEntry {
        shape = List.copyOf(shape);
        strides = List.copyOf(strides);
        Check.check(
                strides.size() == shape.size(),
                "tensor %s: shape %s, strides %s",
                name,
                shape,
                strides);
        Check.check(file >= 0 && offset >= 0, "tensor %s: file %d, offset %d", name, file, offset);
        long bytes = byteSize(type, shape);
        Check.check(
                bytes >= 0 && offset <= Long.MAX_VALUE - bytes,
                "tensor %s: shape %s of %s at offset %d has no size",
                name,
                shape,
                type,
                offset);
    }

    /** A row-major tensor. */
    public TensorEntry(String name, DType type, List<Long> shape, int file, long offset) {
        this(name, type, shape, rowMajor(shape), file, offset);
    }

    /** Strides of a tensor whose elements lie side by side, the last dimension innermost. */
    private static List<Long> rowMajor(List<Long> shape) {
        Long[] strides = new Long[shape.size()];
        long stride = 1;
        for (int i = strides.length - 1; i >= 0; i--) {
            strides[i] = stride;
            stride *= shape.get(i); // what overflows has no size, and is refused for that
        }
        return List.of(strides);
    }

    /** Whether the elements lie side by side in row-major order. */
    public boolean contiguous() {
        long stride = 1;
        for (int i = shape.size() - 1; i >= 0; i--) {
            if (shape.get(i) != 1 && strides.get(i) != stride) {
                return false;
            }
            stride *= shape.get(i);
        }
        return true;
    }

    /** Bytes on disk from the first element to the last: {@link #byteSize} where contiguous. */
    public long span() {
        if (contiguous()) {
            return byteSize();
        }
        long last = 0;
        for (int i = 0; i < shape.size(); i++) {
            last = Math.addExact(last, Math.multiplyExact(shape.get(i) - 1, strides.get(i)));
        }
        return Math.multiplyExact(last + 1, type.rowBytes(1));
    }

    /** Product of the dimensions; 1 for a scalar. */
    public long elements() {
        long elements = 1;
        for (long dimension : shape) {
            elements = Math.multiplyExact(elements, dimension);
        }
        return elements;
    }

    /** Elements that lie side by side: the last dimension, 1 for a scalar. */
    public long cols() {
        return shape.isEmpty() ? 1 : shape.getLast();
    }

    /** All dimensions but the last, multiplied: 1 for a vector. */
    public long rows() {
        return elements() / cols();
    }

    /** Bytes of all elements. */
    public long byteSize() {
        return Math.multiplyExact(rows(), type.rowBytes(cols()));
    }

    /**
     * Bytes of a tensor of that shape, or −1 if a dimension is below 1, a row is no whole number of
     * blocks, or the size overflows.
     */
    static long byteSize(DType type, List<Long> shape) {
        long columns = shape.isEmpty() ? 1 : shape.getLast();
        if (columns < 1 || columns % type.blockElements() != 0) {
            return -1;
        }
        try {
            long elements = 1;
            for (long dimension : shape) {
                if (dimension < 1) {
                    return -1;
                }
                elements = Math.multiplyExact(elements, dimension);
            }
            return Math.multiplyExact(elements / columns, type.rowBytes(columns));
        } catch (ArithmeticException e) {
            return -1;
        }
    }
}
