package dev.flagship.tokenizers;

import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;

/**
 * The parts of a {@code tokenizer_config.json} that {@code tokenizer.json} does not have.
 *
 * @param bosToken spelling of the token that begins a text
 * @param eosToken spelling of the token that ends a text
 * @param addsBos whether raw text is to be preceded by it; empty leaves it to {@code
 *     tokenizer.json}
 * @param chatTemplate source of the default chat template
 */
public record TokenizerConfig(
        Optional<String> bosToken,
        Optional<String> eosToken,
        Optional<Boolean> addsBos,
        Optional<String> chatTemplate) {

    /** Says nothing. */
    public static TokenizerConfig empty() {
        return new TokenizerConfig(
                Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty());
    }

    /**
     * Reads a {@code tokenizer_config.json}.
     *
     * @param json read to its end, not closed
     * @throws TokenizerException if it is not a JSON object
     * @throws IOException if the stream fails
     */
    public static TokenizerConfig read(InputStream json) throws IOException {
        try (JsonParser parser = Json.open(json)) {
            parser.nextToken();
            if (!(Json.tree(parser) instanceof TemplateValue.Mapping root)) {
                throw TokenizerException.invalid("tokenizer_config.json is not an object");
            }
            Json.end(parser, "tokenizer_config.json");
            return new TokenizerConfig(
                    spelling(root, "bos_token"),
                    spelling(root, "eos_token"),
                    root.entries().get("add_bos_token") instanceof TemplateValue.Bool adds
                            ? Optional.of(adds == TemplateValue.Bool.TRUE)
                            : Optional.empty(),
                    template(root.entries().get("chat_template")));
        } catch (JacksonException e) {
            throw Json.failure("tokenizer_config.json", e);
        }
    }

    /** A token is a string, or an object with the string as its {@code content}. */
    private static Optional<String> spelling(TemplateValue.Mapping root, String name) {
        return string(
                root.entries().get(name) instanceof TemplateValue.Mapping token
                        ? token.entries().get("content")
                        : root.entries().get(name));
    }

    /** A template is a string, or a list of objects with name and template. */
    private static Optional<String> template(@Nullable TemplateValue value) {
        if (value instanceof TemplateValue.Items named) {
            for (TemplateValue item : named.values()) {
                if (item instanceof TemplateValue.Mapping entry
                        && string(entry.entries().get("name")).equals(Optional.of("default"))) {
                    return string(entry.entries().get("template"));
                }
            }
        }
        return string(value);
    }

    private static Optional<String> string(@Nullable TemplateValue value) {
        return value instanceof TemplateValue.Text text
                ? Optional.of(text.string())
                : Optional.empty();
    }
}
