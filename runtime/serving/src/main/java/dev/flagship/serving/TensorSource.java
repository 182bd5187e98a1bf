package dev.flagship.serving;

import dev.flagship.formats.ModelFile;
import dev.flagship.formats.TensorEntry;
import dev.flagship.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.IntUnaryOperator;

/**
 * A tensor under its Hugging Face name, and where in the files its numbers lie: in one place, in
 * some rows of a fused one, or in a part of each file.
 *
 * @param name full path with {@code .weight}
 * @param shape outermost dimension first
 * @param pieces that make it up and do not overlap; more than one only of plain types
 * @param rowOrder the row, as the pieces give it, for each row of the model
 */
record TensorSource(
        String name, DType type, List<Long> shape, List<Piece> pieces, IntUnaryOperator rowOrder) {

    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

    TensorSource {
        shape = List.copyOf(shape);
        pieces = List.copyOf(pieces);
    }

    /**
     * Rows of an entry, whole, and the place of the first one's first number.
     *
     * @param from first row in the entry
     */
    record Piece(TensorEntry entry, long from, long rows, long toRow, long toCol) {}

    /** A tensor as it lies in the file. */
    static TensorSource of(String name, TensorEntry entry) {
        Piece whole = new Piece(entry, 0, entry.rows(), 0, 0);
        return new TensorSource(
                name, entry.type(), entry.shape(), List.of(whole), IntUnaryOperator.identity());
    }

    /** Some rows of a fused matrix, which has all of them. */
    static TensorSource ofRows(String name, TensorEntry fused, long from, long rows) {
        return new TensorSource(
                name,
                fused.type(),
                List.of(rows, fused.cols()),
                List.of(new Piece(fused, from, rows, 0, 0)),
                IntUnaryOperator.identity());
    }

    /** Matrices of equal width, below each other. */
    static TensorSource below(String name, List<TensorEntry> parts) {
        List<Piece> pieces = new ArrayList<>();
        long rows = 0;
        for (TensorEntry part : parts) {
            pieces.add(new Piece(part, 0, part.rows(), rows, 0));
            rows += part.rows();
        }
        return joined(name, parts, rows, parts.getFirst().cols(), pieces);
    }

    /** Matrices of equal height, beside each other. */
    static TensorSource beside(String name, List<TensorEntry> parts) {
        List<Piece> pieces = new ArrayList<>();
        long cols = 0;
        for (TensorEntry part : parts) {
            pieces.add(new Piece(part, 0, part.rows(), 0, cols));
            cols += part.cols();
        }
        return joined(name, parts, parts.getFirst().rows(), cols, pieces);
    }

    private static TensorSource joined(
            String name, List<TensorEntry> parts, long rows, long cols, List<Piece> pieces) {
        return new TensorSource(
                name,
                parts.getFirst().type(),
                List.of(rows, cols),
                pieces,
                IntUnaryOperator.identity());
    }

    TensorSource ordered(IntUnaryOperator order) {
        return new TensorSource(name, type, shape, pieces, order);
    }

    /** A vector is kept as plain F32. */
    boolean vector() {
        return shape.size() < 2;
    }

    long elements() {
        return shape.stream().reduce(1L, Math::multiplyExact);
    }

    /** Bytes of all numbers. */
    long bytes() {
        long cols = cols();
        return elements() / cols * type.rowBytes(cols);
    }

    private long cols() {
        return shape.isEmpty() ? 1 : shape.getLast();
    }

    /** The numbers row by row, if they lie so in a file. */
    Optional<MemorySegment> inPlace(ModelFile file) {
        Piece first = pieces.getFirst();
        if (pieces.size() > 1 || !first.entry().contiguous()) {
            return Optional.empty();
        }
        long from = first.from() * type.rowBytes(cols());
        return Optional.of(file.data(first.entry()).asSlice(from, bytes()));
    }

    /** Copies the numbers, of a plain type, row by row. */
    void gather(ModelFile file, MemorySegment target) {
        for (Piece piece : pieces) {
            MemorySegment data = file.data(piece.entry());
            for (long row = 0; row < piece.rows(); row++) {
                long at = (piece.toRow() + row) * cols() + piece.toCol();
                copyRow(piece.entry(), data, piece.from() + row, target, at * type.rowBytes(1));
            }
            leave(data);
        }
    }

    /**
     * What was packed is not looked at again: its pages, which stay in the system's cache, are not
     * to count as this process's beside the packed ones.
     */
    static void leave(MemorySegment data) {
        if (data.isMapped()) {
            data.unload();
        }
    }

    private static void copyRow(
            TensorEntry entry, MemorySegment data, long row, MemorySegment target, long at) {
        List<Long> strides = entry.strides();
        long unit = entry.type().rowBytes(1);
        long step = strides.getLast();
        long from = strides.size() < 2 ? 0 : row * strides.getFirst();
        if (step == 1 || entry.cols() == 1) {
            MemorySegment.copy(data, from * unit, target, at, entry.cols() * unit);
            return;
        }
        for (long col = 0; col < entry.cols(); col++) {
            long in = (from + col * step) * unit;
            if (unit == Short.BYTES) {
                target.set(SHORT, at + col * unit, data.get(SHORT, in));
            } else {
                target.set(INT, at + col * unit, data.get(INT, in));
            }
        }
    }
}
