package dev.flagship.cli;

import dev.flagship.base.Bytes;
import dev.flagship.base.JsonFault;
import dev.flagship.base.Quoted;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A conversation in a file: JSON, written whole or not at all.
 *
 * @param model the id of the model that gave the answers
 */
record SavedChat(String model, AnswerSettings settings, List<Exchange> exchanges) {
    private static final String VERSION = "flagship_chat";
    private static final int MOST_BYTES = 16 << 20;
    private static final Set<String> KEYS =
            Set.of(VERSION, "model", "system", "settings", "messages");

    private static final JsonMapper JSON =
            JsonMapper.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .enable(SerializationFeature.INDENT_OUTPUT)
                    .build();

    SavedChat {
        exchanges = List.copyOf(exchanges);
    }

    /**
     * Writes the file.
     *
     * @param overwrite whether one that is there may be lost
     * @throws FileAlreadyExistsException if there is one that may not
     * @throws IOException if it cannot be written; then all is as it was
     */
    void write(Path file, boolean overwrite) throws IOException {
        if (Files.isDirectory(file)) {
            throw new FileSystemException(
                    file.toString(), null, "it is a folder; name a file in it");
        }
        Path folder = file.toAbsolutePath().getParent();
        if (folder == null || !Files.isDirectory(folder)) {
            throw new FileSystemException(file.toString(), null, "its folder is not there");
        }
        if (!overwrite && Files.exists(file)) {
            throw new FileAlreadyExistsException(file.toString());
        }
        Path part = Files.createTempFile(folder, ".chat", ".part"); // for its owner alone
        try {
            Files.writeString(part, json());
            if (overwrite) {
                Files.move(part, file, StandardCopyOption.REPLACE_EXISTING);
            } else {
                Files.move(part, file);
            }
        } finally {
            Files.deleteIfExists(part);
        }
    }

    private String json() {
        ObjectNode root = JSON.createObjectNode();
        root.put(VERSION, 1);
        root.put("model", model);
        root.put("system", settings.system());
        ObjectNode values = root.putObject("settings");
        for (ChatSetting setting : ChatSetting.values()) {
            values.put(setting.title(), setting.of(settings));
        }
        ArrayNode messages = root.putArray("messages");
        for (Exchange exchange : exchanges) {
            messages.addObject().put("role", "user").put("content", exchange.asked());
            messages.addObject().put("role", "assistant").put("content", exchange.answer());
        }
        return JSON.writeValueAsString(root) + "\n";
    }

    /**
     * Reads a file.
     *
     * @param now settings, for what the file does not tell
     * @throws CliException {@code bad_chat_file}, if it is none that we wrote
     * @throws IOException if it cannot be read
     */
    static SavedChat read(Path file, AnswerSettings now) throws IOException {
        if (Files.exists(file) && !Files.isRegularFile(file)) {
            throw wrong(file, "it is no file", null);
        }
        byte[] bytes;
        try (InputStream in = Files.newInputStream(file)) {
            bytes = in.readNBytes(MOST_BYTES + 1);
        }
        if (bytes.length > MOST_BYTES) {
            throw wrong(file, "it has more than " + Bytes.human(MOST_BYTES), null);
        }
        try {
            return of(file, JSON.readTree(bytes), now);
        } catch (JacksonException e) {
            var place = e.getLocation();
            String fault =
                    place == null
                            ? "it is no JSON"
                            : JsonFault.of(
                                    String.valueOf(e.getOriginalMessage()),
                                    place.getLineNr(),
                                    place.getColumnNr());
            throw wrong(file, fault, e);
        }
    }

    private static SavedChat of(Path file, JsonNode root, AnswerSettings now) {
        if (!root.isObject() || !root.path(VERSION).isInt()) {
            throw wrong(file, "it does not begin as one: {\"" + VERSION + "\": 1, …", null);
        }
        int version = root.path(VERSION).intValue();
        if (version != 1) {
            throw wrong(file, "it is of version %d, and this reads 1".formatted(version), null);
        }
        for (String key : root.propertyNames()) {
            if (!KEYS.contains(key)) {
                throw wrong(file, "nothing is known of " + Quoted.of(key), null);
            }
        }
        JsonNode system = root.path("system");
        if (!system.isMissingNode() && !system.isNull() && !system.isString()) {
            throw wrong(file, "its system message is no text", null);
        }
        String text = system.isString() ? system.stringValue() : null;
        return new SavedChat(
                text(file, root, "model"),
                settings(file, root.path("settings"), now.withSystem(text)),
                exchanges(file, root.path("messages")));
    }

    private static AnswerSettings settings(Path file, JsonNode json, AnswerSettings now) {
        AnswerSettings settings = now;
        if (json.isMissingNode()) {
            return settings;
        }
        if (!json.isObject()) {
            throw wrong(file, "its settings are not in braces", null);
        }
        for (Map.Entry<String, JsonNode> entry : json.properties()) {
            ChatSetting setting =
                    ChatSetting.named(entry.getKey())
                            .orElseThrow(() ->
                                    wrong(
                                            file,
                                            "there is no setting " + Quoted.of(entry.getKey()),
                                            null));
            JsonNode value = entry.getValue();
            if (!value.isString() && !value.isNumber()) {
                throw wrong(file, setting.title() + " is neither text nor number", null);
            }
            try {
                settings = setting.set(settings, value.asString());
            } catch (CliException e) {
                throw wrong(file, e.getMessage(), e);
            }
        }
        return settings;
    }

    private static List<Exchange> exchanges(Path file, JsonNode json) {
        if (!json.isArray() || json.size() % 2 != 0) {
            throw wrong(file, "its messages are not a list of pairs", null);
        }
        var exchanges = new ArrayList<Exchange>();
        for (int i = 0; i < json.size(); i += 2) {
            exchanges.add(
                    new Exchange(
                            message(file, json, i, "user"),
                            message(file, json, i + 1, "assistant")));
        }
        return exchanges;
    }

    private static String message(Path file, JsonNode messages, int index, String role) {
        JsonNode message = messages.path(index);
        if (!message.isObject()
                || message.size() != 2
                || !role.equals(text(file, message, "role"))) {
            throw wrong(
                    file,
                    "message %d is not {\"role\": \"%s\", \"content\": …}; the two take turns"
                            .formatted(index + 1, role),
                    null);
        }
        return text(file, message, "content");
    }

    private static String text(Path file, JsonNode object, String key) {
        JsonNode value = object.path(key);
        if (!value.isString()) {
            throw wrong(file, "%s is missing, or no text".formatted(Quoted.of(key)), null);
        }
        return value.stringValue();
    }

    private static CliException wrong(Path file, String fault, @Nullable Throwable cause) {
        return new CliException(
                "bad_chat_file",
                "%s is no conversation that /save wrote: %s. Nothing was loaded."
                        .formatted(file, fault),
                cause);
    }
}
