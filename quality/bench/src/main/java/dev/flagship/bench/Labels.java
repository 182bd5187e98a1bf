package dev.flagship.bench;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.DoubleStream;

/** Where texts of a picture go, so that none covers another. Sizes are those of 12-pixel type. */
final class Labels {
    /** Of most characters; a sans-serif font's widest, few in a label, have more. */
    private static final double CHARACTER = 6.8;

    private static final double ABOVE = 11; // the baseline
    private static final double BELOW = 4;
    private static final double GAP = 1;

    private final List<Box> taken = new ArrayList<>();

    private record Box(double left, double top, double right, double bottom) {
        boolean overlaps(Box other) {
            return left < other.right
                    && other.left < right
                    && top < other.bottom
                    && other.top < bottom;
        }
    }

    /** Where a text's anchor lies. */
    enum Anchor {
        START,
        END
    }

    private static Box box(double x, double baseline, Anchor anchor, String text) {
        double width = text.codePointCount(0, text.length()) * CHARACTER;
        double left = anchor == Anchor.START ? x : x - width;
        return new Box(left, baseline - ABOVE, left + width, baseline + BELOW);
    }

    /** Keeps labels off a circle. */
    void avoid(double x, double y, double radius) {
        taken.add(new Box(x - radius, y - radius, x + radius, y + radius));
    }

    /**
     * Takes room for a text where it is wanted, or right above or below what is there.
     *
     * @return its baseline, the nearest to {@code baseline} that is free
     */
    double place(double x, double baseline, Anchor anchor, String text) {
        // Beside what is taken, for between it and the baseline nothing is free.
        double nearest =
                DoubleStream.concat(
                                DoubleStream.of(baseline),
                                taken.stream()
                                        .flatMapToDouble(b ->
                                                DoubleStream.of(
                                                        b.top() - BELOW - GAP,
                                                        b.bottom() + ABOVE + GAP)))
                        .filter(y -> free(box(x, y, anchor, text)))
                        .boxed()
                        .min(Comparator.comparingDouble(y -> Math.abs(y - baseline)))
                        .orElse(baseline); // never: above all that is taken it is free
        taken.add(box(x, nearest, anchor, text));
        return nearest;
    }

    private boolean free(Box box) {
        return taken.stream().noneMatch(box::overlaps);
    }
}
