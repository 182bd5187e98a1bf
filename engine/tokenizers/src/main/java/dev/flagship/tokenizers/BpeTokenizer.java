package dev.flagship.tokenizers;

import static dev.flagship.base.Check.check;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalInt;

/**
 * Byte-level byte-pair encoding as GPT-2 introduced it (Radford et al., 2019) and Hugging Face's
 * {@code tokenizers} runs it: control and added tokens first, then the pre-tokeniser's pieces, then
 * merges over UTF-8 bytes.
 */
public final class BpeTokenizer implements Tokenizer {
    private final String[] tokens;
    private final BpeModel.Kind[] kinds;
    private final BpeModel model;
    private final AddedTokens added;
    private final PreTokenizer preTokenizer;
    private final TextEnds ends;
    private final int longestToken;

    /**
     * Tokens at the ends of a raw text.
     *
     * @param bos the token that begins a text
     * @param eos the token that ends a text
     * @param addsBos whether raw text is to be preceded by {@code bos}
     * @param addsEos whether raw text is to be followed by {@code eos}
     */
    public record TextEnds(OptionalInt bos, OptionalInt eos, boolean addsBos, boolean addsEos) {
        /** No such tokens. */
        public static TextEnds none() {
            return new TextEnds(OptionalInt.empty(), OptionalInt.empty(), false, false);
        }
    }

    BpeTokenizer(
            String[] tokens,
            BpeModel.Kind[] kinds,
            BpeModel model,
            PreTokenizer preTokenizer,
            TextEnds ends) {
        this.tokens = tokens;
        this.kinds = kinds;
        this.model = model;
        this.preTokenizer = preTokenizer;
        this.ends = ends;
        this.added = new AddedTokens();
        int longest = 1;
        for (int id = 0; id < tokens.length; id++) {
            // A token's spelling has a character for each byte, so its text has no more.
            longest = Math.max(longest, tokens[id].length());
            if (kinds[id] != BpeModel.Kind.NORMAL && !tokens[id].isEmpty()) {
                added.add(tokens[id], id, kinds[id] == BpeModel.Kind.CONTROL);
            }
        }
        this.longestToken = longest;
        checkEnd("begin-of-text", ends.bos(), ends.addsBos());
        checkEnd("end-of-text", ends.eos(), ends.addsEos());
    }

    private void checkEnd(String name, OptionalInt id, boolean needed) {
        if (id.isPresent() && (id.getAsInt() < 0 || id.getAsInt() >= tokens.length)) {
            throw TokenizerException.invalid(
                    "%s token %d is outside the vocabulary of %d",
                    name, id.getAsInt(), tokens.length);
        }
        if (needed && id.isEmpty()) {
            throw TokenizerException.invalid("a %s token is to be added, but none is named", name);
        }
    }

    /**
     * A tokenizer from the {@code tokenizer.ggml.*} arrays of a GGUF file whose tokenizer model is
     * {@code gpt2}.
     *
     * @param tokens token strings in byte-level spelling, by id
     * @param tokenTypes by id: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte
     * @param merges two tokens with a space between, the lowest rank first
     * @param pre name of the pre-tokeniser ({@code tokenizer.ggml.pre})
     * @throws TokenizerException if the arrays contradict each other or the pre-tokeniser is
     *     unknown
     */
    public static BpeTokenizer fromGguf(
            String[] tokens, int[] tokenTypes, String[] merges, String pre, TextEnds ends) {
        return GgufVocabulary.read(tokens.clone(), tokenTypes, merges, pre, ends);
    }

    /**
     * A tokenizer from a {@code tokenizer.json}.
     *
     * @param tokenizerJson read to its end, not closed
     * @param config what {@code tokenizer_config.json} beside it says
     * @throws TokenizerException if the file is damaged, too large, or asks for a part that
     *     Flagship does not implement
     * @throws IOException if the stream fails
     */
    public static BpeTokenizer fromJson(InputStream tokenizerJson, TokenizerConfig config)
            throws IOException {
        return new TokenizerJson(config).read(tokenizerJson);
    }

