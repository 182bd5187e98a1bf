package dev.flagship.tokenizers;

import static dev.flagship.base.Check.check;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Byte-pair encoding: control and added tokens first, then the pre-tokeniser's pieces, then merges.
 * Either byte-level, as GPT-2 introduced it (Radford et al., 2019) and Hugging Face's {@code
 * tokenizers} runs it, with merges over UTF-8 bytes; or over characters, with bytes for those that
 * no token has, as SentencePiece does (Kudo and Richardson, 2018).
 */
public final class BpeTokenizer implements Tokenizer {
    private final String[] tokens;
    private final BpeModel.Kind[] kinds;
    private final BpeModel model;
    private final AddedTokens added = new AddedTokens();
    private final AddedTokens fixed = new AddedTokens();
    private final Rules rules;
    private final TextEnds ends;
    private final int longestToken;

    /** Where tokens that are found as they are spelled part a text. */
    enum Added {
        /** Before the pre-tokeniser, which then sees what lies between them. */
        PART_TEXT,
        /**
         * Control tokens as before; others in the pieces, spaces as U+2581, where no merge crosses
         * them (SentencePiece's user-defined symbols).
         */
        PART_PIECES
    }

    /**
     * How texts become pieces and tokens text.
     *
     * @param dropsSpace whether decoding leaves out the space that begins a text
     */
    record Rules(PreTokenizer preTokenizer, Added added, boolean dropsSpace) {
        /** Rules of a byte-level vocabulary. */
        static Rules byteLevel(PreTokenizer preTokenizer) {
            return new Rules(preTokenizer, Added.PART_TEXT, false);
        }
    }

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
            String[] tokens, BpeModel.Kind[] kinds, BpeModel model, Rules rules, TextEnds ends) {
        this.tokens = tokens;
        this.kinds = kinds;
        this.model = model;
        this.rules = rules;
        this.ends = ends;
        int longest = 1;
        List<Integer> found = new ArrayList<>();
        for (int id = 0; id < tokens.length; id++) {
            // A token's spelling has a character for each byte or character of its text.
            longest = Math.max(longest, tokens[id].length());
            boolean foundAsSpelled =
                    kinds[id] == BpeModel.Kind.CONTROL || kinds[id] == BpeModel.Kind.ADDED;
            if (foundAsSpelled && !tokens[id].isEmpty()) {
                found.add(id);
            }
        }
        found.sort(Comparator.comparing(id -> tokens[id]));
        for (int id : found) {
            boolean control = kinds[id] == BpeModel.Kind.CONTROL;
            boolean inPieces = !control && rules.added() == Added.PART_PIECES;
            (inPieces ? fixed : added).add(tokens[id], id, control);
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
     * Whether texts begin with a token where a GGUF file with this pre-tokeniser does not say; as
     * llama.cpp has it.
     *
     * @param pre name of the pre-tokeniser ({@code tokenizer.ggml.pre})
     */
    public static boolean beginsTexts(String pre) {
        return Expressions.named(pre).map(Expressions.Pieces::addsBos).orElse(false);
    }

    /**
     * A tokenizer from the {@code tokenizer.ggml.*} arrays of a GGUF file whose tokenizer model is
     * {@code llama}: SentencePiece's BPE, as llama.cpp runs it.
     *
     * @param tokens token strings by id, spaces as U+2581
     * @param scores by id; neighbours that make the token of the highest score merge first
     * @param tokenTypes by id: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte
     * @param spaces where a text gets a space in front
     * @throws TokenizerException if the arrays contradict each other or the scores are no numbers
     */
    public static BpeTokenizer fromGgufScores(
            String[] tokens, float[] scores, int[] tokenTypes, GgufSpaces spaces, TextEnds ends) {
        return GgufVocabulary.readScores(tokens.clone(), scores, tokenTypes, spaces, ends);
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
        TokenizerConfig config =
                new TokenizerFolder(tokenizerJson.toAbsolutePath().resolveSibling("")).config();
        try (InputStream in = TokenizerFolder.open(tokenizerJson)) {
            return fromJson(in, config);
        }
    }

    /**
     * A tokenizer from a {@code tokenizer.model}: SentencePiece's BPE, or the ranks of Llama 3.
     *
     * @param config what {@code tokenizer_config.json} beside it says
     * @throws TokenizerException if the file is damaged or asks for a part that Flagship does not
     *     implement
     */
    public static BpeTokenizer fromModel(byte[] tokenizerModel, TokenizerConfig config) {
        // A SentencePiece model begins with its first field, a newline; ranks with base64.
        boolean ranks = tokenizerModel.length > 0 && tokenizerModel[0] > ' ';
        return ranks
                ? new TiktokenRanks(config).read(tokenizerModel)
                : new SentencePieceModel(config).read(tokenizerModel);
    }

    /**
     * A tokenizer from the first of these files that a folder has: {@code tokenizer.json}, {@code
     * tokenizer.model}, {@code vocab.json} with {@code merges.txt}; and, where they exist, {@code
     * tokenizer_config.json} and {@code added_tokens.json} beside it.
     *
     * @return empty if none of them is there
     * @throws TokenizerException if a file is damaged, too large, or asks for a part that Flagship
     *     does not implement
     * @throws IOException if a file cannot be read
     */
    public static Optional<BpeTokenizer> fromFolder(Path folder) throws IOException {
        return new TokenizerFolder(folder).read();
    }

    BpeModel model() {
        return model;
    }

    Rules rules() {
        return rules;
    }

    BpeModel.Kind kind(int id) {
        return kinds[id];
    }

    /** Whether merges are over UTF-8 bytes; else they are over characters. */
    public boolean byteLevel() {
        return model.spelling() == Spelling.BYTES;
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
        PreTokenizer.Sink sink =
                fixed.isEmpty()
                        ? encoder::encode
                        : (piece, from, to) -> encodeAround(fixed, piece, from, to, encoder, ids);
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
            rules.preTokenizer().split(text, start, i, sink);
            ids.add((int) (match >>> 32));
            i = (int) match;
            start = i;
        }
        rules.preTokenizer().split(text, start, text.length(), sink);
        return ids.toArray();
    }

    /** A piece whose fixed tokens no merge crosses. */
    private static void encodeAround(
            AddedTokens fixed,
            String text,
            int from,
            int to,
            BytePairEncoder encoder,
            IntList ids) {
        String piece = text.substring(from, to);
        int start = 0;
        int i = 0;
        while (i < piece.length()) {
            long match = fixed.mayStart(piece.charAt(i)) ? fixed.match(piece, i, i) : -1;
            if (match < 0) {
                i++;
                continue;
            }
            encoder.encode(piece, start, i);
            ids.add((int) (match >>> 32));
            i = (int) match;
            start = i;
        }
        encoder.encode(piece, start, piece.length());
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
        StreamingDecoder decoder = streaming();
        StringBuilder text = new StringBuilder();
        for (int id : ids) {
            if (!(isSpecial(id) && skipControl)) {
                text.append(decoder.accept(model.spelling().bytes(tokens[id], kinds[id])));
            }
        }
        return text.append(decoder.finish()).toString();
    }

    @Override
    public StreamingDecoder streaming() {
        return new StreamingDecoder(this, replacesEachByte(), rules.dropsSpace());
    }

    @Override
    public StreamingDecoder continuing() {
        return new StreamingDecoder(this, replacesEachByte(), false);
    }

    private boolean replacesEachByte() {
        return model.spelling() == Spelling.CHARACTERS;
    }

    @Override
    public byte[] bytes(int id) {
        return isSpecial(id) ? new byte[0] : model.spelling().bytes(tokens[id], kinds[id]);
    }

    @Override
    public boolean isSpecial(int id) {
        return kinds[checked(id)] == BpeModel.Kind.CONTROL;
    }

    @Override
    public OptionalInt id(String token) {
        int id = added.id(token);
        if (id < 0) {
            id = fixed.id(token);
        }
        if (id < 0 && !token.isEmpty()) {
            byte[] bytes = new byte[Utf8.MOST_PER_CHAR * token.length()];
            int length = model.spelling().write(token, 0, token.length(), bytes, 0);
            id = length < 0 ? -1 : model.token(bytes, 0, length);
        }
        if (id < 0 && model.spelling() == Spelling.CHARACTERS && Spelling.byteOf(token) >= 0) {
            id = model.fallback(Spelling.byteOf(token));
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
