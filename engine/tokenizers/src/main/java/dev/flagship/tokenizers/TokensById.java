package dev.flagship.tokenizers;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Tokens as a file gives them, in any order, until all are there. Takes room for what is given and
 * not for what an id claims: a file of a few bytes can claim millions.
 */
final class TokensById {
    private static final int MOST_TOKENS = 1 << 22;

    /** Ids without a token that a vocabulary may have besides as many as it has tokens. */
    private static final int GAPS = 4096;

    private final String file;
    private final List<String> spelled = new ArrayList<>();
    private final List<BpeModel.Kind> kinds = new ArrayList<>();
    private final IntList ids = new IntList(1 << 10);
    private int size;

    /**
     * @param file name for messages
     */
    TokensById(String file) {
        this.file = file;
    }

    /**
     * Adds a token; one that is there already by that id gets the new kind.
     *
     * @throws TokenizerException if the id is out of range
     */
    void add(long id, String token, BpeModel.Kind kind) {
        if (id < 0 || id >= MOST_TOKENS) {
            throw TokenizerException.invalid(
                    "%s: token %s has id %d; allowed are 0 to %d",
                    file, TokenizerException.quote(token), id, MOST_TOKENS - 1);
        }
        ids.add((int) id);
        spelled.add(token);
        kinds.add(kind);
        size = Math.max(size, (int) id + 1);
    }

    boolean isEmpty() {
        return size == 0;
    }

    /**
     * All of them.
     *
     * @throws TokenizerException if an id has two tokens, or far more ids have none than have one
     */
    Table table() {
        checkGaps(size, ids.size(), file);
        String[] tokens = new String[size];
        BpeModel.Kind[] kindById = new BpeModel.Kind[size];
        Arrays.fill(tokens, "");
        int[] places = ids.toArray();
        for (int i = 0; i < places.length; i++) {
            int id = places[i];
            String token = spelled.get(i);
            if (kindById[id] != null && !tokens[id].equals(token)) {
                throw TokenizerException.invalid(
                        "%s: id %d is both %s and %s",
                        file,
                        id,
                        TokenizerException.quote(tokens[id]),
                        TokenizerException.quote(token));
            }
            tokens[id] = token;
            kindById[id] = kinds.get(i);
        }
        return new Table(tokens, kindById);
    }

    /**
     * Requires that ids are used.
     *
     * @param size one more than the largest id
     */
    static void checkGaps(int size, int tokens, String file) {
        if (size - GAPS > 2L * tokens) {
            throw TokenizerException.invalid(
                    "%s: the largest id is %d, but there are only %d tokens; it is damaged or made to take memory",
                    file, size - 1, tokens);
        }
    }

    /**
     * Tokens and kinds by id.
     *
     * @param tokens the empty string where there is a gap
     * @param kinds null where there is a gap
     */
    @SuppressWarnings("ArrayRecordComponent") // handed on at once
    record Table(String[] tokens, BpeModel.@Nullable Kind[] kinds) {

        /** The id of a token, or −1. */
        int id(String token) {
            for (int id = 0; id < tokens.length; id++) {
                if (kinds[id] != null && tokens[id].equals(token)) {
                    return id;
                }
            }
            return -1;
        }

        /** Kinds without gaps, which are as ordinary tokens that no text has. */
        BpeModel.Kind[] filled() {
            BpeModel.Kind[] filled = new BpeModel.Kind[kinds.length];
            for (int id = 0; id < filled.length; id++) {
                BpeModel.Kind kind = kinds[id];
                filled[id] = kind == null ? BpeModel.Kind.NORMAL : kind;
            }
            return filled;
        }
    }
}
