package dev.flagship.cli;

import dev.flagship.base.Quoted;

/** What a model says, for a terminal. */
final class ModelText {
    private static final int ZERO_WIDTH_NON_JOINER = 0x200C;
    private static final int ZERO_WIDTH_JOINER = 0x200D;

    private ModelText() {}

    /**
     * The text with all that could steer a terminal made visible. Carriage returns are left out:
     * alone they would overwrite, before a line's end they say nothing. The two joiners stay, for
     * Persian, Hindi and families of emoji are written with them.
     */
    static String visible(String text) {
        var shown = new StringBuilder(text.length());
        int from = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '\r' || c == ZERO_WIDTH_NON_JOINER || c == ZERO_WIDTH_JOINER) {
                shown.append(Quoted.visible(text.substring(from, i)));
                if (c != '\r') {
                    shown.append(c);
                }
                from = i + 1;
            }
        }
        return shown.append(Quoted.visible(text.substring(from))).toString();
    }
}
