package dev.flagship.formats;

import dev.flagship.base.JsonFault;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamFactory;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.json.JsonFactory;

/**
 * Strict JSON (RFC 8259) out of an untrusted file: no repeated keys, bounded depth. Errors are
 * {@link FormatException}s.
 */
final class JsonReader implements AutoCloseable {
    private static final int MAX_DEPTH = 64;
    private static final int MAX_NUMBER_CHARS = 100;

    /**
     * Names and skipped values in one text: all are remembered to find repeated ones. As many as
     * the tensors allowed have, each with its three fields, and as many again.
     */
    private static final int MAX_VALUES = 8 * HeaderReader.MAX_TENSORS;

    // Names are not interned in a shared table: a hostile file could fill it, or make all of them
    // collide.
    private static final JsonFactory FACTORY =
            JsonFactory.builder()
                    .streamReadConstraints(
                            StreamReadConstraints.builder()
                                    .maxNestingDepth(MAX_DEPTH)
                                    .maxNumberLength(MAX_NUMBER_CHARS)
                                    .build())
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .disable(TokenStreamFactory.Feature.CANONICALIZE_PROPERTY_NAMES)
                    .build();

    private final Path file;
    private final JsonParser parser;
    private String place;
    private String name = "";
    private int values;

    JsonReader(Path file, String place, byte[] utf8) {
        this.file = file;
        this.place = place;
        String text = Utf8.decode(utf8, 0, utf8.length);
        if (text == null) {
            throw bad("the JSON is not UTF-8");
        }
        parser = FACTORY.createParser(ObjectReadContext.empty(), text);
    }

    void place(String newPlace) {
        place(newPlace, "");
    }

    /**
     * What the coming text is about, with a name out of the file; put together only for an error.
     */
    void place(String newPlace, String newName) {
        place = newPlace;
        name = newName;
    }

    FormatException bad(String problem) {
        return new FormatException(file, where(), problem, HeaderReader.DAMAGED);
    }

    /** The error for more things than the limit on them allows. */
    FormatException tooMany(String what, int most) {
        return new FormatException(
                file,
                where(),
                "more than " + most + " " + what + ", at most so many are allowed",
                HeaderReader.TOO_MANY);
    }

    private String where() {
        return name.isEmpty() ? place : place + " " + FormatException.quote(name);
    }

    void beginObject() {
        expect(JsonToken.START_OBJECT, "an object");
    }

    /** The next member's name, never empty, or null at the object's end. */
    @Nullable String nextName() {
        if (next() == JsonToken.END_OBJECT) {
            return null;
        }
        countValue();
        String name = text();
        if (name.isEmpty()) {
            throw bad("a name is empty");
        }
        return name;
    }

    String string() {
        expect(JsonToken.VALUE_STRING, "a string");
        return text();
    }

    /** An array of at most {@code most} whole numbers from 0 to 2^63 − 1. */
    List<Long> naturals(int most) {
        expect(JsonToken.START_ARRAY, "an array of numbers");
        List<Long> numbers = new ArrayList<>();
        while (true) {
            JsonToken token = next();
            if (token == JsonToken.END_ARRAY) {
                return numbers;
            }
            if (token != JsonToken.VALUE_NUMBER_INT) {
                throw bad("found " + title(token) + ", expected a whole number");
            }
            if (numbers.size() == most) {
                throw bad("more than " + most + " numbers in an array");
            }
            numbers.add(natural());
        }
    }

    /** Passes over a value of any kind. */
    void skipValue() {
        int depth = 0;
        do {
            countValue();
            JsonToken token = next();
            if (token.isStructStart()) {
                depth++;
            } else if (token.isStructEnd()) {
                depth--;
            }
        } while (depth > 0);
    }

    private void countValue() {
        if (++values > MAX_VALUES) {
            throw tooMany("names and values", MAX_VALUES);
        }
    }

    /** Requires that only white space follows. */
    void end() {
        JsonToken token;
        try {
            token = parser.nextToken();
        } catch (JacksonException e) {
            throw bad(e);
        }
        if (token != null) {
            throw bad(title(token) + " after the JSON's end");
        }
    }

    @Override
    public void close() {
        parser.close();
    }

    private long natural() {
        long value;
        try {
            value = parser.getLongValue();
        } catch (JacksonException e) {
            throw bad(e);
        }
        if (value < 0) {
            throw bad("the number " + value + " is negative");
        }
        return value;
    }

    private void expect(JsonToken expected, String title) {
        JsonToken token = next();
        if (token != expected) {
            throw bad("found " + title(token) + ", expected " + title);
        }
    }

    private JsonToken next() {
        JsonToken token;
        try {
            token = parser.nextToken();
        } catch (JacksonException e) {
            throw bad(e);
        }
        if (token == null) {
            throw bad("the JSON ends too early");
        }
        return token;
    }

    private String text() {
        try {
            String text = parser.getString();
            return text == null ? "" : text;
        } catch (JacksonException e) {
            throw bad(e);
        }
    }

    private FormatException bad(JacksonException e) {
        TokenStreamLocation at = e.getLocation(); // broken limits have none
        String problem =
                JsonFault.of(
                        e.getOriginalMessage(),
                        at == null ? 0 : at.getLineNr(),
                        at == null ? 0 : at.getColumnNr());
        return new FormatException(file, where(), problem, HeaderReader.DAMAGED, e);
    }

    private static String title(JsonToken token) {
        return switch (token) {
            case START_OBJECT -> "an object";
            case END_OBJECT -> "the end of an object";
            case START_ARRAY -> "an array";
            case END_ARRAY -> "the end of an array";
            case VALUE_STRING, PROPERTY_NAME -> "a string";
            case VALUE_NUMBER_INT -> "a whole number";
            case VALUE_NUMBER_FLOAT -> "a fraction";
            case VALUE_TRUE, VALUE_FALSE -> "a boolean";
            case VALUE_NULL -> "null";
            case VALUE_EMBEDDED_OBJECT, NOT_AVAILABLE -> token.name();
        };
    }
}
