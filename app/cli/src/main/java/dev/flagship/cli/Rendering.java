package dev.flagship.cli;

/**
 * How one answer looks on a terminal while it grows. However the text is cut, what comes out is the
 * same, and nothing that is out is ever taken back. No control character of the text comes through.
 */
sealed interface Rendering permits Rendering.Plain, MarkdownStream {

    /** What can be shown now, after more of the text. */
    String accept(String text);

    /** What is still to be shown when the text has ended; leaves the terminal in its own style. */
    String finish();

    /** The text as it is. */
    final class Plain implements Rendering {
        @Override
        public String accept(String text) {
            return ModelText.visible(text);
        }

        @Override
        public String finish() {
            return "";
        }
    }
}
