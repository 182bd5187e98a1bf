package dev.flagship.formats;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** Types of metadata values; the ordinal is the number on disk. */
enum GgufType {
    UINT8(1, "an unsigned 8-bit integer"),
    INT8(1, "an 8-bit integer"),
    UINT16(2, "an unsigned 16-bit integer"),
    INT16(2, "a 16-bit integer"),
    UINT32(4, "an unsigned 32-bit integer"),
    INT32(4, "a 32-bit integer"),
    FLOAT32(4, "a 32-bit float"),
    BOOL(1, "a boolean"),
    STRING(8, "a string"),
    ARRAY(12, "an array"),
    UINT64(8, "an unsigned 64-bit integer"),
    INT64(8, "a 64-bit integer"),
    FLOAT64(8, "a 64-bit float");

    private static final GgufType[] BY_NUMBER = values();

    private final int leastBytes;
    private final String title;

    GgufType(int leastBytes, String title) {
        this.leastBytes = leastBytes;
        this.title = title;
    }

    static @Nullable GgufType of(int number) {
        return number >= 0 && number < BY_NUMBER.length ? BY_NUMBER[number] : null;
    }

    int number() {
        return List.of(BY_NUMBER).indexOf(this);
    }

    /** Bytes of a value; for strings and arrays those of an empty one. */
    int leastBytes() {
        return leastBytes;
    }

    /** With its article, for messages. */
    String title() {
        return title;
    }

    boolean isInteger() {
        return switch (this) {
            case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64 -> true;
            case FLOAT32, BOOL, STRING, ARRAY, FLOAT64 -> false;
        };
    }

    boolean isFloat() {
        return this == FLOAT32 || this == FLOAT64;
    }
}
