package dev.flagship.formats;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The keys and values of a GGUF file. Opening walks over all values and checks their bounds, but
 * remembers only where they lie; each call decodes its value anew, so keep what you got. Read it
 * before the file is closed. Any thread.
 *
 * <p>Getters that take a key give exactly the type they name and throw {@link FormatException},
 * with key, finding and expectation, where the key is missing or its value is of another type; the
 * {@code find…} twins answer a missing key with an empty Optional. Any width of integer passes as
 * an integer, either width of float as a real; nothing else is converted.
 */
public final class GgufMetadata {
    /** Far above the largest vocabulary (about 600,000 merges). */
    static final int MAX_ELEMENTS = 1 << 22;

    /** The specification nests arrays without bound; no known file does it at all. */
    static final int MAX_DEPTH = 4;

    /** A published file has some dozens. */
    static final int MAX_PAIRS = 65_536;

    /** All keys together: they stay in memory. Published files take a few kilobytes. */
    static final int MAX_ALL_KEY_BYTES = 4 << 20;

    /** The specification's own limit. */
    static final int MAX_KEY_BYTES = 65_535;

    private static final String PLACE = "metadata key";
    private static final String CONVERT_AGAIN =
            "Convert the model again with a current converter, or use another file.";

    private final HeaderReader header;
    private final Map<String, Value> values;

    /**
     * A value's bytes, [at, end). For arrays at the first element, whose type and number are given.
     */
    private record Value(GgufType type, int at, int end, @Nullable GgufType elements, int count) {}

    private GgufMetadata(HeaderReader header, Map<String, Value> values) {
        this.header = header;
        this.values = values;
    }

    /** Walks {@code count} pairs and leaves the reader behind them. */
    static GgufMetadata read(HeaderReader header, int count) {
        Map<String, Value> values = new LinkedHashMap<>();
        String previous = "the header";
        int keyBytes = 0;
        for (int i = 0; i < count; i++) {
            header.place("metadata key after", previous);
            int at = header.position();
            String key = header.string(MAX_KEY_BYTES);
            keyBytes += header.position() - at - Long.BYTES;
            if (keyBytes > MAX_ALL_KEY_BYTES) {
                throw header.bad(
                        "the keys up to here take "
                                + keyBytes
                                + " bytes, at most "
                                + MAX_ALL_KEY_BYTES
                                + " are allowed for all",
                        HeaderReader.TOO_MANY);
            }
            if (key.isEmpty()) {
                throw header.bad("the key is empty", HeaderReader.DAMAGED);
            }
            header.place(PLACE, key);
            previous = key;
            if (values.put(key, walk(header, type(header), 0)) != null) {
                throw header.bad("the key occurs twice", HeaderReader.DAMAGED);
            }
        }
        return new GgufMetadata(header, Collections.unmodifiableMap(values));
    }

    private static GgufType type(HeaderReader header) {
        int number = header.int32();
        GgufType type = GgufType.of(number);
        if (type == null) {
            throw header.bad(
                    "value type " + Integer.toUnsignedString(number) + " does not exist",
                    HeaderReader.DAMAGED);
        }
        return type;
    }

    private static Value walk(HeaderReader header, GgufType type, int depth) {
        if (type == GgufType.ARRAY) {
            return walkArray(header, depth + 1);
        }
        int at = header.position();
        skip(header, type);
        return new Value(type, at, header.position(), null, 0);
    }

    private static Value walkArray(HeaderReader header, int depth) {
        if (depth > MAX_DEPTH) {
            throw header.bad(
                    "arrays nested more than " + MAX_DEPTH + " deep", HeaderReader.DAMAGED);
        }
        GgufType elements = type(header);
        int count = header.count("array elements", elements.leastBytes(), MAX_ELEMENTS);
        int at = header.position();
        if (elements == GgufType.ARRAY) {
            for (int i = 0; i < count; i++) {
                walkArray(header, depth + 1);
            }
        } else if (elements == GgufType.STRING) {
            header.skipStrings(count);
        } else {
            header.skip((long) count * elements.leastBytes());
        }
        return new Value(GgufType.ARRAY, at, header.position(), elements, count);
    }

