package dev.flagship.tokenizers;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A vocabulary as the {@code tokenizer.ggml.*} arrays of a GGUF file have it: the other way round
 * of what {@link BpeTokenizer#fromGguf} and {@link BpeTokenizer#fromGgufScores} read.
 *
 * @param model {@code gpt2} for a byte-level vocabulary, {@code llama} for SentencePiece's
 * @param pre name of the pre-tokeniser, of a byte-level vocabulary
 * @param tokens by id
 * @param types by id: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte
 * @param scores by id, of SentencePiece's vocabulary, else empty
 * @param merges of a byte-level vocabulary, else empty
 * @param unknown the token for what has none
 * @param spaces of SentencePiece's vocabulary
 */
public record GgufTokens(
        String model,
        Optional<String> pre,
        List<String> tokens,
        List<Integer> types,
        List<Float> scores,
        List<String> merges,
        OptionalInt unknown,
        Optional<GgufSpaces> spaces) {

    public GgufTokens {
        tokens = List.copyOf(tokens);
        types = List.copyOf(types);
        scores = List.copyOf(scores);
        merges = List.copyOf(merges);
    }

    /**
     * Writes a vocabulary down.
     *
     * @param rows of the embedding; ids up to there that have no token become unused ones
     * @throws TokenizerException if GGUF has no name for its pre-tokeniser or no key for what it
     *     does beside, or there are fewer rows than tokens
     */
    public static GgufTokens of(BpeTokenizer tokenizer, int rows) {
        int size = tokenizer.vocabularySize();
        if (size > rows) {
            throw TokenizerException.unsupported(
                    "the tokenizer has %d tokens and the embedding %d rows; GGUF has a row for each token",
                    size, rows);
        }
        requirePlain(tokenizer);
        List<String> tokens = new ArrayList<>(rows);
        List<Integer> types = new ArrayList<>(rows);
        int unknown = tokenizer.model().unknown();
        for (int id = 0; id < rows; id++) {
            boolean there = id < size && !tokenizer.token(id).isEmpty();
            tokens.add(there ? tokenizer.token(id) : "[PAD%d]".formatted(id));
            types.add(there ? type(tokenizer.kind(id), id == unknown) : 5);
        }
        OptionalInt stranger = unknown < 0 ? OptionalInt.empty() : OptionalInt.of(unknown);
        return tokenizer.byteLevel()
                ? new GgufTokens(
                        "gpt2",
                        Optional.of(pre(tokenizer)),
                        tokens,
                        types,
                        List.of(),
                        merges(tokenizer),
                        stranger,
                        Optional.empty())
                : new GgufTokens(
                        "llama",
                        Optional.empty(),
                        tokens,
                        types,
                        scores(tokenizer, rows),
                        List.of(),
                        stranger,
                        Optional.of(spaces(tokenizer)));
    }

    /** GGUF says nothing of normalizers, nor of what tokens take beside their spelling. */
    private static void requirePlain(BpeTokenizer tokenizer) {
        if (!tokenizer.rules().normalizer().isNone()) {
            throw TokenizerException.unsupported(
                    "GGUF has no key for the tokenizer's normalizer (%s), so that a file would give other tokens; run"
                            + " the model as it is, rounded at load (--quantize)",
                    tokenizer.rules().normalizer().steps());
        }
        tokenizer
                .rules()
                .options()
                .forEach((id, options) -> {
                    if (options.looksBeyond()) {
                        throw TokenizerException.unsupported(
                                "GGUF has no key for single_word, lstrip and rstrip, which the token %s has, so that a file"
                                        + " would give other tokens; run the model as it is, rounded at load (--quantize)",
                                TokenizerException.quote(tokenizer.token(id)));
                    }
                });
        requireOneSearch(tokenizer);
    }

    /**
     * A file's added tokens are looked for at once. Where those that are looked for in normalised
     * text have a spelling of their own there, it must be all of them; else none of the others,
     * which come first, may take their place.
     */
    private static void requireOneSearch(BpeTokenizer tokenizer) {
        BpeTokenizer.Added where = tokenizer.rules().added();
        if (where == BpeTokenizer.Added.PART_PIECES) {
            return; // all of them
        }
        int normalized = -1;
        int other = -1;
        for (int id : added(tokenizer)) {
            if (!tokenizer.rules().options(id).normalized()) {
                other = id;
            } else {
                normalized = id;
                if (where == BpeTokenizer.Added.PART_TEXT
                        && tokenizer.asTheyStand().mayHide(tokenizer.token(id))) {
                    throw TokenizerException.unsupported(
                            "GGUF has no key for normalized, which the token %s has: tokens that have not, and overlap it, come"
                                    + " first, so that a file would give other tokens; run the model as it is, rounded at load"
                                    + " (--quantize)",
                            TokenizerException.quote(tokenizer.token(id)));
                }
            }
        }
        if (where == BpeTokenizer.Added.PART_PIECES_IF_NORMALIZED
                && normalized >= 0
                && other >= 0) {
            throw TokenizerException.unsupported(
                    "GGUF has no key for normalized, which the token %s has and %s has not, so that a file would give other"
                            + " tokens; run the model as it is, rounded at load (--quantize)",
                    TokenizerException.quote(tokenizer.token(normalized)),
                    TokenizerException.quote(tokenizer.token(other)));
        }
    }

    private static List<Integer> added(BpeTokenizer tokenizer) {
        List<Integer> ids = new ArrayList<>();
        for (int id = 0; id < tokenizer.vocabularySize(); id++) {
            if (tokenizer.kind(id) == BpeModel.Kind.ADDED && !tokenizer.token(id).isEmpty()) {
                ids.add(id);
            }
        }
        return ids;
    }

    /** Where no added token could tell, as plainly as may be. */
    private static GgufSpaces spaces(BpeTokenizer tokenizer) {
        BpeTokenizer.Rules rules = tokenizer.rules();
        boolean told =
                added(tokenizer).stream()
                        .anyMatch(id ->
                                rules.added() == BpeTokenizer.Added.PART_PIECES
                                        || rules.options(id).normalized());
        return GgufSpaces.of(
                told
                        ? rules
                        : new BpeTokenizer.Rules(
                                rules.preTokenizer(),
                                BpeTokenizer.Added.PART_TEXT,
                                rules.dropsSpace()));
    }

    private static int type(BpeModel.Kind kind, boolean unknown) {
        if (unknown) {
            return 2;
        }
        return switch (kind) {
            case NORMAL -> 1;
            case CONTROL -> 3;
            case ADDED -> 4;
            case UNUSED -> 5;
            case BYTE -> 6;
        };
    }

    private static String pre(BpeTokenizer tokenizer) {
        PreTokenizer pieces = tokenizer.rules().preTokenizer();
        boolean ignoreMerges = tokenizer.model().ignoreMerges();
        Optional<String> name = Expressions.nameOf(pieces, ignoreMerges);
        if (name.isEmpty() && numbersStandAlone(tokenizer)) {
            name = Expressions.nameWhereNumbersStandAlone(pieces, ignoreMerges);
        }
        return name.orElseThrow(() ->
                TokenizerException.unsupported(
                        "GGUF has no name for how this tokenizer cuts text into pieces, or for merges beside it."
                                + " Convert the model with llama.cpp's converter, and take its GGUF file"));
    }

    /** Whether no token has two numbers beside each other. */
    private static boolean numbersStandAlone(BpeTokenizer tokenizer) {
        for (int id = 0; id < tokenizer.vocabularySize(); id++) {
            String text = new String(tokenizer.bytes(id), StandardCharsets.UTF_8);
            boolean number = false;
            for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
                boolean next = Scan.isNumber(text.codePointAt(i));
                if (number && next) {
                    return false;
                }
                number = next;
            }
        }
        return true;
    }

    private record Merge(int rank, int left, int right) {}

    /** By rank; where tokens are ranks, a token's pairs by their parts' ranks (Hugging Face). */
    private static List<String> merges(BpeTokenizer tokenizer) {
        List<Merge> merges = new ArrayList<>();
        tokenizer
                .model()
                .merges()
                .forEach((left, right, rank, _) -> merges.add(new Merge(rank, left, right)));
        merges.sort(
                Comparator.comparingInt(Merge::rank)
                        .thenComparingInt(Merge::left)
                        .thenComparingInt(Merge::right));
        return merges.stream()
                .map(m -> tokenizer.token(m.left()) + " " + tokenizer.token(m.right()))
                .toList();
    }

    /** Scores that put the tokens that merges make in the order of the merges. */
    private static List<Float> scores(BpeTokenizer tokenizer, int rows) {
        int[] ranks = new int[rows];
        Arrays.fill(ranks, MergeTable.NONE);
        int[] last = {0};
        tokenizer
                .model()
                .merges()
                .forEach((_, _, rank, result) -> {
                    ranks[result] = Math.min(ranks[result], rank);
                    last[0] = Math.max(last[0], rank);
                });
        List<Float> scores = new ArrayList<>(rows);
        for (int rank : ranks) { // who is made by no merge comes after all others
            scores.add(-(float) (rank == MergeTable.NONE ? last[0] + 1 : rank));
        }
        return scores;
    }
}
