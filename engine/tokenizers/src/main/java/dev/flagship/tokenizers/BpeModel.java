package dev.flagship.tokenizers;

/**
 * Tokens and merges of a byte-level BPE vocabulary, ready for {@link BytePairEncoder}. Immutable
 * once built.
 */
final class BpeModel {
    /** What a token is to the encoder and decoder. */
    enum Kind {
        /** Made by merges, written in {@link ByteAlphabet}. */
        NORMAL,
        /** Found in any text before the merges see it. */
        ADDED,
        /** Found only where control tokens are parsed; adds nothing to decoded text. */
        CONTROL
    }

    /**
     * Choices that the description makes beside its tokens.
     *
     * @param ignoreMerges whether a piece that is a token as a whole becomes it, whatever the
     *     merges say
     * @param unknown the token for a byte without one, or -1 to leave the byte out
     * @param fuseUnknown whether neighbouring unknown bytes become one token
     */
    record Options(boolean ignoreMerges, int unknown, boolean fuseUnknown) {}

    private final ByteVocabulary vocabulary;
    private final MergeTable merges;
    private final int[] byteTokens = new int[256];
    private final Options options;

    /**
     * @param tokens in {@link ByteAlphabet}; the empty string where the vocabulary has a gap
     * @param mergeTexts two tokens with a space between, the lowest rank first
     * @throws TokenizerException if a token occurs twice or a merge names tokens that do not exist
     */
    BpeModel(String[] tokens, Kind[] kinds, String[] mergeTexts, Options options) {
        this.options = options;
        vocabulary = new ByteVocabulary(tokens.length, 8 * tokens.length + 16);
        int longest = 0;
        for (String token : tokens) {
            longest = Math.max(longest, token.length());
        }
        byte[] scratch = new byte[longest];
        for (int id = 0; id < tokens.length; id++) {
            String token = tokens[id];
            if (kinds[id] != Kind.NORMAL || token.isEmpty()) {
                continue;
            }
            int length = ByteAlphabet.decode(token, 0, token.length(), scratch, 0);
            if (length < 0) {
                continue; // Such a token decodes, but no byte-level text contains it.
            }
            int twin = vocabulary.add(id, scratch, length);
            if (twin >= 0) {
                throw TokenizerException.invalid(
                        "tokens %d and %d are both %s; ids must have distinct tokens",
                        twin, id, TokenizerException.quote(token));
            }
        }
        byte[] single = new byte[1];
        for (int b = 0; b < 256; b++) {
            single[0] = (byte) b;
            byteTokens[b] = vocabulary.id(single, 0, 1);
        }
        merges = new MergeTable(mergeTexts.length);
        byte[] pair = new byte[2 * longest];
        for (int rank = 0; rank < mergeTexts.length; rank++) {
            addMerge(mergeTexts[rank], rank, pair);
        }
    }

    private void addMerge(String merge, int rank, byte[] pair) {
        int space = merge.indexOf(' ', 1);
        if (space < 0) {
            throw TokenizerException.invalid(
                    "merge %d is %s; expected two tokens with a space between",
                    rank, TokenizerException.quote(merge));
        }
        int middle =
                merge.length() - 1 <= pair.length
                        ? ByteAlphabet.decode(merge, 0, space, pair, 0)
                        : -1;
        int end =
                middle < 0
                        ? -1
                        : ByteAlphabet.decode(merge, space + 1, merge.length(), pair, middle);
        int left = end < 0 ? -1 : vocabulary.id(pair, 0, middle);
        int right = end < 0 ? -1 : vocabulary.id(pair, middle, end);
        int result = end < 0 ? -1 : vocabulary.id(pair, 0, end);
        if (left < 0 || right < 0 || result < 0) {
            throw TokenizerException.invalid(
                    "merge %d is %s; both tokens and the two joined must be ordinary tokens of the vocabulary",
                    rank, TokenizerException.quote(merge));
        }
        merges.put(left, right, rank, result);
    }

    ByteVocabulary vocabulary() {
        return vocabulary;
    }

    MergeTable merges() {
        return merges;
    }

    /** Token of a single byte, or -1. */
    int byteToken(int b) {
        return byteTokens[b];
    }

    boolean ignoreMerges() {
        return options.ignoreMerges();
    }

    int unknown() {
        return options.unknown();
    }

    boolean fuseUnknown() {
        return options.fuseUnknown();
    }
}
