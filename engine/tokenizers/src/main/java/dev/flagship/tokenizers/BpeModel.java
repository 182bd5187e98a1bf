package dev.flagship.tokenizers;

import java.util.Arrays;
import java.util.BitSet;

/** Tokens and merges of a BPE vocabulary, ready for {@link BytePairEncoder}. Immutable. */
final class BpeModel {
    /** What a token is to the encoder and decoder. */
    enum Kind {
        /** A unit or made by merges, in the vocabulary's {@link Spelling}. */
        NORMAL,
        /** One byte of a character that has no token; no text is spelled so. */
        BYTE,
        /** Found in any text before the merges see it. */
        ADDED,
        /** Found only where control tokens are parsed; adds nothing to decoded text. */
        CONTROL,
        /** In the vocabulary, but no text becomes it. */
        UNUSED
    }

    /**
     * Choices that the description makes beside its tokens.
     *
     * @param ignoreMerges whether a piece that is a token as a whole becomes it, whatever the
     *     merges say
     * @param unknown the token for a unit without one, or -1 to leave the unit out
     * @param fuseUnknown whether neighbouring unknown units become one token
     */
    record Options(boolean ignoreMerges, int unknown, boolean fuseUnknown) {}

    /** Bounds the search for what makes each piece: the squares of their lengths, together. */
    private static final long MOST_WORK = 1L << 31;

    /** As many merges as a {@code tokenizer.json} may have. */
    private static final int MOST_MERGES = 1 << 22;

    private final Spelling spelling;
    private final int size;
    private final ByteVocabulary vocabulary;
    private final MergeTable merges;
    private final int[] single = new int[256];
    private final boolean fallsBack;
    private final int[] fallback;
    private final int[] strangers; // code points of pieces that are no tokens themselves
    private final Options options;

    private BpeModel(Units units, MergeTable merges, Options options) {
        this.spelling = units.spelling;
        this.size = units.tokens.length;
        this.vocabulary = units.vocabulary;
        this.fallback = units.fallback;
        this.fallsBack = Arrays.stream(fallback).allMatch(id -> id >= 0);
        this.strangers = units.strangers;
        this.merges = merges;
        this.options = options;
        byte[] one = new byte[1];
        for (int b = 0; b < 256; b++) {
            one[0] = (byte) b;
            single[b] = vocabulary.id(one, 0, 1);
        }
    }

    /**
     * Merges as a list.
     *
     * @param tokens the empty string where the vocabulary has a gap
     * @param mergeTexts two tokens with a space between, the lowest rank first
     * @throws TokenizerException if a token occurs twice or a merge names tokens that do not exist
     */
    static BpeModel ranked(
            Spelling spelling,
            String[] tokens,
            Kind[] kinds,
            String[] mergeTexts,
            Options options) {
        Units units = new Units(spelling, tokens, kinds, new int[0]);
        MergeTable merges = new MergeTable(mergeTexts.length);
        for (int rank = 0; rank < mergeTexts.length; rank++) {
            units.addMerge(merges, mergeTexts[rank], rank);
        }
        return new BpeModel(units, merges, options);
    }

    /**
     * Merges as SentencePiece and tiktoken have them: two neighbours merge if together they are a
     * token, whatever they are themselves, the token of the highest score first.
     *
     * @param scores by id; those of other than normal tokens do not count
     * @throws TokenizerException if a token occurs twice, a score is no number, or pieces are too
     *     long or too many
     */
    static BpeModel scored(
            Spelling spelling, String[] tokens, Kind[] kinds, float[] scores, Options options) {
        int[] strangers =
                switch (spelling) {
                    case BYTES -> new int[0];
                    case CHARACTERS -> strangers(tokens, kinds);
                };
        Units units = new Units(spelling, tokens, kinds, strangers);
        return new BpeModel(units, units.pairs(ranks(kinds, scores)), options);
    }

