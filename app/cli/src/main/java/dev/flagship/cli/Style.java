package dev.flagship.cli;

/** What turns a terminal's styles on and off (ECMA-48, SGR). */
final class Style {
    static final String OFF = "\u001b[0m";
    static final String BOLD = "\u001b[1m";
    static final String DIM = "\u001b[2m";
    static final String ITALIC = "\u001b[3m";
    static final String STRUCK = "\u001b[9m";
    static final String TITLE = "\u001b[1;4m";
    static final String CODE = "\u001b[36m";
    static final String WARNING = "\u001b[33m";

    /** Back to the line's beginning, and what stands there is gone. */
    static final String CLEAR_LINE = "\r\u001b[K";

    private Style() {}
}
