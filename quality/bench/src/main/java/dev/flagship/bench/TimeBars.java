package dev.flagship.bench;

import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** The picture of a {@link Breakdown}: one bar a figure, as long as all of its token's time. */
final class TimeBars {
    private static final int WIDTH = 860;
    private static final int LEFT = 120;
    private static final int RIGHT = 120;
    private static final int TOP = 48;
    private static final int BAR = 34;
    private static final int GAP = 14;
    private static final int LEGEND_LINE = 20;
    private static final int LEGEND_COLUMN = 250;

    /** A narrower part has no room for its percentage. */
    private static final double LEAST_LABEL = 34;

    private static final String SMALL = "all other operations";
    private static final String ATTENTION = OperationTimes.Small.ATTENTION.title();

    /** Products: one hue from dark to light. */
    private static final List<String> BLUES =
            List.of("#08306b", "#08519c", "#2171b5", "#4292c6", "#6baed6", "#9ecae1", "#c6dbef");

    /** Those on which only black can be read. */
    private static final Set<String> LIGHT = Set.of("#9ecae1", "#c6dbef");

    private final String title;
    private final Breakdown breakdown;

    TimeBars(String title, Breakdown breakdown) {
        this.title = title;
        this.breakdown = breakdown;
    }

    private static String group(Breakdown.Part part) {
        boolean own =
                part.product()
                        || part.name().equals(ATTENTION)
                        || part.name().equals(Breakdown.BETWEEN);
        return own ? part.name() : SMALL;
    }

    /** Groups in the order of their bars, with colours. */
    private Map<String, String> colours() {
        var products = new LinkedHashSet<String>();
        for (Figure figure : breakdown.figures()) {
            for (Breakdown.Part part : breakdown.parts(figure)) {
                if (part.product()) {
                    products.add(part.name());
                }
            }
        }
        var colours = new LinkedHashMap<String, String>();
        for (String product : products) {
            colours.put(product, BLUES.get(colours.size() % BLUES.size()));
        }
        colours.put(ATTENTION, "#D55E00");
        colours.put(SMALL, "#009E73");
        colours.put(Breakdown.BETWEEN, "#999999");
        return colours;
    }

    /** A whole SVG document. */
    String svg() {
        Map<String, String> colours = colours();
        int rows = breakdown.figures().size();
        int columns = (WIDTH - 40) / LEGEND_COLUMN;
        int legend = TOP + rows * (BAR + GAP) + 14;
        int height = legend + Math.ceilDiv(colours.size(), columns) * LEGEND_LINE + 8;
        var svg = new Svg(WIDTH, height, 20, title);
        int y = TOP;
        for (Figure figure : breakdown.figures()) {
            bar(svg, figure, y, colours);
            y += BAR + GAP;
        }
        int i = 0;
        for (var colour : colours.entrySet()) {
            int x = 20 + i % columns * LEGEND_COLUMN;
            int at = legend + i / columns * LEGEND_LINE;
            svg.rectangle(x, at, 12, 12, colour.getValue(), "");
            svg.text(x + 18, at + 11, "", colour.getKey());
            i++;
        }
        return svg.document();
    }

    private void bar(Svg svg, Figure figure, int y, Map<String, String> colours) {
        svg.text(LEFT - 10, y + 22, "text-anchor=\"end\"", breakdown.title(figure));
        var shares = new LinkedHashMap<String, Double>();
        colours.keySet().forEach(group -> shares.put(group, 0.0));
        for (Breakdown.Part part : breakdown.parts(figure)) {
            shares.merge(group(part), breakdown.share(figure, part), Double::sum);
        }
        double x = LEFT;
        for (var share : shares.entrySet()) {
            double width = share.getValue() / 100 * (WIDTH - LEFT - RIGHT);
            String percent = String.format(Locale.ROOT, "%.0f %%", share.getValue());
            String colour = colours.getOrDefault(share.getKey(), "none");
            String name = "%s: %s".formatted(share.getKey(), percent);
            svg.rectangle(x, y, width, BAR, colour, name);
            if (width >= LEAST_LABEL) {
                String ink = LIGHT.contains(colour) ? "black" : "white";
                String style = "fill=\"%s\" text-anchor=\"middle\"".formatted(ink);
                svg.text(x + width / 2, y + 22, style, percent);
            }
            x += width;
        }
        svg.text(WIDTH - RIGHT + 10, y + 22, "", time(breakdown.whole(figure)));
    }

    private static String time(double micros) {
        return micros < 1000
                ? String.format(Locale.ROOT, "%.0f us a token", micros)
                : String.format(Locale.ROOT, "%.2f ms a token", micros / 1000);
    }
}
