package dev.flagship.tokenizers;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/**
 * Reads GPT-2's pair of files, {@code vocab.json} and {@code merges.txt}. They do not say how text
 * is cut into pieces; the {@code tokenizer_class} of {@code tokenizer_config.json} does.
 */
final class GptVocabulary {
    private final TokenizerConfig config;

    GptVocabulary(TokenizerConfig config) {
        this.config = config;
    }

    /**
     * @param merges lines of the file
     */
    BpeTokenizer read(InputStream vocabulary, List<String> merges) throws IOException {
        PreTokenizer preTokenizer = preTokenizer();
        String[] tokens = tokens(vocabulary);
        BpeModel.Kind[] kinds = new BpeModel.Kind[tokens.length];
        Arrays.fill(kinds, BpeModel.Kind.NORMAL);
        ExtraTokens extra = new ExtraTokens(config, tokens, kinds, "vocab.json");
        List<String> texts = new ArrayList<>(merges.size());
        for (int i = 0; i < merges.size(); i++) {
            String line = merges.get(i);
            boolean version = i == 0 && line.startsWith("#version");
            if (!version && !line.isBlank()) {
                texts.add(line);
            }
        }
        BpeModel model =
                BpeModel.ranked(
                        Spelling.BYTES,
                        extra.tokens(),
                        extra.kinds(),
                        texts.toArray(String[]::new),
                        new BpeModel.Options(false, -1, false));
        return new BpeTokenizer(
                extra.tokens(),
                extra.kinds(),
                model,
                BpeTokenizer.Rules.byteLevel(preTokenizer).with(extra.options()),
                extra.ends(OptionalInt.empty(), OptionalInt.empty(), false));
    }

    private PreTokenizer preTokenizer() {
        String name = config.tokenizerClass().orElse("");
        PreTokenizer steps =
                switch (name) {
                    case "GPT2Tokenizer", "GPT2TokenizerFast" -> new PreTokenizer.Gpt2();
                    default ->
                            throw TokenizerException.unsupported(
                                    "vocab.json and merges.txt do not say how text is cut, and the tokenizer_class of"
                                            + " tokenizer_config.json is %s; known is GPT2Tokenizer. Put the model's tokenizer.json"
                                            + " beside them",
                                    name.isEmpty() ? "missing" : TokenizerException.quote(name));
                };
        return config.addsPrefixSpace().orElse(false)
                ? new PreTokenizer.Sequence(List.of(new PreTokenizer.PrefixSpace(), steps))
                : steps;
    }

    private static String[] tokens(InputStream in) throws IOException {
        TokensById given = new TokensById("vocab.json");
        try (JsonParser parser = Json.open(in)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw TokenizerException.invalid("vocab.json is not an object");
            }
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String token = parser.currentName();
                if (parser.nextToken() != JsonToken.VALUE_NUMBER_INT) {
                    throw TokenizerException.invalid(
                            "vocab.json: the id of %s is no whole number",
                            TokenizerException.quote(token));
                }
                given.add(parser.getLongValue(), token, BpeModel.Kind.NORMAL);
            }
            Json.end(parser, "vocab.json");
        } catch (JacksonException e) {
            throw Json.failure("vocab.json", e);
        }
        return given.table().tokens();
    }
}
