package dev.flagship.base;

/** Untrusted text in messages. */
public final class Quoted {
    private static final int MOST_CHARACTERS = 120;

    private Quoted() {}

    /**
     * Text out of a file as it is, lines and tabs included, but for what no screen shows or what
     * steers one (control, format and unassigned characters), as {@code \\}{@code uXXXX}.
     */
    public static String visible(String text) {
        StringBuilder shown = new StringBuilder(text.length());
        text.codePoints()
                .forEach(c -> {
                    boolean hidden =
                            switch (Character.getType(c)) {
                                case Character.CONTROL -> c != '\n' && c != '\t';
                                case Character.FORMAT,
                                        Character.SURROGATE,
                                        Character.PRIVATE_USE,
                                        Character.UNASSIGNED,
                                        Character.LINE_SEPARATOR,
                                        Character.PARAGRAPH_SEPARATOR ->
                                        true;
                                default -> false;
                            };
                    if (hidden) {
                        for (char unit : Character.toChars(c)) {
                            shown.append("\\u%04x".formatted((int) unit));
                        }
                    } else {
                        shown.appendCodePoint(c);
                    }
                });
        return shown.toString();
    }

    /**
     * Text out of a file or a request, fit for a message: in double quotes, at most 120 characters
     * of it, everything but printable ASCII as {@code \}{@code uXXXX}, so that no name can forge a
     * log line, steer a terminal or fill a screen.
     */
    public static String of(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        int end = Math.min(text.length(), MOST_CHARACTERS);
        for (int i = 0; i < end; i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                quoted.append('\\').append(c);
            } else if (c < ' ' || c > '~') {
                quoted.append("\\u%04x".formatted((int) c));
            } else {
                quoted.append(c);
            }
        }
        quoted.append('"');
        if (end < text.length()) {
            quoted.append("… (").append(text.length()).append(" characters)");
        }
        return quoted.toString();
    }
}
