package dev.flagship.tokenizers;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;

/**
 * Just enough of GGUF to read the vocabulary of a trusted file, since this module must not know the
 * formats module.
 */
final class GgufFile {
    private final ByteBuffer in;
    private final Map<String, Object> metadata = new HashMap<>();

    private GgufFile(ByteBuffer in) {
        this.in = in;
    }

    /** The metadata of a file. */
    static GgufFile open(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file)) {
            ByteBuffer mapped =
                    channel.map(
                            FileChannel.MapMode.READ_ONLY, 0, Math.min(channel.size(), 64 << 20));
            GgufFile gguf = new GgufFile(mapped.order(ByteOrder.LITTLE_ENDIAN));
            gguf.read();
            return gguf;
        }
    }

    String[] strings(String key) {
        return (String[]) value(key);
    }

    int[] ints(String key) {
        return (int[]) value(key);
    }

    float[] floats(String key) {
        return (float[]) value(key);
    }

    String string(String key) {
        return (String) value(key);
    }

    int number(String key) {
        return (int) value(key);
    }

    private Object value(String key) {
        return Objects.requireNonNull(metadata.get(key), key);
    }

    private void read() {
        in.position(16);
        for (long left = in.getLong(); left > 0; left--) {
            String key = string();
            metadata.put(key, value(in.getInt()));
        }
    }

    private String string() {
        byte[] bytes = new byte[(int) in.getLong()];
        in.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private Object value(int type) {
        return switch (type) {
            case 0, 1, 7 -> (int) in.get();
            case 2, 3 -> (int) in.getShort();
            case 4, 5 -> in.getInt();
            case 6 -> in.getFloat();
            case 8 -> string();
            case 9 -> array(in.getInt(), (int) in.getLong());
            case 12 -> in.getDouble();
            default -> in.getLong();
        };
    }

    private Object array(int type, int length) {
        if (type == 8) {
            String[] strings = new String[length];
            for (int i = 0; i < length; i++) {
                strings[i] = string();
            }
            return strings;
        }
        if (type == 6) {
            float[] reals = new float[length];
            for (int i = 0; i < length; i++) {
                reals[i] = in.getFloat();
            }
            return reals;
        }
        int[] numbers = new int[length];
        for (int i = 0; i < length; i++) {
            numbers[i] = ((Number) value(type)).intValue();
        }
        return numbers;
    }
}
