package dev.flagship.tokenizers;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;

/**
 * The parts of a {@code tokenizer_config.json} that other tokenizer files do not have.
 *
 * @param bosToken spelling of the token that begins a text
 * @param eosToken spelling of the token that ends a text
 * @param addsBos whether raw text is to be preceded by the first; empty leaves it to the other file
 * @param addsEos whether raw text is to be followed by the second; likewise
 * @param addsPrefixSpace whether text gets a space in front; likewise
 * @param tokenizerClass name of the class that transformers uses
 * @param added tokens beside those of the vocabulary
 * @param specialTokens spellings of further control tokens
 * @param chatTemplate source of the default chat template
 */
public record TokenizerConfig(
        Optional<String> bosToken,
        Optional<String> eosToken,
        Optional<Boolean> addsBos,
        Optional<Boolean> addsEos,
        Optional<Boolean> addsPrefixSpace,
        Optional<String> tokenizerClass,
        List<Added> added,
        List<String> specialTokens,
        Optional<String> chatTemplate) {

    public TokenizerConfig {
        added = List.copyOf(added);
        specialTokens = List.copyOf(specialTokens);
    }

    /**
     * A token beside those of the vocabulary.
     *
     * @param spelling as it is found in texts
     * @param special whether it is a control token
     * @param options how its spelling finds it
     */
    public record Added(int id, String spelling, boolean special, AddedOptions options) {}

    /** Says nothing. */
    public static TokenizerConfig empty() {
        return of(new TemplateValue.Mapping(Map.of(), false));
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
            return of(root);
        } catch (JacksonException e) {
            throw Json.failure("tokenizer_config.json", e);
        }
    }

    private static TokenizerConfig of(TemplateValue.Mapping root) {
        List<String> special = new ArrayList<>();
        for (String name : List.of("bos_token", "eos_token", "unk_token", "pad_token")) {
            spelling(root.entries().get(name)).ifPresent(special::add);
        }
        if (root.entries().get("additional_special_tokens") instanceof TemplateValue.Items more) {
            more.values().forEach(token -> spelling(token).ifPresent(special::add));
        }
        return new TokenizerConfig(
                spelling(root.entries().get("bos_token")),
                spelling(root.entries().get("eos_token")),
                flag(root, "add_bos_token"),
                flag(root, "add_eos_token"),
                flag(root, "add_prefix_space"),
                string(root.entries().get("tokenizer_class")),
                added(root.entries().get("added_tokens_decoder")),
                special,
                template(root.entries().get("chat_template")));
    }

    /**
     * With the tokens of an {@code added_tokens.json}, spellings and ids; control tokens are those
     * that this configuration calls so.
     *
     * @param json read to its end, not closed
     */
    TokenizerConfig withAdded(InputStream json) throws IOException {
        List<Added> more = new ArrayList<>();
        Set<String> special = Set.copyOf(specialTokens);
        try (JsonParser parser = Json.open(json)) {
            parser.nextToken();
            if (!(Json.tree(parser) instanceof TemplateValue.Mapping root)) {
                throw TokenizerException.invalid("added_tokens.json is not an object");
            }
            Json.end(parser, "added_tokens.json");
            root.entries()
                    .forEach((spelling, id) ->
                            more.add(
                                    new Added(
                                            id(id, spelling),
                                            spelling,
                                            special.contains(spelling),
                                            AddedOptions.PLAIN)));
        } catch (JacksonException e) {
            throw Json.failure("added_tokens.json", e);
        }
        return new TokenizerConfig(
                bosToken,
                eosToken,
                addsBos,
                addsEos,
                addsPrefixSpace,
                tokenizerClass,
                more,
                specialTokens,
                chatTemplate);
    }

    private static int id(TemplateValue value, String spelling) {
        if (value instanceof TemplateValue.Int id && id.value() == (int) id.value()) {
            return (int) id.value();
        }
        throw TokenizerException.invalid(
                "the id of the added token %s is no whole number",
                TokenizerException.quote(spelling));
    }

    /** Objects by id. */
    private static List<Added> added(@Nullable TemplateValue value) {
        List<Added> added = new ArrayList<>();
        if (value instanceof TemplateValue.Mapping byId) {
            byId.entries().forEach((id, token) -> added.add(added(id, token)));
        }
        return added;
    }

    private static Added added(String id, TemplateValue token) {
        boolean number = !id.isEmpty() && id.length() < 10;
        for (int i = 0; i < id.length(); i++) {
            number &= id.charAt(i) >= '0' && id.charAt(i) <= '9';
        }
        if (number
                && token instanceof TemplateValue.Mapping fields
                && fields.entries().get("content") instanceof TemplateValue.Text content) {
            boolean special = fields.entries().get("special") == TemplateValue.Bool.TRUE;
            return new Added(
                    Integer.parseInt(id), content.string(), special, AddedOptions.of(fields));
        }
        throw TokenizerException.invalid(
                "tokenizer_config.json: the added token %s lacks its content, or its id is no number",
                TokenizerException.quote(id));
    }

    private static Optional<Boolean> flag(TemplateValue.Mapping root, String name) {
        return root.entries().get(name) instanceof TemplateValue.Bool flag
                ? Optional.of(flag == TemplateValue.Bool.TRUE)
                : Optional.empty();
    }

    /** A token is a string, or an object with the string as its {@code content}. */
    private static Optional<String> spelling(@Nullable TemplateValue value) {
        return string(
                value instanceof TemplateValue.Mapping token
                        ? token.entries().get("content")
                        : value);
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