    private static void skip(HeaderReader header, GgufType type) {
        if (type == GgufType.STRING) {
            header.skipStrings(1);
        } else {
            header.skip(type.leastBytes());
        }
    }

    /** All keys, in the order of the file. Unmodifiable. */
    public Set<String> keys() {
        return values.keySet();
    }

    /** Type and value of a key as they lie in the file, for another one. */
    byte[] encoded(String key) {
        Value value = present(key, "a value");
        int head = value.elements == null ? 4 : 4 + 4 + 8;
        ByteBuffer bytes =
                ByteBuffer.allocate(head + value.end - value.at).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putInt(value.type.number());
        if (value.elements != null) {
            bytes.putInt(value.elements.number()).putLong(value.count);
        }
        return bytes.put(reader(key, value.at).take(value.end - value.at)).array();
    }

    public boolean has(String key) {
        return values.containsKey(key);
    }

    public String string(String key) {
        return string(key, present(key, "a string"));
    }

    public Optional<String> findString(String key) {
        Value value = values.get(key);
        return value == null ? Optional.empty() : Optional.of(string(key, value));
    }

    /** A whole number of any width. */
    public long integer(String key) {
        return integer(key, present(key, "an integer"));
    }

    public OptionalLong findInteger(String key) {
        Value value = values.get(key);
        return value == null ? OptionalLong.empty() : OptionalLong.of(integer(key, value));
    }

    /** A whole number that fits an {@code int}. */
    public int int32(String key) {
        return narrow(key, integer(key));
    }

    public OptionalInt findInt32(String key) {
        OptionalLong value = findInteger(key);
        return value.isEmpty()
                ? OptionalInt.empty()
                : OptionalInt.of(narrow(key, value.getAsLong()));
    }

    public double real(String key) {
        return real(key, present(key, "a float"));
    }

    public OptionalDouble findReal(String key) {
        Value value = values.get(key);
        return value == null ? OptionalDouble.empty() : OptionalDouble.of(real(key, value));
    }

    public boolean bool(String key) {
        return bool(key, present(key, "a boolean"));
    }

    public Optional<Boolean> findBool(String key) {
        Value value = values.get(key);
        return value == null ? Optional.empty() : Optional.of(bool(key, value));
    }

    /** An array of strings. Unmodifiable. */
    public List<String> strings(String key) {
        Value value = array(key, "an array of strings", type -> type == GgufType.STRING);
        HeaderReader reader = reader(key, value.at);
        byte[] bytes = reader.take(value.end - value.at);
        String[] strings = new String[value.count];
        int at = 0;
        for (int i = 0; i < strings.length; i++) {
            int length = bytes.length - at < Long.BYTES ? -1 : length(bytes, at);
            at += Long.BYTES;
            // Checked at opening already; again here, because the mapped file could have changed
            // since.
            if (length < 0 || length > bytes.length - at) {
                throw reader(key, value.at).bad("element " + i + " moved", "Close and reopen it.");
            }
            String text = Utf8.decode(bytes, at, length);
            if (text == null) {
                throw reader(key, value.at + at)
                        .bad("element " + i + " is not UTF-8", HeaderReader.DAMAGED);
            }
            strings[i] = text;
            at += length;
        }
        return Collections.unmodifiableList(Arrays.asList(strings));
    }

    /** An array of integers of any width, each of which fits an {@code int}. */
    public int[] ints(String key) {
        Value value = array(key, "an array of integers", GgufType::isInteger);
        HeaderReader reader = reader(key, value.at);
        GgufType elements = elements(value);
        int[] ints = new int[value.count];
        for (int i = 0; i < ints.length; i++) {
            ints[i] = narrow(key, integer(reader, elements));
        }
        return ints;
    }

