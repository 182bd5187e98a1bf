package dev.flagship.hostile;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;

/** Writes model files for tests, valid ones and others: it checks nothing. */
public final class LittleEndian {
    public static final int U8 = 0;
    public static final int I8 = 1;
    public static final int U16 = 2;
    public static final int I16 = 3;
    public static final int U32 = 4;
    public static final int I32 = 5;
    public static final int F32 = 6;
    public static final int BOOL = 7;
    public static final int STRING = 8;
    public static final int ARRAY = 9;
    public static final int U64 = 10;
    public static final int I64 = 11;
    public static final int F64 = 12;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    public static LittleEndian gguf(int version, long tensors, long pairs) {
        return new LittleEndian().text("GGUF").u32(version).u64(tensors).u64(pairs);
    }

    public static byte[] safetensors(String json, int dataBytes) {
        byte[] header = json.getBytes(StandardCharsets.UTF_8);
        byte[] data = new byte[dataBytes];
        for (int i = 0; i < dataBytes; i++) {
            data[i] = (byte) i;
        }
        return new LittleEndian().u64(header.length).raw(header).raw(data).bytes();
    }

    public LittleEndian raw(byte[] bytes) {
        out.writeBytes(bytes);
        return this;
    }

    public LittleEndian raw(int... bytes) {
        for (int b : bytes) {
            out.write(b);
        }
        return this;
    }

    public LittleEndian text(String text) {
        return raw(text.getBytes(StandardCharsets.UTF_8));
    }

    public LittleEndian u8(int value) {
        out.write(value);
        return this;
    }

    public LittleEndian u16(int value) {
        return raw(value, value >> 8);
    }

    public LittleEndian u32(int value) {
        return raw(value, value >> 8, value >> 16, value >> 24);
    }

    public LittleEndian u64(long value) {
        return raw(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
    }

    public LittleEndian f32(float value) {
        return u32(Float.floatToRawIntBits(value));
    }

    public LittleEndian f64(double value) {
        return u64(Double.doubleToRawLongBits(value));
    }

    public LittleEndian string(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return u64(bytes.length).raw(bytes);
    }

    public LittleEndian pair(String key, int type, Consumer<LittleEndian> value) {
        string(key).u32(type);
        value.accept(this);
        return this;
    }

    public LittleEndian array(
            String key, int elementType, long count, Consumer<LittleEndian> elements) {
        string(key).u32(ARRAY).u32(elementType).u64(count);
        elements.accept(this);
        return this;
    }

    public LittleEndian tensor(String name, int type, long offset, long... dimensions) {
        string(name).u32(dimensions.length);
        for (long dimension : dimensions) {
            u64(dimension);
        }
        return u32(type).u64(offset);
    }

    public LittleEndian pad(int alignment) {
        while (out.size() % alignment != 0) {
            out.write(0);
        }
        return this;
    }

    /** Bytes that count up from zero. */
    public LittleEndian data(int count) {
        for (int i = 0; i < count; i++) {
            out.write(i);
        }
        return this;
    }

    public byte[] bytes() {
        return out.toByteArray();
    }
}
