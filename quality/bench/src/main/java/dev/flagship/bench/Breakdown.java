package dev.flagship.bench;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/**
 * Where the time of a token goes: of each figure the whole, each operation, and what lies between
 * operations, of which some is the clock's own. One thread.
 */
final class Breakdown {
    static final String BETWEEN = "between operations";

    private final Workload work;
    private final Map<Figure, Figures> figures = new EnumMap<>(Figure.class);

    /** Microseconds a token. */
    private static final class Figures {
        private final Samples whole = new Samples();
        private final Map<String, Part> parts = new LinkedHashMap<>();
        private final Part between = new Part(BETWEEN, false);
    }

    /** An operation's share of a figure. */
    static final class Part {
        private final String name;
        private final boolean product;
        private final Samples micros = new Samples();
        private final Samples gbps = new Samples();
        private final Samples gops = new Samples();

        private Part(String name, boolean product) {
            this.name = name;
            this.product = product;
        }

        String name() {
            return name;
        }

        boolean product() {
            return product;
        }

        /** Median, for one token. */
        double micros() {
            return micros.median();
        }
    }

    Breakdown(Workload work) {
        this.work = work;
    }

    /**
     * Takes one reading.
     *
     * @param times of that reading alone
     */
    void add(Figure figure, Contender.Reading reading, OperationTimes times) {
        Figures all = figures.computeIfAbsent(figure, _ -> new Figures());
        double tokens = reading.tokensPerSecond() * reading.seconds();
        double whole = 1e6 / reading.tokensPerSecond();
        double rest = whole;
        for (OperationTimes.Entry entry : times.entries()) {
            Part part =
                    all.parts.computeIfAbsent(
                            entry.name(), name -> new Part(name, entry.product()));
            double micros = entry.nanos() / 1e3 / tokens;
            rest -= micros;
            part.micros.add(micros);
            if (entry.product()) {
                part.gbps.add((double) entry.weightBytes() / entry.nanos());
                part.gops.add((double) entry.operations() / entry.nanos());
            }
        }
        all.whole.add(whole);
        all.between.micros.add(Math.max(0, rest));
    }

    /** Figures that were read, in the order in which they are. */
    List<Figure> figures() {
        return List.copyOf(figures.keySet());
    }

    private Figures of(Figure figure) {
        return Objects.requireNonNull(figures.get(figure), "a figure that was not read");
    }

    /** Median microseconds of a token. */
    double whole(Figure figure) {
        return of(figure).whole.median();
    }

    /** In the order in which they are done; what lies between is last. */
    List<Part> parts(Figure figure) {
        Figures all = of(figure);
        var parts = new ArrayList<>(all.parts.values());
        parts.add(all.between);
        return parts;
    }

    String title(Figure figure) {
        return work.title(figure);
    }

    void addTo(Report report) {
        for (Figure figure : figures()) {
            Samples whole = of(figure).whole;
            String key = figure.name().toLowerCase(Locale.ROOT);
            report.row(key, title(figure) + ", a token", "us", whole, "");
            for (Part part : parts(figure)) {
                String share = String.format(Locale.ROOT, "%.1f %%", share(figure, part));
                report.row(
                        key
                                + "."
                                + part.name()
                                        .toLowerCase(Locale.ROOT)
                                        .replaceAll("[^a-z0-9_]+", "_"),
                        "  " + part.name(),
                        "us",
                        part.micros,
                        share + rate(figure, part));
            }
        }
    }

    /** Percent of all parts; their medians need not add up to the median of the whole. */
    double share(Figure figure, Part part) {
        return 100 * part.micros() / parts(figure).stream().mapToDouble(Part::micros).sum();
    }

    /** What bounds a product: memory where a weight meets few rows, else arithmetic. */
    private static String rate(Figure figure, Part part) {
        if (!part.product()) {
            return "";
        }
        return figure == Figure.PREFILL
                ? String.format(Locale.ROOT, ", %,.0f GOP/s", part.gops.median())
                : String.format(Locale.ROOT, ", %.1f GB/s", part.gbps.median());
    }
}