    /** An array of 32-bit floats. */
    public float[] floats(String key) {
        Value value = array(key, "an array of 32-bit floats", type -> type == GgufType.FLOAT32);
        HeaderReader reader = reader(key, value.at);
        float[] floats = new float[value.count];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = Float.intBitsToFloat(reader.int32());
        }
        return floats;
    }

    private String string(String key, Value value) {
        expect(key, value, "a string", value.type == GgufType.STRING);
        return reader(key, value.at).string(Integer.MAX_VALUE);
    }

    private long integer(String key, Value value) {
        expect(key, value, "an integer", value.type.isInteger());
        return integer(reader(key, value.at), value.type);
    }

    private static long integer(HeaderReader reader, GgufType type) {
        return switch (type) {
            case UINT8 -> Byte.toUnsignedLong(reader.int8());
            case INT8 -> reader.int8();
            case UINT16 -> Short.toUnsignedLong(reader.int16());
            case INT16 -> reader.int16();
            case UINT32 -> Integer.toUnsignedLong(reader.int32());
            case INT32 -> reader.int32();
            case INT64 -> reader.int64();
            case UINT64 -> {
                long value = reader.int64();
                if (value < 0) {
                    throw reader.bad(
                            Long.toUnsignedString(value) + " is beyond 2^63 − 1", CONVERT_AGAIN);
                }
                yield value;
            }
            case FLOAT32, FLOAT64, BOOL, STRING, ARRAY -> throw new AssertionError(type);
        };
    }

    private double real(String key, Value value) {
        expect(key, value, "a float", value.type.isFloat());
        HeaderReader reader = reader(key, value.at);
        return value.type == GgufType.FLOAT32
                ? Float.intBitsToFloat(reader.int32())
                : Double.longBitsToDouble(reader.int64());
    }

    private boolean bool(String key, Value value) {
        expect(key, value, "a boolean", value.type == GgufType.BOOL);
        HeaderReader reader = reader(key, value.at);
        byte bool = reader.int8();
        if (bool != 0 && bool != 1) {
            throw reader.bad(
                    "a boolean of value " + bool + ", expected 0 or 1", HeaderReader.DAMAGED);
        }
        return bool == 1;
    }

    private int narrow(String key, long value) {
        if (value != (int) value) {
            throw reader(key, present(key, "an integer").at)
                    .bad(value + " found, expected a 32-bit integer", CONVERT_AGAIN);
        }
        return (int) value;
    }

    private Value array(String key, String expected, Predicate<GgufType> wanted) {
        Value value = present(key, expected);
        expect(key, value, expected, value.elements != null && wanted.test(value.elements));
        return value;
    }

    private static GgufType elements(Value array) {
        GgufType elements = array.elements;
        if (elements == null) {
            throw new AssertionError(array);
        }
        return elements;
    }

    private Value present(String key, String expected) {
        Value value = values.get(key);
        if (value == null) {
            throw reader(key, 0).bad("the key is missing, expected " + expected, CONVERT_AGAIN);
        }
        return value;
    }

    private void expect(String key, Value value, String expected, boolean met) {
        if (!met) {
            String found =
                    value.elements == null
                            ? value.type.title()
                            : "an array whose elements are each " + value.elements.title();
            throw reader(key, value.at)
                    .bad("found " + found + ", expected " + expected, CONVERT_AGAIN);
        }
    }

    private HeaderReader reader(String key, int at) {
        return header.at(at, PLACE, key);
    }

    /** A u64 length, or −1 if it is beyond an {@code int}. */
    private static int length(byte[] bytes, int at) {
        int high = bytes[at + 4] | bytes[at + 5] | bytes[at + 6] | bytes[at + 7];
        int low =
                (bytes[at] & 0xFF)
                        | (bytes[at + 1] & 0xFF) << 8
                        | (bytes[at + 2] & 0xFF) << 16
                        | bytes[at + 3] << 24;
        return high == 0 ? low : -1;
    }
}
