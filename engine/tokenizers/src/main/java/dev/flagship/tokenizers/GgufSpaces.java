package dev.flagship.tokenizers;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What SentencePiece's vocabularies in GGUF do with spaces. The format's own key ({@code
 * tokenizer.ggml.add_space_prefix}) says whether each stretch of text gets one in front, and that
 * is all that llama.cpp does. Rules of {@code tokenizer.json} and {@code tokenizer.model} beyond
 * that stand in a key of Flagship's, {@link #KEY}, which others skip.
 */
public final class GgufSpaces {
    /** Words with blanks between; absent where the format's own key says all. */
    public static final String KEY = "flagship.tokenizer.spaces";

    /** A space in front of the whole text alone. */
    private static final String FIRST = "first";

    /** None in front of a stretch that begins with one. */
    private static final String UNLESS_SPACE = "unless-space";

    /** No merge crosses a space. */
    private static final String SPLIT = "split";

    /** Added tokens are found in the pieces, so that they get no space. */
    private static final String SYMBOLS = "symbols";

    /** They are so by their spelling as a piece: with a space in front, if stretches get one. */
    private static final String NORMALIZED = "normalized";

    /** Decoding leaves a text's first space where it is, or out. */
    private static final String KEEP = "keep";

    private static final String DROP = "drop";

    private static final List<String> WORDS =
            List.of(FIRST, UNLESS_SPACE, SPLIT, SYMBOLS, NORMALIZED, KEEP, DROP);

    private final BpeTokenizer.Rules rules;

    private GgufSpaces(BpeTokenizer.Rules rules) {
        this.rules = rules;
    }

    /** As llama.cpp reads the format's own key. */
    public static GgufSpaces ofPrefix(boolean addsSpace) {
        PreTokenizer.Prefix prefix =
                addsSpace ? PreTokenizer.Prefix.STRETCH : PreTokenizer.Prefix.NONE;
        return new GgufSpaces(
                new BpeTokenizer.Rules(
                        new PreTokenizer.Spaces(prefix, false, false),
                        BpeTokenizer.Added.PART_TEXT,
                        addsSpace));
    }

    /**
     * As both keys say.
     *
     * @param words value of {@link #KEY}
     * @throws TokenizerException if a word is not known, or they contradict each other
     */
    public static GgufSpaces of(boolean addsSpace, String words) {
        List<String> said = List.of(words.split(" ", -1));
        boolean first = said.contains(FIRST);
        boolean contradictory =
                (said.contains(KEEP) && said.contains(DROP))
                        || (said.contains(SYMBOLS) && said.contains(NORMALIZED));
        if (!WORDS.containsAll(said) || contradictory || (first && !addsSpace)) {
            throw TokenizerException.invalid(
                    "%s is %s; known are %s, %s or %s, %s or %s, and %s only with"
                            + " tokenizer.ggml.add_space_prefix. Quantise the model again with this version",
                    KEY,
                    TokenizerException.quote(words),
                    String.join(", ", WORDS.subList(0, 3)),
                    SYMBOLS,
                    NORMALIZED,
                    KEEP,
                    DROP,
                    FIRST);
        }
        PreTokenizer.Prefix prefix =
                first
                        ? PreTokenizer.Prefix.TEXT
                        : addsSpace ? PreTokenizer.Prefix.STRETCH : PreTokenizer.Prefix.NONE;
        return new GgufSpaces(
                new BpeTokenizer.Rules(
                        new PreTokenizer.Spaces(
                                prefix, said.contains(UNLESS_SPACE), said.contains(SPLIT)),
                        added(said),
                        said.contains(DROP) || (addsSpace && !said.contains(KEEP))));
    }

    private static BpeTokenizer.Added added(List<String> said) {
        if (said.contains(NORMALIZED)) {
            return BpeTokenizer.Added.PART_PIECES_IF_NORMALIZED;
        }
        return said.contains(SYMBOLS)
                ? BpeTokenizer.Added.PART_PIECES
                : BpeTokenizer.Added.PART_TEXT;
    }

    static GgufSpaces of(BpeTokenizer.Rules rules) {
        return new GgufSpaces(rules);
    }

    /** Rules of a file's vocabulary, whose added tokens are all alike in this. */
    BpeTokenizer.Rules rules(BpeModel.Kind[] kinds) {
        if (rules.added() != BpeTokenizer.Added.PART_PIECES_IF_NORMALIZED) {
            return rules;
        }
        Map<Integer, AddedOptions> options = new HashMap<>();
        for (int id = 0; id < kinds.length; id++) {
            if (kinds[id] == BpeModel.Kind.ADDED) {
                options.put(id, AddedOptions.NORMALIZED);
            }
        }
        return rules.with(options);
    }

    /** Value of {@code tokenizer.ggml.add_space_prefix}. */
    public boolean addsSpace() {
        return spaces().prefix() != PreTokenizer.Prefix.NONE;
    }

    /** Value of {@link #KEY}; empty if the other key says all. */
    public Optional<String> words() {
        PreTokenizer.Spaces spaces = spaces();
        String words =
                word(spaces.prefix() == PreTokenizer.Prefix.TEXT, FIRST)
                        + word(spaces.unlessSpace(), UNLESS_SPACE)
                        + word(spaces.split(), SPLIT)
                        + word(rules.added() == BpeTokenizer.Added.PART_PIECES, SYMBOLS)
                        + word(
                                rules.added() == BpeTokenizer.Added.PART_PIECES_IF_NORMALIZED,
                                NORMALIZED)
                        + word(rules.dropsSpace() && !addsSpace(), DROP)
                        + word(!rules.dropsSpace() && addsSpace(), KEEP);
        return words.isEmpty() ? Optional.empty() : Optional.of(words.strip());
    }

    private static String word(boolean said, String word) {
        return said ? " " + word : "";
    }

    private PreTokenizer.Spaces spaces() {
        if (rules.preTokenizer() instanceof PreTokenizer.Spaces spaces) {
            return spaces;
        }
        throw TokenizerException.unsupported(
                "GGUF has no name for how this tokenizer cuts text into pieces. Convert the model with llama.cpp's"
                        + " converter, and take its GGUF file");
    }
}
