package dev.flagship.cli;

import java.util.Locale;

/**
 * What a check found.
 *
 * @param check what was looked at, in a word
 * @param verdict how it is
 * @param detail the facts; where something is amiss with cause and remedy
 */
record Finding(String check, Verdict verdict, String detail) {

    /** How it is. */
    enum Verdict {
        OK,
        /** It runs, but somebody may want to know. */
        WARNING,
        /** Flagship does not run, or not as fast as this machine allows. */
        FAILED;

        /** As it is printed. */
        String word() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    static Finding ok(String check, String detail) {
        return new Finding(check, Verdict.OK, detail);
    }

    static Finding warning(String check, String detail) {
        return new Finding(check, Verdict.WARNING, detail);
    }

    static Finding failed(String check, String detail) {
        return new Finding(check, Verdict.FAILED, detail);
    }
}
