package dev.flagship.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The roofline picture (Williams, Waterman and Patterson, CACM 52(4), 2009): how many operations a
 * second work can reach that does so many operations for each byte of weights it reads, and how
 * many it reached. Both axes are logarithmic.
 */
final class Roofline {
    private static final int WIDTH = 860;
    private static final int HEIGHT = 480;
    private static final int LEFT = 70;
    private static final int RIGHT = 190;
    private static final int TOP = 56;
    private static final int BOTTOM = 60;
    private static final int LEGEND = WIDTH - RIGHT + 24;
    private static final int RADIUS = 5;
    private static final double LEAST_INTENSITY = 1;
    private static final double MOST_INTENSITY = 2048;
    private static final double LEAST_GOPS = 10;

    /** Reference colours that stay apart for the colour-blind (Okabe and Ito). */
    private static final List<String> COLOURS =
            List.of("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00");

    private final String title;
    private final double readGbps;
    private final List<Ceiling> ceilings = new ArrayList<>();
    private final List<Point> points = new ArrayList<>();
    private final List<String> engines = new ArrayList<>();

    private record Ceiling(String name, double gops) {}

    private record Point(String engine, String work, double intensity, double gops) {}

    /**
     * @param readGbps 10⁹ bytes read a second
     */
    Roofline(String title, double readGbps) {
        this.title = title;
        this.readGbps = readGbps;
    }

    /** A limit of arithmetic, in 10⁹ operations a second. */
    void ceiling(String name, double gops) {
        ceilings.add(new Ceiling(name, gops));
    }

    /**
     * @param intensity operations for each byte of weights read
     * @param gops 10⁹ operations a second
     */
    void point(String engine, String work, double intensity, double gops) {
        if (!engines.contains(engine)) {
            engines.add(engine);
        }
        points.add(new Point(engine, work, intensity, gops));
    }

    private double highest() {
        double most = LEAST_GOPS * 10;
        for (Ceiling ceiling : ceilings) {
            most = Math.max(most, ceiling.gops());
        }
        return most * 1.6;
    }

    private double x(double intensity) {
        double share = Math.log(intensity / LEAST_INTENSITY);
        return LEFT + share / Math.log(MOST_INTENSITY / LEAST_INTENSITY) * (WIDTH - LEFT - RIGHT);
    }

    private double y(double gops) {
        double share = Math.log(gops / LEAST_GOPS) / Math.log(highest() / LEAST_GOPS);
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
    }

    /** A whole SVG document. */
    String svg() {
        var svg = new Svg(WIDTH, HEIGHT, LEFT, title);
        axes(svg);
        var labels = new Labels();
        for (int i = 0; i < engines.size(); i++) {
            labels.place(LEGEND + 12, legend(i) + 4, Labels.Anchor.START, engines.get(i));
        }
        for (Point point : points) {
            labels.avoid(x(point), y(point), RADIUS);
        }
        roofs(svg, labels);
        for (Point point : points) {
            point(svg, point, labels);
        }
        legend(svg);
        return svg.document();
    }

    private void axes(Svg svg) {
        for (double i = LEAST_INTENSITY; i <= MOST_INTENSITY; i *= 4) {
            svg.line(x(i), TOP, x(i), HEIGHT - BOTTOM, "stroke=\"#e4e4e4\"");
            String label = String.format(Locale.ROOT, "%,.0f", i);
            svg.text(x(i), HEIGHT - BOTTOM + 18, "text-anchor=\"middle\"", label);
        }
        for (double g = LEAST_GOPS; g <= highest(); g *= 10) {
            svg.line(LEFT, y(g), WIDTH - RIGHT, y(g), "stroke=\"#e4e4e4\"");
            String label = String.format(Locale.ROOT, "%,.0f", g);
            svg.text(LEFT - 8, y(g) + 4, "text-anchor=\"end\"", label);
        }
        svg.text(
                (LEFT + WIDTH - RIGHT) / 2.0,
                HEIGHT - 16,
                "text-anchor=\"middle\"",
                "operations for each byte of weights read");
        svg.text(12, TOP - 12, "", "10⁹ operations a second");
    }

    private void roofs(Svg svg, Labels labels) {
        double end = x(MOST_INTENSITY);
        double highest = ceilings.stream().mapToDouble(Ceiling::gops).max().orElse(highest());
        double knee = Math.clamp(highest / readGbps, LEAST_INTENSITY, MOST_INTENSITY);
        double start = Math.max(LEAST_INTENSITY, LEAST_GOPS / readGbps);
        svg.line(
                x(start),
                y(start * readGbps),
                x(knee),
                y(knee * readGbps),
                "stroke=\"#444\" stroke-width=\"2\"");
        String limit = String.format(Locale.ROOT, "read limit, %.1f GB/s", readGbps);
        double beside = x(knee) - 14;
        svg.text(
                beside,
                labels.place(beside, y(knee * readGbps) + 4, Labels.Anchor.END, limit),
                "fill=\"#444\" text-anchor=\"end\"",
                limit);
        for (Ceiling ceiling : ceilings) {
            double from = Math.clamp(ceiling.gops() / readGbps, LEAST_INTENSITY, MOST_INTENSITY);
            double at = y(ceiling.gops());
            svg.line(x(from), at, end, at, "stroke=\"#444\" stroke-width=\"2\"");
            String name = String.format(Locale.ROOT, "%s, %,.0f", ceiling.name(), ceiling.gops());
            double label = labels.place(end + 8, at + 4, Labels.Anchor.START, name);
            svg.text(end + 8, label, "fill=\"#444\"", name);
        }
    }

    private double x(Point point) {
        return x(Math.clamp(point.intensity(), LEAST_INTENSITY, MOST_INTENSITY));
    }

    private double y(Point point) {
        return y(Math.max(point.gops(), LEAST_GOPS));
    }

    private void point(Svg svg, Point point, Labels labels) {
        String colour = COLOURS.get(engines.indexOf(point.engine()) % COLOURS.size());
        double x = x(point);
        double y = y(point);
        svg.circle(
                x,
                y,
                RADIUS,
                colour,
                String.format(
                        Locale.ROOT, "%s, %s: %,.0f", point.engine(), point.work(), point.gops()));
        if (point.engine().equals(engines.getFirst())) {
            double label = labels.place(x + 8, y - 6, Labels.Anchor.START, point.work());
            svg.text(x + 8, label, "fill=\"" + colour + "\"", point.work());
        }
    }

    /** Height of an entry of the legend. */
    private double legend(int i) {
        return HEIGHT - BOTTOM - 16.0 * (engines.size() - i);
    }

    private void legend(Svg svg) {
        for (int i = 0; i < engines.size(); i++) {
            svg.circle(LEGEND, legend(i), RADIUS, COLOURS.get(i % COLOURS.size()), "");
            svg.text(LEGEND + 12, legend(i) + 4, "", engines.get(i));
        }
    }
}
