package dev.flagship.formats;

import static dev.flagship.base.Check.check;

import dev.flagship.base.Quoted;
import dev.flagship.tensor.DType;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The header of a GGUF file that is to be written: version 3, little-endian, aligned to 32 (layout
 * in the package's documentation). Where each tensor's data goes follows from it, so that they can
 * be written in any order.
 */
public final class GgufHeader {
    private static final int VERSION = 3;
    private static final int ALIGNMENT = 32;

    private final Bytes pairs = new Bytes();
    private final Set<String> keys = new HashSet<>();
    private final List<Tensor> tensors = new ArrayList<>();

    private record Tensor(String name, DType type, List<Long> shape) {
        long bytes() {
            return TensorEntry.byteSize(type, shape);
        }
    }

    public GgufHeader() {}

    /** Little-endian numbers and texts, one after the other. */
    private static final class Bytes extends ByteArrayOutputStream {
        private final ByteBuffer number = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);

        void int32(int value) {
            number.putInt(0, value);
            write(number.array(), 0, 4);
        }

        void int64(long value) {
            number.putLong(0, value);
            write(number.array(), 0, 8);
        }

        void text(String text) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            int64(bytes.length);
            writeBytes(bytes);
        }
    }

    private void key(String key, GgufType type) {
        check(keys.add(key), "the key %s is there already", Quoted.of(key));
        pairs.text(key);
        pairs.int32(type.number());
    }

    private void array(String key, GgufType elements, int count) {
        key(key, GgufType.ARRAY);
        pairs.int32(elements.number());
        pairs.int64(count);
    }

    public void text(String key, String value) {
        key(key, GgufType.STRING);
        pairs.text(value);
    }

    /** An unsigned 32-bit number. */
    public void integer(String key, int value) {
        check(value >= 0, "%s is %s", key, value);
        key(key, GgufType.UINT32);
        pairs.int32(value);
    }

    /** A 32-bit number. */
    public void real(String key, float value) {
        key(key, GgufType.FLOAT32);
        pairs.int32(Float.floatToRawIntBits(value));
    }

    public void flag(String key, boolean value) {
        key(key, GgufType.BOOL);
        pairs.write(value ? 1 : 0);
    }

    public void texts(String key, List<String> values) {
        array(key, GgufType.STRING, values.size());
        values.forEach(pairs::text);
    }

    /** Signed 32-bit numbers. */
    public void integers(String key, int[] values) {
        array(key, GgufType.INT32, values.length);
        for (int value : values) {
            pairs.int32(value);
        }
    }

    /** 32-bit numbers. */
    public void reals(String key, float[] values) {
        array(key, GgufType.FLOAT32, values.length);
        for (float value : values) {
            pairs.int32(Float.floatToRawIntBits(value));
        }
    }

    /** A pair of another file as it is. */
    public void copy(GgufMetadata from, String key) {
        check(keys.add(key), "the key %s is there already", Quoted.of(key));
        pairs.text(key);
        pairs.writeBytes(from.encoded(key));
    }

    /** Whether a key was written. */
    public boolean has(String key) {
        return keys.contains(key);
    }

    /**
     * Adds a tensor.
     *
     * @param shape outermost dimension first
     */
    public void tensor(String name, DType type, List<Long> shape) {
        Tensor tensor = new Tensor(name, type, List.copyOf(shape));
        check(tensor.bytes() > 0, "tensor %s: %s of %s has no size", name, shape, type);
        tensors.add(tensor);
    }

    /** Whole, up to the data section. */
    public byte[] bytes() {
        Bytes out = new Bytes();
        out.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
        out.int32(VERSION);
        out.int64(tensors.size());
        out.int64(keys.size());
        out.writeBytes(pairs.toByteArray());
        long offset = 0;
        for (Tensor tensor : tensors) {
            out.text(tensor.name);
            out.int32(tensor.shape.size());
            tensor.shape.reversed().forEach(out::int64);
            out.int32(GgmlTypes.number(tensor.type));
            out.int64(offset);
            offset = aligned(offset + tensor.bytes());
        }
        return Arrays.copyOf(out.toByteArray(), Math.toIntExact(aligned(out.size())));
    }

    /** Where in the file each tensor goes, in the order in which they were added. */
    public List<TensorEntry> entries() {
        List<TensorEntry> entries = new ArrayList<>();
        long at = bytes().length;
        for (Tensor tensor : tensors) {
            entries.add(new TensorEntry(tensor.name, tensor.type, tensor.shape, 0, at));
            at = aligned(at + tensor.bytes());
        }
        return entries;
    }

    /** Bytes of the whole file. */
    public long fileBytes() {
        List<TensorEntry> entries = entries();
        return entries.isEmpty()
                ? bytes().length
                : aligned(entries.getLast().offset() + entries.getLast().byteSize());
    }

    private static long aligned(long offset) {
        return (offset + ALIGNMENT - 1) & -ALIGNMENT;
    }
}
