package dev.flagship.tokenizers;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/**
 * Reads one {@code tokenizer.json} of Hugging Face's {@code tokenizers}: a stream for vocabulary
 * and merges, small trees for the rest.
 */
final class TokenizerJson {
    private static final int MOST_TOKENS = 1 << 22;

    private final TokenizerConfig config;
    private final TokensById given = new TokensById("tokenizer.json");
    private TokensById.Table table = given.table();
    private @Nullable List<String> merges;
    private final List<TemplateValue.Mapping> addedTokens = new ArrayList<>();
    private final Map<Integer, AddedOptions> options = new HashMap<>();
    private @Nullable TemplateValue normalizer;
    private @Nullable TemplateValue preTokenizer;
    private @Nullable TemplateValue postProcessor;
    private @Nullable TemplateValue decoder;
    private boolean ignoreMerges;
    private boolean fuseUnknown;
    private boolean byteFallback;
    private Optional<String> unknown = Optional.empty();

    TokenizerJson(TokenizerConfig config) {
        this.config = config;
    }

    BpeTokenizer read(InputStream in) throws IOException {
        try (JsonParser parser = Json.open(in)) {
            root(parser);
            Json.end(parser, "tokenizer.json");
        } catch (JacksonException e) {
            throw Json.failure("tokenizer.json", e);
        }
        return build();
    }

