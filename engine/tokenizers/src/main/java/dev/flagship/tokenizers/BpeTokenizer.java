package dev.flagship.tokenizers;

import static dev.flagship.base.Check.check;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.IntUnaryOperator;

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
    private final AddedTokens normalized = new AddedTokens();
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
        PART_PIECES,
        /**
         * As in {@link #PART_TEXT} but those that are looked for in normalised text, where the
         * normalizer puts spaces in front of texts and of these tokens (Hugging Face's {@code
         * Prepend} and {@code Replace}).
         */
        PART_PIECES_IF_NORMALIZED
    }

    /**
     * How texts become pieces and tokens text.
     *
     * @param dropsSpace whether decoding leaves out the space that begins a text
     * @param normalizer what texts go through before their pieces are cut
     * @param options how added tokens are found, by id; plainly, where nothing is said
     */
    record Rules(
            PreTokenizer preTokenizer,
            Added added,
            boolean dropsSpace,
            TextNormalizer normalizer,
            Map<Integer, AddedOptions> options) {
        Rules {
            options = Map.copyOf(options);
        }

        Rules(PreTokenizer preTokenizer, Added added, boolean dropsSpace) {
            this(preTokenizer, added, dropsSpace, TextNormalizer.NONE, Map.of());
        }

        Rules with(Map<Integer, AddedOptions> other) {
            return new Rules(preTokenizer, added, dropsSpace, normalizer, other);
        }

        AddedOptions options(int id) {
            return options.getOrDefault(id, AddedOptions.PLAIN);
        }

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
            place(id);
        }
        this.longestToken = longest;
        checkEnd("begin-of-text", ends.bos(), ends.addsBos());
        checkEnd("end-of-text", ends.eos(), ends.addsEos());
    }

    /**
     * Where a token is looked for; control tokens always in the text as it stands, which is marked.
     */
    private void place(int id) {
        String token = tokens[id];
        AddedOptions options = rules.options(id);
        if (kinds[id] == BpeModel.Kind.CONTROL) {
            added.add(token, id, true);
        } else if (rules.added() == Added.PART_PIECES) {
            if (options.looksBeyond()) {
                throw TokenizerException.unsupported(
                        "added token %s has single_word, lstrip or rstrip, which is not implemented beside a"
                                + " tokenizer.model; put the model's tokenizer.json beside it, or set them to false where the"
                                + " model gets on without",
                        TokenizerException.quote(token));
            }
            fixed.add(token, id, false);
        } else if (!options.normalized()) {
            added.add(token, id, false);
        } else {
            boolean inPieces = rules.added() == Added.PART_PIECES_IF_NORMALIZED;
            AddedTokens place = inPieces ? fixed : normalized;
            String normal = place.normalized(token, rules.normalizer());
            if (inPieces && rules.preTokenizer() instanceof PreTokenizer.Spaces spaces) {
                normal = spaces.spelled(normal);
            }
            if (!normal.isEmpty() && place.id(normal) < 0) { // the first of those that become alike
                place.add(normal, id, false);
            }
        }
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

    /** Tokens that are found in the text as it stands, before those in normalised text. */
    AddedTokens asTheyStand() {
        return added;
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
        Stretches pieces = encoder::encode;
        PreTokenizer.Sink sink =
                fixed.isEmpty()
                        ? encoder::encode
                        : (piece, from, to) -> {
                            String whole = piece.substring(from, to);
                            part(fixed, whole, 0, i -> i, ids, pieces);
                        };
        Stretches normal =
                (stretch, from, to) -> rules.preTokenizer().split(stretch, from, to, sink);
        boolean asItIs = rules.normalizer().isNone() && normalized.isEmpty();
        Stretches raw =
                asItIs ? normal : (stretch, from, to) -> normalize(stretch, from, to, ids, normal);
        TrustedText.Cursor trust = source.cursor();
        part(added, text, 0, trust::trustedEnd, ids, raw);
        return ids.toArray();
    }

    /** Takes what lies between tokens. */
    @FunctionalInterface
    private interface Stretches {
        void stretch(String text, int from, int to);
    }

    /** A stretch as the normalizer makes it, and what is looked for there. */
    private void normalize(String text, int from, int to, IntList ids, Stretches rest) {
        // What is not the text's beginning must not look so to the pre-tokeniser.
        String normal = rules.normalizer().apply(text.substring(from, to));
        String placed = from == 0 ? normal : '\0' + normal;
        part(normalized, placed, from == 0 ? 0 : 1, i -> i, ids, rest);
    }

    /**
     * Finds tokens in a text from a place on; what lies between them goes on. As in Hugging Face's
     * {@code tokenizers}, the longest token at the leftmost place is it, or none, if it wants to be
     * a word of its own and is not.
     *
     * @param trustedEnd up to where control tokens are found at a place
     */
    private void part(
            AddedTokens tokens,
            String text,
            int from,
            IntUnaryOperator trustedEnd,
            IntList ids,
            Stretches rest) {
        int start = from;
        int spacesEnd = from; // of the last run of white space that a token took, however often
        int i = from;
        while (i < text.length()) {
            long match =
                    tokens.mayStart(text.charAt(i))
                            ? tokens.match(text, i, trustedEnd.applyAsInt(i))
                            : -1;
            if (match < 0) {
                i++;
                continue;
            }
            int id = (int) (match >>> 32);
            int end = (int) match;
            AddedOptions options = rules.options(id);
            if (!options.singleWord() || isWord(text, from, i, end)) {
                int left = options.takesLeft() ? Scan.spacesBefore(text, start, i) : i;
                if (start < left) {
                    rest.stretch(text, start, left);
                }
                ids.add(id);
                start = end;
                if (options.takesRight()) {
                    spacesEnd = end < spacesEnd ? spacesEnd : Scan.spacesAfter(text, end);
                    start = spacesEnd;
                }
            }
            i = end;
        }
        if (start < text.length()) {
            rest.stretch(text, start, text.length());
        }
    }

    /** Whether nothing of a word stands beside a place. */
    private static boolean isWord(String text, int first, int from, int to) {
        return (from == first || !Scan.isWord(text.codePointBefore(from)))
                && (to == text.length() || !Scan.isWord(text.codePointAt(to)));
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
            id = rules.added() == Added.PART_PIECES ? fixed.id(token) : normalizedId(token);
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

    /** Tokens that are looked for in normalised text stand there by another spelling. */
    private int normalizedId(String token) {
        for (Map.Entry<Integer, AddedOptions> entry : rules.options().entrySet()) {
            int id = entry.getKey();
            if (entry.getValue().normalized() && tokens[id].equals(token)) {
                return id;
            }
        }
        return -1;
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
