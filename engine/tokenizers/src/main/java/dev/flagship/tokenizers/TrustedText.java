package dev.flagship.tokenizers;

import java.util.Arrays;
import java.util.List;

/**
 * Text that knows which of its characters came from outside. Everything the operator's template
 * wrote is trusted, everything that came in as a value is not; operations keep the mark with each
 * character, and where they cannot, the whole result is untrusted. Immutable.
 */
final class TrustedText {
    static final TrustedText EMPTY = new TrustedText("", new int[0]);

    private final String text;
    // Untrusted ranges, as pairs [from, to), ascending, neither empty nor touching.
    private final int[] untrusted;

    /** In characters: a range takes two ints, and is copied with the text. */
    private static final int WEIGHT_OF_RANGE = 8;

    private TrustedText(String text, int[] untrusted) {
        this.text = text;
        this.untrusted = untrusted;
    }

    static TrustedText trusted(String text) {
        return new TrustedText(text, EMPTY.untrusted);
    }

    static TrustedText untrusted(String text) {
        return text.isEmpty() ? EMPTY : new TrustedText(text, new int[] {0, text.length()});
    }

    /**
     * Text with the mark of the texts that it was computed from: trusted only if they are all
     * trusted throughout.
     */
    static TrustedText of(String text, boolean trusted) {
        return trusted ? trusted(text) : untrusted(text);
    }

    String text() {
        return text;
    }

    int length() {
        return text.length();
    }

    boolean trusted() {
        return untrusted.length == 0;
    }

    /** What copying this text costs, in characters. */
    long weight() {
        return text.length() + (long) WEIGHT_OF_RANGE * (untrusted.length / 2);
    }

    TrustedText substring(int from, int to) {
        if (from == 0 && to == text.length()) {
            return this;
        }
        // Bounds ascend, so a place is in a range when an odd number of bounds is at or before it.
        int first = boundsUpTo(from) & ~1;
        int end = (boundsUpTo(to - 1) + 1) & ~1;
        if (from >= to || first >= end) {
            return trusted(text.substring(from, to));
        }
        int[] ranges = Arrays.copyOfRange(untrusted, first, end);
        for (int i = 0; i < ranges.length; i++) {
            ranges[i] = Math.clamp(ranges[i], from, to) - from;
        }
        return new TrustedText(text.substring(from, to), ranges);
    }

    /** How many bounds of ranges lie at a place or before it. */
    private int boundsUpTo(int place) {
        int found = Arrays.binarySearch(untrusted, place);
        return found >= 0 ? found + 1 : -found - 1;
    }

    /** The texts one after the other, with their marks; takes no more than the result needs. */
    static TrustedText join(List<TrustedText> parts) {
        int most = 0;
        String[] texts = new String[parts.size()];
        for (int i = 0; i < texts.length; i++) {
            most += parts.get(i).untrusted.length;
            texts[i] = parts.get(i).text;
        }
        int[] ranges = new int[most];
        int n = 0;
        int base = 0;
        for (TrustedText part : parts) {
            for (int i = 0; i < part.untrusted.length; i += 2) {
                if (n > 0 && ranges[n - 1] == base + part.untrusted[i]) {
                    n--;
                } else {
                    ranges[n++] = base + part.untrusted[i];
                }
                ranges[n++] = base + part.untrusted[i + 1];
            }
            base += part.length();
        }
        return new TrustedText(
                String.join("", texts), n == most ? ranges : Arrays.copyOf(ranges, n));
    }

    Cursor cursor() {
        return new Cursor(this);
    }

    /** Walks the marks from left to right. */
    static final class Cursor {
        private final TrustedText source;
        private int range;

        private Cursor(TrustedText source) {
            this.source = source;
        }

        /**
         * Where the trusted text at a place ends; the place itself if it is untrusted. Places must
         * not descend.
         */
        int trustedEnd(int place) {
            advance(place);
            int[] ranges = source.untrusted;
            return range == ranges.length ? source.length() : Math.max(place, ranges[range]);
        }

        /**
         * Where the untrusted text at a place ends; the place itself if it is trusted. Places must
         * not descend.
         */
        int untrustedEnd(int place) {
            advance(place);
            int[] ranges = source.untrusted;
            return range < ranges.length && ranges[range] <= place ? ranges[range + 1] : place;
        }

        private void advance(int place) {
            while (range < source.untrusted.length && source.untrusted[range + 1] <= place) {
                range += 2;
            }
        }
    }

    /** Joins texts with their marks. */
    static final class Builder {
        private final StringBuilder text = new StringBuilder();
        private final IntList ranges = new IntList(8);
        // The last range, which the next part may extend.
        private int openFrom = -1;
        private int openTo;

        int length() {
            return text.length();
        }

        Builder append(TrustedText part) {
            int base = text.length();
            text.append(part.text);
            for (int i = 0; i < part.untrusted.length; i += 2) {
                int from = base + part.untrusted[i];
                int to = base + part.untrusted[i + 1];
                if (openFrom >= 0 && openTo == from) {
                    openTo = to;
                    continue;
                }
                close();
                openFrom = from;
                openTo = to;
            }
            return this;
        }

        private void close() {
            if (openFrom >= 0) {
                ranges.add(openFrom);
                ranges.add(openTo);
                openFrom = -1;
            }
        }

        TrustedText build() {
            close();
            return new TrustedText(text.toString(), ranges.toArray());
        }
    }
}
