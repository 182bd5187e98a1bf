package dev.flagship.bench;

import java.util.Locale;

/** A drawing on white, in 12-pixel type, with its title at the top. Texts are escaped. */
final class Svg {
    private final StringBuilder out = new StringBuilder();

    /**
     * @param left where the title begins
     */
    Svg(int width, int height, int left, String title) {
        add(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">%n",
                width, height);
        add("<title>%s</title>%n", escaped(title));
        add("<rect width=\"%d\" height=\"%d\" fill=\"white\"/>%n", width, height);
        text(left, 24, "font-size=\"15\" font-weight=\"bold\"", title);
    }

    /**
     * @param style attributes
     */
    void line(double x1, double y1, double x2, double y2, String style) {
        add("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>%n", x1, y1, x2, y2, style);
    }

    /**
     * @param y of the baseline
     * @param style attributes
     */
    void text(double x, double y, String style, String text) {
        add("<text x=\"%.1f\" y=\"%.1f\" %s>%s</text>%n", x, y, style, escaped(text));
    }

    /**
     * @param name shown where the pointer rests; empty for none
     */
    void circle(double x, double y, int radius, String colour, String name) {
        add(
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%d\" fill=\"%s\">%s</circle>%n",
                x, y, radius, colour, hint(name));
    }

    /**
     * @param name shown where the pointer rests; empty for none
     */
    void rectangle(double x, double y, double width, double height, String colour, String name) {
        add(
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\">%s</rect>%n",
                x, y, width, height, colour, hint(name));
    }

    private static String hint(String name) {
        return name.isEmpty() ? "" : "<title>%s</title>".formatted(escaped(name));
    }

    /** The whole of it. */
    String document() {
        return out + "</svg>\n";
    }

    private void add(String format, Object... values) {
        out.append(String.format(Locale.ROOT, format.replace("%n", "\n"), values));
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace("\"", "&quot;");
    }
}
