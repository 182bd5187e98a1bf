package dev.flagship.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** What was measured, and all that must be known to read it. */
final class Report {
    private static final int WIDTH = 100;

    /** Column at which a fact's value begins. */
    private static final int KEY = 12;

    private static final String GAP = "  ";

    private final Map<String, String> facts = new LinkedHashMap<>();

    private final List<Row> rows = new ArrayList<>();

    /**
     * One figure.
     *
     * @param key for programs
     * @param label for people
     * @param unit of all its numbers
     * @param ours at least one sample
     * @param note stands beside them; empty for none
     */
    record Row(
            String key, String label, String unit, Samples ours, List<Rival> rivals, String note) {}

    /**
     * Another side of a figure. An engine's first is its best; what follows are settings that do
     * other work than ours.
     *
     * @param name of the engine
     * @param setting with which it was measured
     * @param ratio ours to theirs; empty where it would be unfair
     */
    record Rival(String name, String setting, Samples samples, OptionalDouble ratio) {}

    void fact(String name, String value) {
        facts.put(name, value);
    }

    /** Adds a figure, unless nothing was measured. */
    void row(String key, String label, String unit, Samples ours) {
        row(key, label, unit, ours, List.of());
    }

    void row(String key, String label, String unit, Samples ours, List<Rival> rivals) {
        if (!ours.isEmpty()) {
            rows.add(new Row(key, label, unit, ours, List.copyOf(rivals), ""));
        }
    }

    /** As above, with a note beside the figure. */
    void row(String key, String label, String unit, Samples ours, String note) {
        if (!ours.isEmpty()) {
            rows.add(new Row(key, label, unit, ours, List.of(), note));
        }
    }

    /** For people: at most 100 characters a line. */
    String table() {
        var out = new StringBuilder();
        facts.forEach((name, value) -> out.append(wrapped(name, value)));
        out.append('\n');
        boolean rivals = rows.stream().anyMatch(r -> !r.rivals().isEmpty());
        var cells = new ArrayList<List<String>>();
        cells.add(List.of("", "median", "min to max", rivals ? "ratio" : ""));
        for (Row row : rows) {
            cells.add(cells(row.label(), row.ours(), row.unit(), row.note()));
            for (Rival rival : row.rivals()) {
                cells.add(
                        cells(
                                "  %s, %s".formatted(rival.name(), rival.setting()),
                                rival.samples(),
                                row.unit(),
                                ratio(rival)));
            }
        }
        for (List<String> line : cells) {
            out.append(aligned(line, cells)).append('\n');
        }
        return out.toString();
    }

    private static String ratio(Rival rival) {
        return rival.ratio().isPresent()
                ? String.format(Locale.ROOT, "%.2f", rival.ratio().getAsDouble())
                : "";
    }

    private static List<String> cells(String label, Samples s, String unit, String ratio) {
        String range = s.size() == 1 ? "" : number(s.min()) + " to " + number(s.max());
        return List.of(label, number(s.median()) + " " + unit, range, ratio);
    }

    private static String aligned(List<String> line, List<List<String>> all) {
        var out = new StringBuilder();
        for (int column = 0; column < line.size(); column++) {
            int at = column;
            int width = all.stream().mapToInt(l -> l.get(at).length()).max().orElse(0);
            String cell = line.get(column);
            String pad = " ".repeat(width - cell.length());
            out.append(column == 0 ? cell + pad : GAP + pad + cell);
        }
        return out.toString().stripTrailing();
    }

    /** Three digits or more that mean something, without an exponent. */
    static String number(double value) {
        double size = Math.abs(value);
        int decimals = size >= 1000 || size == 0 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3;
        return String.format(Locale.ROOT, "%,." + decimals + "f", value);
    }

    private static String wrapped(String name, String value) {
        var out = new StringBuilder();
        var line = new StringBuilder(pad(name));
        for (String word : value.split(" ", -1)) {
            if (line.length() + 1 + word.length() > WIDTH && line.length() > KEY) {
                out.append(line.toString().stripTrailing()).append('\n');
                line = new StringBuilder(pad(""));
            }
            line.append(line.length() > KEY ? " " : "").append(word);
        }
        return out.append(line.toString().stripTrailing()).append('\n').toString();
    }

    private static String pad(String name) {
        return name + " ".repeat(Math.max(1, KEY - name.length()));
    }

    /** For programs. */
    String json() {
        JsonMapper mapper = JsonMapper.shared();
        ObjectNode root = mapper.createObjectNode();
        ObjectNode named = root.putObject("facts");
        facts.forEach(named::put);
        ObjectNode figures = root.putObject("figures");
        for (Row row : rows) {
            ObjectNode figure = figures.putObject(row.key());
            figure.put("label", row.label());
            figure.put("unit", row.unit());
            numbers(figure, row.ours());
            if (!row.note().isEmpty()) {
                figure.put("note", row.note());
            }
            for (Rival rival : row.rivals()) {
                ObjectNode others = figure.withObject("/rivals");
                String name =
                        others.has(rival.name())
                                ? "%s, %s".formatted(rival.name(), rival.setting())
                                : rival.name();
                ObjectNode other = others.putObject(name);
                other.put("setting", rival.setting());
                numbers(other, rival.samples());
                rival.ratio().ifPresent(r -> other.put("ratio", r));
            }
        }
        return mapper.writerWithDefaultPrettyPrinter().writeValueAsString(root);
    }

    private static void numbers(ObjectNode node, Samples samples) {
        node.put("median", samples.median());
        node.put("min", samples.min());
        node.put("max", samples.max());
        var values = node.putArray("samples");
        samples.values().forEach(values::add);
    }
}
