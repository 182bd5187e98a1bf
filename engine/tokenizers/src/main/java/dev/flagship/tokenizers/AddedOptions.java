package dev.flagship.tokenizers;

/**
 * How a token beside those of the vocabulary is found in a text: the options of Hugging Face's
 * {@code AddedToken}.
 *
 * @param singleWord only where no letter, digit or mark of a word stands beside it
 * @param takesLeft with the white space before it ({@code lstrip})
 * @param takesRight with the white space behind it ({@code rstrip})
 * @param normalized in the text as the normalizer makes it, by its own spelling made the same way
 */
public record AddedOptions(
        boolean singleWord, boolean takesLeft, boolean takesRight, boolean normalized) {

    /** Wherever its spelling stands. */
    static final AddedOptions PLAIN = new AddedOptions(false, false, false, false);

    /** In normalised text, and plainly there. */
    static final AddedOptions NORMALIZED = new AddedOptions(false, false, false, true);

    /** Options of an added token of a file. */
    static AddedOptions of(TemplateValue.Mapping token) {
        return new AddedOptions(
                isSet(token, "single_word"),
                isSet(token, "lstrip"),
                isSet(token, "rstrip"),
                isSet(token, "normalized"));
    }

    private static boolean isSet(TemplateValue.Mapping token, String name) {
        return token.entries().get(name) == TemplateValue.Bool.TRUE;
    }

    /** Whether it looks at more of the text than its spelling. */
    boolean looksBeyond() {
        return singleWord || takesLeft || takesRight;
    }
}
