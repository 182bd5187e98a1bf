package dev.flagship.formats;

import dev.flagship.base.Check;
import dev.flagship.tensor.DType;
import java.util.List;

/**
 * Where a tensor lies and how to read it. Row-major, little-endian; the bytes may start at any
 * address, so read them with unaligned layouts.
 *
 * @param name as on disk
 * @param type encoding of the elements
 * @param shape outermost dimension first, as Hugging Face writes it (a Linear is [out, in]); empty
 *     for a scalar; every dimension is at least 1
 * @param file index into {@link ModelFile#files}
 * @param offset of the first byte, from the start of that file
 */
public record TensorEntry(String name, DType type, List<Long> shape, int file, long offset) {
    public TensorEntry {
        shape = List.copyOf(shape);
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

    /** Bytes on disk. */
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