    /** Code points of pieces that are no pieces: they merge too, though they have no ids. */
    private static int[] strangers(String[] tokens, Kind[] kinds) {
        BitSet used = new BitSet();
        BitSet pieces = new BitSet();
        for (int id = 0; id < tokens.length; id++) {
            String token = tokens[id];
            if (kinds[id] != Kind.NORMAL || token.isEmpty() || !Utf8.wellFormed(token)) {
                continue;
            }
            if (Character.charCount(token.codePointAt(0)) == token.length()) {
                pieces.set(token.codePointAt(0));
            } else {
                token.codePoints().forEach(used::set);
            }
        }
        used.andNot(pieces);
        return used.stream().toArray();
    }

    /** By id: how many higher scores there are; equal scores have equal ranks. */
    private static int[] ranks(Kind[] kinds, float[] scores) {
        float[] sorted = new float[scores.length];
        int n = 0;
        for (int id = 0; id < scores.length; id++) {
            if (kinds[id] != Kind.NORMAL) {
                continue;
            }
            if (Float.isNaN(scores[id])) {
                throw TokenizerException.invalid(
                        "the score of token %d is not a number; fetch or convert the model again",
                        id);
            }
            sorted[n++] = scores[id] + 0f; // turns -0 into 0, which sorting tells apart
        }
        Arrays.sort(sorted, 0, n);
        int distinct = 0;
        for (int i = 0; i < n; i++) {
            if (i == 0 || sorted[i] != sorted[distinct - 1]) {
                sorted[distinct++] = sorted[i];
            }
        }
        int[] ranks = new int[scores.length];
        for (int id = 0; id < scores.length; id++) {
            if (kinds[id] == Kind.NORMAL) {
                int at = Arrays.binarySearch(sorted, 0, distinct, scores[id] + 0f);
                ranks[id] = distinct - 1 - at;
            }
        }
        return ranks;
    }

    /** The vocabulary while merges are looked up in it. */
    private static final class Units {
        final Spelling spelling;
        final String[] tokens;
        final Kind[] kinds;
        final ByteVocabulary vocabulary;
        final int[] strangers;
        final int[] fallback = new int[256];
        private final byte[] scratch;

        Units(Spelling spelling, String[] tokens, Kind[] kinds, int[] strangers) {
            this.spelling = spelling;
            this.tokens = tokens;
            this.kinds = kinds;
            this.strangers = strangers;
            int longest = 2;
            for (String token : tokens) {
                longest = Math.max(longest, token.length());
            }
            if (longest > Integer.MAX_VALUE / (2 * Utf8.MOST_PER_CHAR)) {
                throw TokenizerException.invalid("a token has %d characters", longest);
            }
            scratch = new byte[2 * Utf8.MOST_PER_CHAR * longest];
            int room = tokens.length + strangers.length;
            vocabulary = new ByteVocabulary(room, 8 * room + 16);
            Arrays.fill(fallback, -1);
            for (int id = 0; id < tokens.length; id++) {
                add(id);
            }
            for (int i = 0; i < strangers.length; i++) {
                String character = Character.toString(strangers[i]);
                int length = Utf8.write(character, 0, character.length(), scratch, 0);
                vocabulary.add(tokens.length + i, scratch, length);
            }
        }

        private void add(int id) {
            String token = tokens[id];
            if (kinds[id] == Kind.BYTE) {
                addByte(id);
            }
            if (kinds[id] != Kind.NORMAL || token.isEmpty()) {
                return;
            }
            int length = spelling.write(token, 0, token.length(), scratch, 0);
            if (length < 0) {
                return; // Such a token decodes, but no text contains it.
            }
            int twin = vocabulary.add(id, scratch, length);
            if (twin >= 0) {
                throw twins(twin, id);
            }
        }

        private void addByte(int id) {
            int b = Spelling.byteOf(tokens[id]);
            if (b < 0) {
                throw TokenizerException.invalid(
                        "token %d is %s; a byte's token is spelled <0x00> to <0xFF>",
                        id, TokenizerException.quote(tokens[id]));
            }
            if (fallback[b] >= 0) {
                throw twins(fallback[b], id);
            }
            fallback[b] = id;
        }

