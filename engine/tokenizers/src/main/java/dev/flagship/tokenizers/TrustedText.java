package dev.flagship.tokenizers;

import java.util.Arrays;

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

    TrustedText substring(int from, int to) {
        if (from == 0 && to == text.length()) {
            return this;
        }
        int[] ranges = new int[untrusted.length];
        int n = 0;
        for (int i = 0; i < untrusted.length; i += 2) {
            int start = Math.max(from, untrusted[i]);
            int end = Math.min(to, untrusted[i + 1]);
            if (start < end) {
                ranges[n++] = start - from;
                ranges[n++] = end - from;
            }
        }
        return new TrustedText(text.substring(from, to), Arrays.copyOf(ranges, n));
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
