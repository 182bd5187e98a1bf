package dev.flagship.serving;

import java.util.List;

/** Lets text pass except what may be the beginning of a stop string. One answer, one thread. */
final class StopStrings {
    private final List<String> stops;
    private final StringBuilder held = new StringBuilder();
    private boolean stopped;

    StopStrings(List<String> stops) {
        this.stops = stops;
    }

    /** Whether a stop string has been seen; nothing passes after it. */
    boolean stopped() {
        return stopped;
    }

    /** Takes new text; returns what may be shown. */
    String accept(String text) {
        if (stops.isEmpty() || stopped) {
            return stopped ? "" : text;
        }
        held.append(text);
        // The one that is complete first, so that how text is cut into tokens does not matter.
        int start = 0;
        int end = Integer.MAX_VALUE;
        for (String stop : stops) {
            int at = held.indexOf(stop);
            if (at >= 0 && (at + stop.length() < end || at + stop.length() == end && at < start)) {
                start = at;
                end = at + stop.length();
                stopped = true;
            }
        }
        if (stopped) {
            return take(start);
        }
        return take(held.length() - longestBeginning());
    }

    /** The answer ended without a stop string: what was held is text after all. */
    String finish() {
        return stopped ? "" : take(held.length());
    }

    private String take(int length) {
        String out = held.substring(0, length);
        held.delete(0, length);
        return out;
    }

    /** Length of the longest tail of the held text that a stop string begins with. */
    private int longestBeginning() {
        int longest = 0;
        for (String stop : stops) {
            for (int n = Math.min(stop.length() - 1, held.length()); n > longest; n--) {
                if (stop.startsWith(held.substring(held.length() - n))) {
                    longest = n;
                }
            }
        }
        return longest;
    }
}
