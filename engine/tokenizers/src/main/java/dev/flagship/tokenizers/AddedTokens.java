package dev.flagship.tokenizers;

import java.util.Arrays;
import java.util.BitSet;
import java.util.Set;

/**
 * Trie of the tokens that are found in text as they are spelled; the longest match at the leftmost
 * place wins.
 */
final class AddedTokens {
    /** Longest spelling; bounds the work at each place of a text. */
    static final int LONGEST = 256;

    private static final int MOST_CHARACTERS = 1 << 20;

    private static final Set<String> ENDS =
            Set.of(
                    "<|eot_id|>",
                    "<|eom_id|>",
                    "<|im_end|>",
                    "<|end|>",
                    "<end_of_turn>",
                    "<|endoftext|>");

    private final Node root = new Node();
    private final BitSet first = new BitSet();
    private int characters;

    private static final class Node {
        char[] keys = {};
        Node[] children = {};
        int id = -1;
        boolean control;

        Node child(char key) {
            int at = Arrays.binarySearch(keys, key);
            if (at >= 0) {
                return children[at];
            }
            int place = -at - 1;
            keys = Arrays.copyOf(keys, keys.length + 1);
            children = Arrays.copyOf(children, children.length + 1);
            System.arraycopy(keys, place, keys, place + 1, keys.length - 1 - place);
            System.arraycopy(children, place, children, place + 1, children.length - 1 - place);
            keys[place] = key;
            children[place] = new Node();
            return children[place];
        }
    }

    /**
     * Whether a token is known to end a turn. Files take some of these for ordinary added tokens,
     * which any message could then write; they are control tokens whatever a file says, as in
     * llama.cpp.
     */
    static boolean endsTurn(String spelling) {
        return ENDS.contains(spelling);
    }

    /**
     * Adds a spelling.
     *
     * @throws TokenizerException if it is too long, or the second of its kind
     */
    void add(String spelling, int id, boolean control) {
        characters += spelling.length();
        if (spelling.length() > LONGEST || characters > MOST_CHARACTERS) {
            throw TokenizerException.invalid(
                    "added token %s has %d characters, all together %d; allowed are %d and %d",
                    TokenizerException.quote(spelling),
                    spelling.length(),
                    characters,
                    LONGEST,
                    MOST_CHARACTERS);
        }
        Node node = root;
        for (int i = 0; i < spelling.length(); i++) {
            node = node.child(spelling.charAt(i));
        }
        if (node.id >= 0) {
            throw TokenizerException.invalid(
                    "added tokens %d and %d are both %s; ids must have distinct tokens",
                    node.id, id, TokenizerException.quote(spelling));
        }
        node.id = id;
        node.control = control;
        first.set(spelling.charAt(0));
    }

    boolean isEmpty() {
        return first.isEmpty();
    }

    /** Id of exactly this spelling, or -1. */
    int id(String spelling) {
        Node node = root;
        for (int i = 0; i < spelling.length(); i++) {
            int at = Arrays.binarySearch(node.keys, spelling.charAt(i));
            if (at < 0) {
                return -1;
            }
            node = node.children[at];
        }
        return node.id;
    }

    /** Whether a token may begin with this character: the quick test before {@link #match}. */
    boolean mayStart(char c) {
        return first.get(c);
    }

    /**
     * The longest token at a place.
     *
     * @param trustedEnd where the text that may hold control tokens ends; a control token beyond it
     *     does not match
     * @return {@code id << 32 | end}, or -1
     */
    long match(String text, int from, int trustedEnd) {
        long best = -1;
        Node node = root;
        for (int i = from; i < text.length(); i++) {
            int at = Arrays.binarySearch(node.keys, text.charAt(i));
            if (at < 0) {
                break;
            }
            node = node.children[at];
            if (node.id >= 0 && (!node.control || i < trustedEnd)) {
                best = ((long) node.id << 32) | (i + 1);
            }
        }
        return best;
    }
}
