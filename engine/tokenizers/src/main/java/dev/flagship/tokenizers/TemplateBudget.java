package dev.flagship.tokenizers;

/**
 * What one rendering may still do. Steps grow with the text and the lists that an operation
 * touches.
 */
final class TemplateBudget {
    static final int STEPS = 100_000;

    /** Most macro calls inside one another, and levels of one value. */
    static final int DEPTH = 32;

    private static final int LEVELS = 400;

    private static final int CHARACTERS_A_STEP = 256;

    private final int mostCharacters;
    private int steps = STEPS;
    private int calls;
    private int levels;

    /**
     * @param mostCharacters longest text, of the output or on the way to it
     */
    TemplateBudget(int mostCharacters) {
        this.mostCharacters = mostCharacters;
    }

    void step(int line) {
        steps(1, line);
    }

    void steps(long count, int line) {
        if (count > steps) {
            steps = 0;
            throw TemplateException.limit(
                    line, "the template takes more than %d steps; simplify it", STEPS);
        }
        steps -= (int) count;
    }

    /** Checks that a text of this length is allowed. */
    void fits(long characters, int line) {
        if (characters > mostCharacters) {
            throw TemplateException.limit(
                    line,
                    "a text of %d characters is longer than the %d allowed; shorten the conversation",
                    characters,
                    mostCharacters);
        }
    }

    /** Pays for reading or making a text of this length. */
    void text(long characters, int line) {
        text(characters, characters, line);
    }

    /** Pays for reading or copying a text, with its marks. */
    void text(TrustedText text, int line) {
        text(text.length(), text.weight(), line);
    }

    /**
     * Pays for making a text.
     *
     * @param weight as {@link TrustedText#weight()}
     */
    void text(long characters, long weight, int line) {
        fits(characters, line);
        steps(1 + weight / CHARACTERS_A_STEP, line);
    }

    /**
     * Pays for looking for a text within another, whose worst case is the product of their lengths.
     */
    void search(long characters, long part, int line) {
        text(characters, line);
        steps(characters * part / (CHARACTERS_A_STEP * CHARACTERS_A_STEP), line);
    }

    void enterCall(int line) {
        if (++calls > DEPTH) {
            throw TemplateException.limit(line, "macros call one another more than %d deep", DEPTH);
        }
    }

    void leaveCall() {
        calls--;
    }

    /**
     * Goes one level down the tree, over all macros that are being called: bounds this thread's
     * stack.
     */
    void enter(int line) {
        if (++levels > LEVELS) {
            throw TemplateException.limit(
                    line, "tags, expressions and macros run more than %d levels deep", LEVELS);
        }
    }

    void leave() {
        levels--;
    }

    /** Checks a level of a nested value. */
    static void depth(int depth, int line) {
        if (depth > 2 * DEPTH) {
            throw TemplateException.limit(line, "a value is nested more than %d deep", 2 * DEPTH);
        }
    }
}
