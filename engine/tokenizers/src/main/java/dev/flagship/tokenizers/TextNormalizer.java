package dev.flagship.tokenizers;

import java.text.Normalizer;
import java.util.List;

/**
 * What a text goes through before its pieces are cut: steps of Unicode's forms and small letters.
 * The reference's tables are those of Unicode 9, Java's newer, so that characters which came since
 * may differ.
 */
record TextNormalizer(List<Step> steps) {
    static final TextNormalizer NONE = new TextNormalizer(List.of());

    /**
     * Marks that the forms of Unicode may put in order at a time: the order of n of them takes n²
     * steps, and Stream-Safe Text (UAX 15, 13) has 30 at most.
     */
    private static final int MOST_MARKS = 512;

    /** The one character whose small form is two (Unicode's SpecialCasing), İ. */
    private static final int DOTTED_I = 0x130;

    TextNormalizer {
        steps = List.copyOf(steps);
    }

    enum Step {
        NFC,
        NFD,
        NFKC,
        NFKD,
        /** Each character for itself, so that a final sigma is one like any other. */
        LOWERCASE
    }

    boolean isNone() {
        return steps.isEmpty();
    }

    String apply(String text) {
        String normal = text;
        for (Step step : steps) {
            normal =
                    switch (step) {
                        case NFC -> form(normal, Normalizer.Form.NFC);
                        case NFD -> form(normal, Normalizer.Form.NFD);
                        case NFKC -> form(normal, Normalizer.Form.NFKC);
                        case NFKD -> form(normal, Normalizer.Form.NFKD);
                        case LOWERCASE -> lowercase(normal);
                    };
        }
        return normal;
    }

    private static String form(String text, Normalizer.Form form) {
        StringBuilder normal = null;
        int start = 0;
        int marks = 0;
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            boolean mark =
                    switch (Character.getType(c)) {
                        case Character.NON_SPACING_MARK,
                                Character.COMBINING_SPACING_MARK,
                                Character.ENCLOSING_MARK ->
                                true;
                        default -> false;
                    };
            marks = mark ? marks + 1 : 0;
            i += Character.charCount(c);
            if (marks == MOST_MARKS) {
                normal = normal == null ? new StringBuilder(text.length()) : normal;
                normal.append(Normalizer.normalize(text.substring(start, i), form));
                start = i;
                marks = 0;
            }
        }
        String rest = Normalizer.normalize(start == 0 ? text : text.substring(start), form);
        return normal == null ? rest : normal.append(rest).toString();
    }

    private static String lowercase(String text) {
        int at = 0;
        while (at < text.length()) {
            int c = text.codePointAt(at);
            if (Character.toLowerCase(c) != c) {
                break;
            }
            at += Character.charCount(c);
        }
        if (at == text.length()) {
            return text;
        }
        StringBuilder small = new StringBuilder(text.length()).append(text, 0, at);
        while (at < text.length()) {
            int c = text.codePointAt(at);
            if (c == DOTTED_I) {
                small.append("i\u0307");
            } else {
                small.appendCodePoint(Character.toLowerCase(c));
            }
            at += Character.charCount(c);
        }
        return small.toString();
    }
}