    /**
     * As {@link #fromJson(InputStream, TokenizerConfig)}, from a file and, where it exists, the
     * {@code tokenizer_config.json} beside it.
     */
    public static BpeTokenizer fromJson(Path tokenizerJson) throws IOException {
        Path configFile = tokenizerJson.resolveSibling("tokenizer_config.json");
        TokenizerConfig config = TokenizerConfig.empty();
        if (Files.exists(configFile)) {
            try (InputStream in = Files.newInputStream(configFile)) {
                config = TokenizerConfig.read(in);
            }
        }
        try (InputStream in = Files.newInputStream(tokenizerJson)) {
            return fromJson(in, config);
        }
    }

    @Override
    public int vocabularySize() {
        return tokens.length;
    }

    @Override
    public int longestToken() {
        return longestToken;
    }

    @Override
    public int[] encode(String text, ControlTokens control) {
        TrustedText source =
                control == ControlTokens.PARSE
                        ? TrustedText.trusted(text)
                        : TrustedText.untrusted(text);
        return encode(source);
    }

    @Override
    public int[] encode(RenderedPrompt prompt) {
        return encode(prompt.source());
    }

    private int[] encode(TrustedText source) {
        String text = wellFormed(source.text());
        IntList ids = new IntList(text.length() / 3);
        BytePairEncoder encoder = new BytePairEncoder(model, ids);
        TrustedText.Cursor trust = source.cursor();
        int start = 0;
        int i = 0;
        while (i < text.length()) {
            long match =
                    added.mayStart(text.charAt(i)) ? added.match(text, i, trust.trustedEnd(i)) : -1;
            if (match < 0) {
                i++;
                continue;
            }
            preTokenizer.split(text, start, i, encoder::encode);
            ids.add((int) (match >>> 32));
            i = (int) match;
            start = i;
        }
        preTokenizer.split(text, start, text.length(), encoder::encode);
        return ids.toArray();
    }

    /** Replaces lone surrogates, which UTF-8 cannot express, by U+FFFD; positions stay the same. */
    private static String wellFormed(String text) {
        StringBuilder repaired = null;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (!Character.isSurrogate(c)) {
                continue;
            }
            if (Character.isHighSurrogate(c)
                    && i + 1 < text.length()
                    && Character.isLowSurrogate(text.charAt(i + 1))) {
                i++;
                continue;
            }
            if (repaired == null) {
                repaired = new StringBuilder(text);
            }
            repaired.setCharAt(i, '\uFFFD');
        }
        return repaired == null ? text : repaired.toString();
    }

    @Override
    public String decode(int[] ids) {
        return decode(ids, false);
    }

    @Override
    public String decodeSkippingControl(int[] ids) {
        return decode(ids, true);
    }

    private String decode(int[] ids, boolean skipControl) {
        Utf8Decoder decoder = new Utf8Decoder();
        for (int id : ids) {
            if (!(isSpecial(id) && skipControl)) {
                byte[] bytes = ByteAlphabet.bytes(tokens[id]);
                decoder.accept(bytes, 0, bytes.length);
            }
        }
        decoder.finish();
        return decoder.take();
    }

    @Override
    public byte[] bytes(int id) {
        return isSpecial(id) ? new byte[0] : ByteAlphabet.bytes(tokens[id]);
    }

    @Override
    public boolean isSpecial(int id) {
        return kinds[checked(id)] == BpeModel.Kind.CONTROL;
    }

    @Override
    public OptionalInt id(String token) {
        int id = added.id(token);
        if (id < 0 && !token.isEmpty()) {
            byte[] bytes = new byte[token.length()];
            int length = ByteAlphabet.decode(token, 0, token.length(), bytes, 0);
            id = length < 0 ? -1 : model.vocabulary().id(bytes, 0, length);
        }
        return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
    }

    @Override
    public String token(int id) {
        return tokens[checked(id)];
    }

    private int checked(int id) {
        if (id < 0 || id >= tokens.length) { // asked for every token, so no boxed arguments before
            // it fails
            check(false, "token id %s is outside the vocabulary of %s", id, tokens.length);
        }
        return id;
    }

    @Override
    public OptionalInt bos() {
        return ends.bos();
    }

    @Override
    public OptionalInt eos() {
        return ends.eos();
    }

    @Override
    public boolean addsBos() {
        return ends.addsBos();
    }

    @Override
    public boolean addsEos() {
        return ends.addsEos();
    }
}