        private TokenizerException twins(int first, int second) {
            return TokenizerException.invalid(
                    "tokens %d and %d are both %s; ids must have distinct tokens",
                    first, second, TokenizerException.quote(tokens[second]));
        }

        void addMerge(MergeTable merges, String merge, int rank) {
            int space = merge.indexOf(' ', 1);
            if (space < 0) {
                throw TokenizerException.invalid(
                        "merge %d is %s; expected two tokens with a space between",
                        rank, TokenizerException.quote(merge));
            }
            int middle =
                    merge.length() - 1 <= scratch.length / Utf8.MOST_PER_CHAR
                            ? spelling.write(merge, 0, space, scratch, 0)
                            : -1;
            int end =
                    middle < 0
                            ? -1
                            : spelling.write(merge, space + 1, merge.length(), scratch, middle);
            int left = end < 0 ? -1 : vocabulary.id(scratch, 0, middle);
            int right = end < 0 ? -1 : vocabulary.id(scratch, middle, end);
            int result = end < 0 ? -1 : vocabulary.id(scratch, 0, end);
            if (left < 0 || right < 0 || result < 0) {
                throw TokenizerException.invalid(
                        "merge %d is %s; both tokens and the two joined must be ordinary tokens of the vocabulary",
                        rank, TokenizerException.quote(merge));
            }
            merges.put(left, right, rank, result);
        }

        /** All pairs that make a piece. */
        MergeTable pairs(int[] ranks) {
            IntList found = new IntList(3 * tokens.length);
            long work = 0;
            for (int id = 0; id < tokens.length; id++) {
                if (kinds[id] != Kind.NORMAL || tokens[id].isEmpty()) {
                    continue;
                }
                int length = spelling.write(tokens[id], 0, tokens[id].length(), scratch, 0);
                work += (long) length * length;
                if (work > MOST_WORK || found.size() > 3 * MOST_MERGES) {
                    throw TokenizerException.invalid(
                            "the first %d pieces are too many or too long (the last has %d bytes); only a vocabulary made to"
                                    + " slow Flagship down is. Use another file",
                            id + 1, length);
                }
                for (int middle = 1; middle < length; middle++) {
                    if (spelling == Spelling.CHARACTERS && (scratch[middle] & 0xC0) == 0x80) {
                        continue; // within a character
                    }
                    int left = vocabulary.id(scratch, 0, middle);
                    int right = left < 0 ? -1 : vocabulary.id(scratch, middle, length);
                    if (right >= 0) {
                        found.add(left);
                        found.add(right);
                        found.add(id);
                    }
                }
            }
            int[] triples = found.toArray();
            int[] rankOf = new int[triples.length / 3];
            for (int i = 0; i < rankOf.length; i++) {
                rankOf[i] = ranks[triples[3 * i + 2]];
            }
            MergeTable merges = new MergeTable(rankOf);
            for (int i = 0; i < rankOf.length; i++) {
                merges.put(triples[3 * i], triples[3 * i + 1], i, triples[3 * i + 2]);
            }
            return merges;
        }
    }

    Spelling spelling() {
        return spelling;
    }

    MergeTable merges() {
        return merges;
    }

    /** The unit or token of exactly these bytes, or -1. */
    int unit(byte[] bytes, int from, int to) {
        return to - from == 1 ? single[bytes[from] & 0xFF] : vocabulary.id(bytes, from, to);
    }

    /** The token of these bytes, or -1. */
    int token(byte[] bytes, int from, int to) {
        int unit = unit(bytes, from, to);
        return unit < size ? unit : -1;
    }

    /** Token of a byte of a character that has none, or -1. */
    int fallback(int b) {
        return fallback[b];
    }

    /** Whether every byte has a token, so that characters without one become their bytes. */
    boolean fallsBack() {
        return fallsBack;
    }

    /** Stands for a unit without a token until merging has ended; no id. */
    int unknownUnit() {
        return size + strangers.length;
    }

    /** Whether a unit is a token, so that it may stand in the result. */
    boolean isToken(int unit) {
        return unit < size;
    }

    /** The character of a unit that is no token and not the unknown one. */
    int character(int unit) {
        return strangers[unit - size];
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
