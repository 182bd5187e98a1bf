package dev.flagship.serving;

import dev.flagship.formats.ModelFile;
import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.BandPacker;
import dev.flagship.tensor.BlockEncoder;
import dev.flagship.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.function.IntUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Rows of one tensor, wherever in its files they lie, in another type: widened to F32 and rounded,
 * or as they are if they have that type. A few rows at a time, so that no tensor is ever whole in
 * memory. One thread.
 */
final class RowConverter {
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

    private final TensorSource source;
    private final DType from;
    private final DType to;
    private final List<Part> parts;
    private final int cols;
    private final float[] rows; // as many as are worth a call of the encoder, or one
    private final @Nullable BlockEncoder encoder; // null for plain types
    private final @Nullable Band band; // null for plain sources

    /** A piece and its bytes. */
    private record Part(TensorSource.Piece piece, MemorySegment data) {}

    /** Planes of one band, of which one row is used: what reads blocks reads them from there. */
    private record Band(MemorySegment numbers, MemorySegment scales) {
        static Band of(DType type, int cols) {
            return new Band(
                    MemorySegment.ofArray(
                            new long[(int) (BandMatrix.numberBytes(type, 1, cols) / 8)]),
                    MemorySegment.ofArray(
                            new long[(int) (BandMatrix.scaleBytes(type, 1, cols) / 8)]));
        }
    }

    RowConverter(TensorSource source, ModelFile file, DType to) {
        this.source = source;
        this.from = source.type();
        this.to = to;
        this.parts =
                source.pieces().stream()
                        .map(piece -> new Part(piece, file.data(piece.entry())))
                        .toList();
        this.cols = Math.toIntExact(source.shape().isEmpty() ? 1 : source.shape().getLast());
        this.encoder = to.quantized() ? new BlockEncoder(source.name(), to, cols) : null;
        this.rows = new float[cols * (encoder == null ? 1 : encoder.rowsAtOnce())];
        this.band = from.quantized() ? Band.of(from, cols) : null;
    }

    /** Bytes of a converted row. */
    long rowBytes() {
        return to.rowBytes(cols);
    }

    /**
     * Converts the model's rows {@code from} to {@code end} - 1 into {@code out}, from {@code at}
     * on, one behind the other.
     *
     * @throws BandPacker.NonFiniteWeightException if a weight is no number
     * @throws BlockEncoder.TooLargeException if a block cannot hold one
     */
    void convert(int from, int end, MemorySegment out, long at) {
        convert(IntUnaryOperator.identity(), from, end, out, at);
    }

    /** The same for the rows that {@code order} gives for these. */
    void convert(IntUnaryOperator order, int from, int end, MemorySegment out, long at) {
        if (encoder == null || this.from == to) {
            for (int i = from; i < end; i++) {
                one(order.applyAsInt(i), out, at + (i - from) * rowBytes());
            }
            return;
        }
        int most = rows.length / cols; // as a tensor has no empty rows
        for (int first = from; first < end; first += most) {
            int count = Math.min(most, end - first);
            for (int i = 0; i < count; i++) {
                read(order.applyAsInt(first + i), i * cols);
            }
            int start = first;
            encoder.encode(
                    row -> order.applyAsInt(start + row),
                    count,
                    rows,
                    out,
                    at + (first - from) * rowBytes());
        }
    }

    /** Reads the model's row {@code index} as F32, to {@code at} of the rows. */
    private void read(int index, int at) {
        int inFile = source.rowOrder().applyAsInt(index);
        if (band != null) {
            widen(inFile, band, at);
        } else {
            for (Part part : parts) {
                gather(part, inFile, at);
            }
        }
    }

    /** A row that is copied, or is plain before and after. */
    private void one(int index, MemorySegment out, long at) {
        if (from.quantized() && from == to) {
            int inFile = source.rowOrder().applyAsInt(index);
            MemorySegment.copy(blocks(inFile), 0, out, at, rowBytes());
            return;
        }
        read(index, 0);
        plain(index, out, at);
    }

    /** A row of a quantised tensor, which lies in one piece. */
    private MemorySegment blocks(int inFile) {
        Part part = parts.getFirst();
        long rowBytes = from.rowBytes(cols);
        return part.data.asSlice((part.piece.from() + inFile) * rowBytes, rowBytes);
    }

    private void widen(int inFile, Band into, int at) {
        var packer =
                new BandPacker(
                        source.name(), from, 1, cols, blocks(inFile), IntUnaryOperator.identity());
        packer.pack(0, 1, into.numbers, into.scales);
        var matrix = new BandMatrix(source.name(), from, 1, cols, into.numbers, into.scales);
        for (int col = 0; col < cols; col++) {
            rows[at + col] = matrix.weight(0, col);
        }
    }

    private void gather(Part part, int inFile, int at) {
        TensorSource.Piece piece = part.piece;
        long own = inFile - piece.toRow();
        if (own < 0 || own >= piece.rows()) {
            return;
        }
        List<Long> strides = piece.entry().strides();
        long step = strides.isEmpty() ? 1 : strides.getLast();
        long first = strides.size() < 2 ? 0 : (piece.from() + own) * strides.getFirst();
        int width = (int) piece.entry().cols();
        int target = at + (int) piece.toCol();
        MemorySegment data = part.data;
        switch (from) {
            case F32 -> {
                for (int col = 0; col < width; col++) {
                    rows[target + col] = data.get(FLOAT, (first + col * step) * 4);
                }
            }
            case F16 -> {
                for (int col = 0; col < width; col++) {
                    rows[target + col] =
                            Float.float16ToFloat(data.get(SHORT, (first + col * step) * 2));
                }
            }
            case BF16 -> {
                for (int col = 0; col < width; col++) {
                    rows[target + col] =
                            Float.intBitsToFloat(data.get(SHORT, (first + col * step) * 2) << 16);
                }
            }
            default -> throw new IllegalStateException(from + " lies in blocks");
        }
    }

    /** To F32, or back to the plain type that the row came from. */
    private void plain(int index, MemorySegment out, long at) {
        for (int col = 0; col < cols; col++) {
            float weight = rows[col];
            if (!Float.isFinite(weight)) {
                throw new BandPacker.NonFiniteWeightException(source.name(), index, col);
            }
            switch (to) {
                case F32 -> out.set(INT, at + col * 4L, Float.floatToRawIntBits(weight));
                case F16 -> out.set(SHORT, at + col * 2L, Float.floatToFloat16(weight));
                case BF16 ->
                        out.set(
                                SHORT,
                                at + col * 2L,
                                (short) (Float.floatToRawIntBits(weight) >>> 16));
                default -> throw new IllegalStateException(to + " has an encoder");
            }
        }
    }
}
