package dev.flagship.tokenizers;

import java.util.Arrays;
import java.util.BitSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Trie of the tokens that are found in text as they are spelled; the longest match at the leftmost
 * place wins.
 */
final class AddedTokens {
    /** Longest spelling; bounds the work at each place of a text. */
    static final int LONGEST = 256;

    private static final int MOST_CHARACTERS = 1 << 20;

    /**
     * Characters that normalising may add in all: a form of Unicode makes up to 18 of one, and each
     * costs a node, for which a file pays by its own characters alone.
     */
    private static final int MOST_GROWTH = 1 << 12;

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
    private int raw;
    private int growth;

    /** Most have one child, and a file may ask for a million of them. */
    private static final class Node {
        private static final char[] NO_KEYS = {};
        private static final Node[] NO_CHILDREN = {};

        @Nullable Node only; // the child, where there is but one
        char key; // of the only child
        char[] keys = NO_KEYS; // where there are several, in order
        Node[] children = NO_CHILDREN;
        int size;
        int id = -1;
        boolean control;

        @Nullable Node find(char wanted) {
            if (only != null) {
                return key == wanted ? only : null;
            }
            int at = Arrays.binarySearch(keys, 0, size, wanted);
            return at < 0 ? null : children[at];
        }

        Node child(char wanted) {
            Node child = find(wanted);
            if (child != null) {
                return child;
            }
            child = new Node();
            if (only == null && size == 0) {
                only = child;
                key = wanted;
                return child;
            }
            if (only != null) {
                insert(key, only);
                only = null;
            }
            insert(wanted, child);
            return child;
        }

        private void insert(char added, Node child) {
            int place = -Arrays.binarySearch(keys, 0, size, added) - 1;
            if (size == keys.length) {
                int room = Math.max(4, 2 * size);
                keys = Arrays.copyOf(keys, room);
                children = Arrays.copyOf(children, room);
            }
            System.arraycopy(keys, place, keys, place + 1, size - place);
            System.arraycopy(children, place, children, place + 1, size - place);
            keys[place] = added;
            children[place] = child;
            size++;
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
     * Adds a spelling; in ascending order is fastest.
     *
     * @throws TokenizerException if it is too long, or the second of its kind
     */
    void add(String spelling, int id, boolean control) {
        characters += spelling.length();
        checkLength(spelling, characters);
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

    /**
     * A spelling as a normalizer makes it. Measured before as well as after: the steps of the
     * normalizer take memory for each character.
     *
     * @throws TokenizerException if it is too long, or too much is made of all of them
     */
    String normalized(String spelling, TextNormalizer normalizer) {
        raw += spelling.length();
        checkLength(spelling, raw);
        String normal = normalizer.apply(spelling);
        growth += Math.max(0, normal.length() - spelling.length());
        if (growth > MOST_GROWTH) {
            throw TokenizerException.invalid(
                    "tokenizer.json: normalizer makes added tokens up to %s longer by %d characters in all; allowed"
                            + " are %d. Set normalized of those that need it not to false",
                    TokenizerException.quote(spelling), growth, MOST_GROWTH);
        }
        return normal;
    }

    private static void checkLength(String spelling, int together) {
        if (spelling.length() > LONGEST || together > MOST_CHARACTERS) {
            throw TokenizerException.invalid(
                    "added token %s has %d characters, all together %d; allowed are %d and %d",
                    TokenizerException.quote(spelling),
                    spelling.length(),
                    together,
                    LONGEST,
                    MOST_CHARACTERS);
        }
    }

    boolean isEmpty() {
        return first.isEmpty();
    }

    /** Id of exactly this spelling, or -1. */
    int id(String spelling) {
        Node node = root;
        for (int i = 0; i < spelling.length(); i++) {
            Node next = node.find(spelling.charAt(i));
            if (next == null) {
                return -1;
            }
            node = next;
        }
        return node.id;
    }

    /**
     * Whether one of the tokens may be found where this spelling stands, at its beginning or behind
     * it: whoever looks for these tokens first then misses that spelling.
     */
    boolean mayHide(String spelling) {
        for (int from = 0; from < spelling.length(); from++) {
            Node node = root;
            int i = from;
            while (i < spelling.length() && node != null) {
                node = node.find(spelling.charAt(i++));
                if (node != null && node.id >= 0) {
                    return true;
                }
            }
            if (node != null && from > 0) { // a token begins with the spelling's end
                return true;
            }
        }
        return false;
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
            Node next = node.find(text.charAt(i));
            if (next == null) {
                break;
            }
            node = next;
            if (node.id >= 0 && (!node.control || i < trustedEnd)) {
                best = ((long) node.id << 32) | (i + 1);
            }
        }
        return best;
    }
}
