package dev.flagship.cli;

/** Text between two {@code """}, which Enter does not send before it is closed. */
final class TextBlock {
    private static final String MARK = "\"\"\"";
    private static final String SYSTEM = "/system";

    private TextBlock() {}

    /** Whether what was typed begins a block that is not closed yet. */
    static boolean open(String typed) {
        String text = typed.strip();
        if (text.startsWith(SYSTEM)) {
            text = text.substring(SYSTEM.length()).strip();
        }
        return text.startsWith(MARK) && !closed(text);
    }

    private static boolean closed(String text) {
        return text.length() >= 2 * MARK.length() && text.endsWith(MARK);
    }

    /** What is in the block, or the text itself if it is none. */
    static String content(String typed) {
        String text = typed.strip();
        if (!text.startsWith(MARK) || !closed(text)) {
            return typed;
        }
        return text.substring(MARK.length(), text.length() - MARK.length()).strip();
    }
}