    private void root(JsonParser parser) {
        expect(parser.nextToken(), JsonToken.START_OBJECT, "tokenizer.json");
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = parser.currentName();
            parser.nextToken();
            switch (name) {
                case "added_tokens" -> addedTokens(parser);
                case "normalizer" -> normalizer = Json.tree(parser);
                case "pre_tokenizer" -> preTokenizer = Json.tree(parser);
                case "post_processor" -> postProcessor = Json.tree(parser);
                case "decoder" -> decoder = Json.tree(parser);
                case "model" -> model(parser);
                default -> parser.skipChildren();
            }
        }
    }

    private void addedTokens(JsonParser parser) {
        if (!(Json.tree(parser) instanceof TemplateValue.Items items)) {
            throw TokenizerException.invalid("tokenizer.json: added_tokens is not a list");
        }
        for (TemplateValue item : items.values()) {
            if (!(item instanceof TemplateValue.Mapping token)) {
                throw TokenizerException.invalid(
                        "tokenizer.json: added_tokens holds %s instead of an object",
                        TokenizerException.quote(PythonText.head(item)));
            }
            addedTokens.add(token);
        }
    }

    private void model(JsonParser parser) {
        expect(parser.currentToken(), JsonToken.START_OBJECT, "tokenizer.json: model");
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = parser.currentName();
            JsonToken value = parser.nextToken();
            switch (name) {
                case "vocab" -> vocabulary(parser);
                case "merges" -> merges(parser);
                case "ignore_merges" -> ignoreMerges = flag(name, value);
                case "fuse_unk" -> fuseUnknown = flag(name, value);
                case "byte_fallback" -> byteFallback = flag(name, value);
                case "unk_token" -> {
                    if (value != JsonToken.VALUE_NULL) {
                        expect(value, JsonToken.VALUE_STRING, "tokenizer.json: model.unk_token");
                        unknown = Optional.of(parser.getString());
                    }
                }
                case "type" -> {
                    String type = parser.getValueAsString();
                    if ("Unigram".equals(type)) {
                        throw TokenizerException.noUnigram("tokenizer.json");
                    }
                    if (!"BPE".equals(type)) {
                        throw unknownPart("model", Json.tree(parser));
                    }
                }
                case "dropout", "continuing_subword_prefix", "end_of_word_suffix" ->
                        requireOff(name, parser);
                default -> parser.skipChildren();
            }
        }
    }

    private static boolean flag(String name, @Nullable JsonToken value) {
        if (value != JsonToken.VALUE_FALSE && value != JsonToken.VALUE_NULL) {
            expect(value, JsonToken.VALUE_TRUE, "tokenizer.json: model." + name);
        }
        return value == JsonToken.VALUE_TRUE;
    }

    private static void requireOff(String name, JsonParser parser) {
        boolean off =
                switch (Json.tree(parser)) {
                    case TemplateValue.None none -> true;
                    case TemplateValue.Bool bool -> bool == TemplateValue.Bool.FALSE;
                    case TemplateValue.Text text -> text.string().isEmpty();
                    case TemplateValue.Real real -> real.value() == 0;
                    case TemplateValue.Int whole -> whole.value() == 0;
                    case TemplateValue other -> false;
                };
        if (!off) {
            throw TokenizerException.unsupported(
                    "tokenizer.json: model.%s is set; BPE without it is implemented", name);
        }
    }

    private void vocabulary(JsonParser parser) {
        expect(parser.currentToken(), JsonToken.START_OBJECT, "tokenizer.json: model.vocab");
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String token = parser.currentName();
            expect(
                    parser.nextToken(),
                    JsonToken.VALUE_NUMBER_INT,
                    "tokenizer.json: an id of model.vocab");
            given.add(parser.getLongValue(), token, BpeModel.Kind.NORMAL);
        }
    }

    private void merges(JsonParser parser) {
        List<String> read = new ArrayList<>();
        expect(parser.currentToken(), JsonToken.START_ARRAY, "tokenizer.json: model.merges");
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            if (read.size() == MOST_TOKENS) {
                throw TokenizerException.invalid(
                        "tokenizer.json: more than %d merges", MOST_TOKENS);
            }
            if (parser.currentToken() == JsonToken.START_ARRAY) {
                expect(
                        parser.nextToken(),
                        JsonToken.VALUE_STRING,
                        "tokenizer.json: a merge's left");
                String left = parser.getString();
                expect(
                        parser.nextToken(),
                        JsonToken.VALUE_STRING,
                        "tokenizer.json: a merge's right");
                read.add(left + ' ' + parser.getString());
                expect(parser.nextToken(), JsonToken.END_ARRAY, "tokenizer.json: a merge's end");
            } else {
                expect(parser.currentToken(), JsonToken.VALUE_STRING, "tokenizer.json: a merge");
                read.add(parser.getString());
            }
        }
        merges = read;
    }

    private BpeTokenizer build() {
        if (merges == null || given.isEmpty()) {
            throw TokenizerException.invalid(
                    "tokenizer.json: model.vocab or model.merges is missing or empty");
        }
        for (TemplateValue.Mapping token : addedTokens) {
            addToken(token);
        }
        table = given.table();
        SpacesJson spaces = new SpacesJson(normalizer, preTokenizer, decoder);
        Spelling spelling = spaces.apply() ? Spelling.CHARACTERS : Spelling.BYTES;
        String[] byId = table.tokens();
        BpeModel.Kind[] kindById = table.filled();
        for (int id = 0; id < byId.length; id++) {
            if (byteFallback
                    && kindById[id] == BpeModel.Kind.NORMAL
                    && Spelling.byteOf(byId[id]) >= 0) {
                kindById[id] = BpeModel.Kind.BYTE;
            }
        }
        int unknownId = unknown.isEmpty() ? -1 : idOf(unknown.get(), "model.unk_token");
        BpeModel model =
                BpeModel.ranked(
                        spelling,
                        byId,
                        kindById,
                        merges.toArray(String[]::new),
                        new BpeModel.Options(ignoreMerges, unknownId, fuseUnknown));
        BpeTokenizer.Rules rules =
                switch (spelling) {
                    case CHARACTERS -> spaces.rules(options);
                    case BYTES -> byteLevelRules();
                };
        return new BpeTokenizer(byId, kindById, model, rules, ends());
    }

    private BpeTokenizer.Rules byteLevelRules() {
        if (byteFallback) {
            throw TokenizerException.unsupported(
                    "tokenizer.json: model.byte_fallback is set, though its decoder is ByteLevel");
        }
        return new BpeTokenizer.Rules(
                new PreTokenizerJson().read(preTokenizer),
                BpeTokenizer.Added.PART_TEXT,
                false,
                NormalizerJson.read(normalizer),
                options);
    }

    private void addToken(TemplateValue.Mapping token) {
        Map<String, TemplateValue> fields = token.entries();
        if (!(fields.get("id") instanceof TemplateValue.Int id)
                || !(fields.get("content") instanceof TemplateValue.Text content)
                || content.string().isEmpty()) {
            throw TokenizerException.invalid(
                    "tokenizer.json: an added token lacks its id or content");
        }
        given.add(
                id.value(),
                content.string(),
                fields.get("special") == TemplateValue.Bool.TRUE
                                || AddedTokens.endsTurn(content.string())
                        ? BpeModel.Kind.CONTROL
                        : BpeModel.Kind.ADDED);
        AddedOptions found = AddedOptions.of(token);
        if (!found.equals(AddedOptions.PLAIN)) {
            options.put((int) id.value(), found); // the id is one, now
        }
    }

    private int idOf(String token, String field) {
        int id = table.id(token);
        if (id < 0) {
            throw TokenizerException.invalid(
                    "tokenizer.json: %s is %s, which the vocabulary lacks",
                    field, TokenizerException.quote(token));
        }
        return id;
    }

    private BpeTokenizer.TextEnds ends() {
        List<TemplateValue> steps = new ArrayList<>();
        flatten(postProcessor, steps);
        OptionalInt before = OptionalInt.empty();
        OptionalInt after = OptionalInt.empty();
        for (TemplateValue step : steps) {
            TemplateValue.Mapping part = (TemplateValue.Mapping) step;
            switch (PreTokenizerJson.type(part)) {
                case "ByteLevel" -> {} // Its offsets are of no concern here.
                case "TemplateProcessing" -> {
                    boolean textSeen = false;
                    for (TemplateValue piece : PreTokenizerJson.items(part, "single")) {
                        OptionalInt id = specialToken(piece);
                        if (id.isEmpty()) {
                            textSeen = true;
                        } else if (textSeen && after.isEmpty()) {
                            after = id;
                        } else if (!textSeen && before.isEmpty()) {
                            before = id;
                        } else {
                            throw unknownPart(
                                    "post_processor with several tokens at one end", part);
                        }
                    }
                }
                default -> throw unknownPart("post_processor", part);
            }
        }
        OptionalInt bos =
                config.bosToken().isPresent()
                        ? OptionalInt.of(idOf(config.bosToken().get(), "bos_token"))
                        : before;
        OptionalInt eos =
                config.eosToken().isPresent()
                        ? OptionalInt.of(idOf(config.eosToken().get(), "eos_token"))
                        : after;
        boolean addsBos = config.addsBos().orElse(before.isPresent());
        return new BpeTokenizer.TextEnds(bos, eos, addsBos && bos.isPresent(), after.isPresent());
    }

    private OptionalInt specialToken(TemplateValue piece) {
        if (piece instanceof TemplateValue.Mapping kind
                && kind.entries().get("SpecialToken") instanceof TemplateValue.Mapping token
                && token.entries().get("id") instanceof TemplateValue.Text spelling) {
            return OptionalInt.of(idOf(spelling.string(), "post_processor"));
        }
        return OptionalInt.empty();
    }

    private static void flatten(@Nullable TemplateValue part, List<TemplateValue> steps) {
        if (part instanceof TemplateValue.Mapping mapping) {
            if (PreTokenizerJson.type(mapping).equals("Sequence")) {
                for (TemplateValue inner : PreTokenizerJson.items(mapping, "processors")) {
                    flatten(inner, steps);
                }
            } else {
                steps.add(mapping);
            }
        } else if (part != null && part != TemplateValue.None.NONE) {
            throw unknownPart("post_processor", part);
        }
    }

    private static void expect(@Nullable JsonToken found, JsonToken expected, String place) {
        if (found != expected) {
            throw TokenizerException.invalid(
                    "%s: found %s, expected %s", place, Json.title(found), Json.title(expected));
        }
    }

    static TokenizerException unknownPart(String part, @Nullable TemplateValue value) {
        String found = value == null ? "nothing" : TokenizerException.quote(PythonText.head(value));
        return TokenizerException.unsupported(
                "tokenizer.json: %s is %s, which is not implemented; implemented are BPE as LLaMA 2 has it, and byte-level BPE"
                        + " with the published expressions of LLaMA's look-alikes, both with the normalizers NFC, NFD, NFKC, NFKD and Lowercase",
                part, found);
    }
}
