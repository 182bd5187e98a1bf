package dev.flagship.formats;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;

/** Writes model files for tests, valid ones and others: it checks nothing. */
final class LittleEndian {
    static final int U8 = 0;
    static final int I8 = 1;
    static final int U16 = 2;
    static final int I16 = 3;
    static final int U32 = 4;
    static final int I32 = 5;
    static final int F32 = 6;
    static final int BOOL = 7;
    static final int STRING = 8;
    static final int ARRAY = 9;
    static final int U64 = 10;
    static final int I64 = 11;
    static final int F64 = 12;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    static LittleEndian gguf(int version, long tensors, long pairs) {
        return new LittleEndian().text("GGUF").u32(version).u64(tensors).u64(pairs);
    }

    static byte[] safetensors(String json, int dataBytes) {
        byte[] header = json.getBytes(StandardCharsets.UTF_8);
        byte[] data = new byte[dataBytes];
        for (int i = 0; i < dataBytes; i++) {
            data[i] = (byte) i;
        }
        return new LittleEndian().u64(header.length).raw(header).raw(data).bytes();
    }

    LittleEndian raw(byte[] bytes) {
        out.writeBytes(bytes);
        return this;
    }

    LittleEndian raw(int... bytes) {
        for (int b : bytes) {
            out.write(b);
        }
        return this;
    }

    LittleEndian text(String text) {
        return raw(text.getBytes(StandardCharsets.UTF_8));
    }

    LittleEndian u8(int value) {
        out.write(value);
        return this;
    }

    LittleEndian u16(int value) {
        return raw(value, value >> 8);
    }

    LittleEndian u32(int value) {
        return raw(value, value >> 8, value >> 16, value >> 24);
    }

    LittleEndian u64(long value) {
        return raw(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
    }

    LittleEndian f32(float value) {
        return u32(Float.floatToRawIntBits(value));
    }

    LittleEndian f64(double value) {
        return u64(Double.doubleToRawLongBits(value));
    }

    LittleEndian string(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return u64(bytes.length).raw(bytes);
    }

    LittleEndian pair(String key, int type, Consumer<LittleEndian> value) {
        string(key).u32(type);
        value.accept(this);
        return this;
    }

    LittleEndian array(String key, int elementType, long count, Consumer<LittleEndian> elements) {
        string(key).u32(ARRAY).u32(elementType).u64(count);
        elements.accept(this);
        return this;
    }

    LittleEndian tensor(String name, int type, long offset, long... dimensions) {
        string(name).u32(dimensions.length);
        for (long dimension : dimensions) {
            u64(dimension);
        }
        return u32(type).u64(offset);
    }

    LittleEndian pad(int alignment) {
        while (out.size() % alignment != 0) {
            out.write(0);
        }
        return this;
    }

    /** Bytes that count up from zero. */
    LittleEndian data(int count) {
        for (int i = 0; i < count; i++) {
            out.write(i);
        }
        return this;
    }

    byte[] bytes() {
        return out.toByteArray();
    }
}
