package dev.flagship.tokenizers;

import java.util.ArrayList;
import java.util.List;

/**
 * What a chat template wrote for a conversation: the text, and which parts of it the template
 * itself wrote. Only in those do control tokens count ({@link Tokenizer#encode(RenderedPrompt)}),
 * so a user who types {@code <|im_end|>} ends nothing. Immutable.
 */
public final class RenderedPrompt {
    private final TrustedText source;

    RenderedPrompt(TrustedText source) {
        this.source = source;
    }

    /**
     * A part of the text.
     *
     * @param text the part, not empty
     * @param trusted whether the template wrote it; otherwise it came in with the conversation
     */
    public record Segment(String text, boolean trusted) {}

    /** The whole text, as other renderers of the same template give it. */
    public String text() {
        return source.text();
    }

    /** The text in parts, trusted and untrusted in turn. */
    public List<Segment> segments() {
        List<Segment> segments = new ArrayList<>();
        TrustedText.Cursor cursor = source.cursor();
        int from = 0;
        while (from < source.length()) {
            int end = cursor.trustedEnd(from);
            boolean trusted = end > from;
            if (!trusted) {
                end = cursor.untrustedEnd(from);
            }
            segments.add(new Segment(source.text().substring(from, end), trusted));
            from = end;
        }
        return segments;
    }

    TrustedText source() {
        return source;
    }
}
