package dev.flagship.tokenizers;

import dev.flagship.base.JsonFault;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.TokenStreamFactory;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.json.JsonFactory;

/**
 * Bounded JSON: at most 64 levels, 256 MiB, strings of 8 MiB; trees of at most a million values.
 */
final class Json {
    private static final int DEPTH = 64;
    private static final int MOST_VALUES = 1_000_000;
    private static final JsonFactory FACTORY =
            JsonFactory.builder()
                    // Vocabularies have hundreds of thousands of names that never come again.
                    .disable(TokenStreamFactory.Feature.CANONICALIZE_PROPERTY_NAMES)
                    .disable(TokenStreamFactory.Feature.INTERN_PROPERTY_NAMES)
                    .streamReadConstraints(
                            StreamReadConstraints.builder()
                                    .maxNestingDepth(DEPTH)
                                    .maxDocumentLength(256L << 20)
                                    .maxStringLength(8 << 20)
                                    .maxNameLength(1 << 16)
                                    .maxNumberLength(100)
                                    .build())
                    .build();

    private int left = MOST_VALUES;

    private Json() {}

    static JsonParser open(InputStream in) {
        // A new decoder reports bytes that are not UTF-8, where the parser's own reader would
        // replace them.
        return FACTORY.createParser(
                ObjectReadContext.empty(),
                new InputStreamReader(in, StandardCharsets.UTF_8.newDecoder()));
    }

    static TemplateValue parse(String json) {
        try (JsonParser parser = FACTORY.createParser(ObjectReadContext.empty(), json)) {
            parser.nextToken();
            TemplateValue value = tree(parser);
            end(parser, "JSON");
            return value;
        } catch (JacksonException e) {
            throw unreadable("JSON", e);
        }
    }

    /**
     * A tokenizer's error for a JSON text that cannot be read.
     *
     * @throws IOException the stream's own failure, where that is the cause
     */
    static TokenizerException failure(String what, JacksonException cause) throws IOException {
        if (cause.getCause() instanceof IOException io
                && !(io instanceof CharacterCodingException)) {
            throw io;
        }
        return unreadable(what, cause);
    }

    private static TokenizerException unreadable(String what, JacksonException cause) {
        if (cause.getCause() instanceof CharacterCodingException) {
            return TokenizerException.unreadable(what + " is not UTF-8", cause);
        }
        TokenStreamLocation at = cause.getLocation();
        return TokenizerException.unreadable(
                "%s is not JSON: %s"
                        .formatted(
                                what,
                                JsonFault.of(
                                        cause.getOriginalMessage(),
                                        at == null ? 0 : at.getLineNr(),
                                        at == null ? 0 : at.getColumnNr())),
                cause);
    }

    /** What a token is, for people; null is the text's end. */
    static String title(@Nullable JsonToken token) {
        return switch (token) {
            case null -> "the end";
            case START_OBJECT -> "an object";
            case END_OBJECT -> "the end of an object";
            case START_ARRAY -> "a list";
            case END_ARRAY -> "the end of a list";
            case VALUE_STRING -> "a text";
            case PROPERTY_NAME -> "a name";
            case VALUE_NUMBER_INT -> "a whole number";
            case VALUE_NUMBER_FLOAT -> "a fraction";
            case VALUE_TRUE -> "true";
            case VALUE_FALSE -> "false";
            case VALUE_NULL -> "null";
            case VALUE_EMBEDDED_OBJECT, NOT_AVAILABLE -> "something else";
        };
    }

    /** Requires that nothing follows. */
    static void end(JsonParser parser, String what) {
        if (parser.nextToken() != null) {
            throw TokenizerException.invalid("%s goes on after its value", what);
        }
    }

    /** The value that begins at the parser's current token, to its end. */
    static TemplateValue tree(JsonParser parser) {
        return new Json().value(parser);
    }

    private TemplateValue value(JsonParser parser) {
        if (--left < 0) {
            throw TokenizerException.invalid("JSON has more than %d values", MOST_VALUES);
        }
        JsonToken token = parser.currentToken();
        if (token == null) {
            throw TokenizerException.invalid("JSON ends where a value is expected");
        }
        return switch (token) {
            case VALUE_NULL -> TemplateValue.none();
            case VALUE_TRUE -> TemplateValue.of(true);
            case VALUE_FALSE -> TemplateValue.of(false);
            case VALUE_STRING -> TemplateValue.of(parser.getString());
            // Beyond 64 bits a number loses digits, as transformers' huge "no limit" lengths may.
            case VALUE_NUMBER_INT ->
                    parser.getNumberType() == JsonParser.NumberType.BIG_INTEGER
                            ? TemplateValue.of(parser.getDoubleValue())
                            : TemplateValue.of(parser.getLongValue());
            case VALUE_NUMBER_FLOAT -> TemplateValue.of(parser.getDoubleValue());
            case START_ARRAY -> array(parser);
            case START_OBJECT -> object(parser);
            case NOT_AVAILABLE, END_OBJECT, END_ARRAY, PROPERTY_NAME, VALUE_EMBEDDED_OBJECT ->
                    throw TokenizerException.invalid(
                            "JSON has %s where a value is expected", title(token));
        };
    }

    private TemplateValue array(JsonParser parser) {
        List<TemplateValue> values = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            values.add(value(parser));
        }
        return new TemplateValue.Items(List.copyOf(values), false);
    }

    private TemplateValue object(JsonParser parser) {
        Map<String, TemplateValue> entries = new LinkedHashMap<>(2);
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = parser.currentName();
            parser.nextToken();
            entries.put(name, value(parser));
        }
        return new TemplateValue.Mapping(entries, false);
    }
}
