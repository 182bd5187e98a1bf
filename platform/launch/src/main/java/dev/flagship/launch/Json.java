package dev.flagship.launch;

import dev.flagship.base.JsonFault;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** JSON of hubs, catalogues and the store itself, bounded. */
final class Json {
    private static final int MOST_BYTES = 16 << 20; // a listing of 40,000 files

    static final JsonMapper MAPPER =
            JsonMapper.builder(
                            JsonFactory.builder()
                                    .streamReadConstraints(
                                            StreamReadConstraints.builder()
                                                    .maxNestingDepth(64)
                                                    .maxStringLength(1 << 20)
                                                    .maxNameLength(1 << 12)
                                                    .maxNumberLength(100)
                                                    .build())
                                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                                    .build())
                    .build();

    private Json() {}

    /** What is not JSON, or not what it should be, in words for a person. */
    static final class Fault extends Exception {
        private static final long serialVersionUID = 1L;

        Fault(String message, @Nullable Throwable cause) {
            super(message, cause);
        }

        Fault(String message) {
            this(message, null);
        }

        String words() {
            return String.valueOf(getMessage());
        }
    }

    static JsonNode read(InputStream in) throws IOException, Fault {
        byte[] bytes = in.readNBytes(MOST_BYTES + 1);
        if (bytes.length > MOST_BYTES) {
            throw new Fault("it has more than 16 MiB");
        }
        return read(bytes);
    }

    static JsonNode read(byte[] bytes) throws Fault {
        try {
            JsonNode node = MAPPER.readTree(new String(bytes, StandardCharsets.UTF_8));
            if (node == null || node.isMissingNode()) {
                throw new Fault("it is empty");
            }
            return node;
        } catch (JacksonException e) {
            TokenStreamLocation at = e.getLocation();
            throw new Fault(
                    JsonFault.of(
                            String.valueOf(e.getOriginalMessage()),
                            at == null ? 0 : at.getLineNr(),
                            at == null ? 0 : at.getColumnNr()),
                    e);
        }
    }

    /** A text that must be there. */
    static String text(JsonNode object, String name) throws Fault {
        return optionalText(object, name)
                .orElseThrow(() -> new Fault("\"%s\" is missing".formatted(name)));
    }

    static Optional<String> optionalText(JsonNode object, String name) throws Fault {
        JsonNode value = object.path(name);
        if (value.isMissingNode() || value.isNull()) {
            return Optional.empty();
        }
        if (!value.isString()) {
            throw new Fault("\"%s\" is no text".formatted(name));
        }
        return Optional.of(value.stringValue());
    }

    /** A whole number, not below 0, that must be there. */
    static long count(JsonNode object, String name) throws Fault {
        JsonNode value = object.path(name);
        if (!value.isIntegralNumber() || !value.canConvertToLong() || value.longValue() < 0) {
            throw new Fault("\"%s\" is no number of bytes".formatted(name));
        }
        return value.longValue();
    }

    static JsonNode array(JsonNode object, String name) throws Fault {
        JsonNode value = object.path(name);
        if (!value.isArray()) {
            throw new Fault("\"%s\" is no list".formatted(name));
        }
        return value;
    }
}
