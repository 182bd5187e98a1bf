package dev.flagship.tokenizers;

import java.math.BigDecimal;
import java.util.Map;

/**
 * How Python writes values and what it calls white space, which is what templates were written for.
 */
final class PythonText {
    private static final int DEPTH = 64;

    /** As much of a value as a message shows. */
    private static final int HEAD = 110;

    private PythonText() {}

    /** {@code str.isspace} of one character. */
    static boolean isSpace(int c) {
        return Scan.isSpace(c) || (c >= 0x1C && c <= 0x1F);
    }

    static String stripEnd(String text) {
        int end = text.length();
        while (end > 0 && isSpace(text.charAt(end - 1))) {
            end--;
        }
        return text.substring(0, end);
    }

    static String stripStart(String text) {
        int start = 0;
        while (start < text.length() && isSpace(text.charAt(start))) {
            start++;
        }
        return text.substring(start);
    }

    /** {@code str(value)}, the marks of texts kept. */
    static TrustedText text(TemplateValue value) {
        return switch (value) {
            case TemplateValue.Text text -> text.content();
            case TemplateValue.Undefined undefined -> TrustedText.EMPTY;
            case TemplateValue other -> TrustedText.untrusted(repr(other));
        };
    }

    /** {@code repr(value)}. */
    static String repr(TemplateValue value) {
        StringBuilder out = new StringBuilder();
        repr(value, out, 0, Integer.MAX_VALUE);
        return out.toString();
    }

    /** The beginning of {@link #repr}, for messages about values of any size. */
    static String head(TemplateValue value) {
        StringBuilder out = new StringBuilder();
        repr(value, out, 0, HEAD);
        return out.length() <= HEAD ? out.toString() : out.substring(0, HEAD) + "...";
    }

    /**
     * @param most characters after which nothing needs to follow
     */
    private static void repr(TemplateValue value, StringBuilder out, int depth, int most) {
        if (depth > DEPTH) {
            throw TemplateException.limit(0, "a value is nested more than %d deep", DEPTH);
        }
        switch (value) {
            case TemplateValue.Text text -> quoted(text.string(), out);
            case TemplateValue.None none -> out.append("None");
            case TemplateValue.Bool bool ->
                    out.append(bool == TemplateValue.Bool.TRUE ? "True" : "False");
            case TemplateValue.Int whole -> out.append(whole.value());
            case TemplateValue.Real real -> out.append(real(real.value()));
            case TemplateValue.Undefined undefined -> out.append("Undefined");
            case TemplateValue.Items items -> {
                out.append(items.tuple() ? '(' : '[');
                String separator = "";
                for (TemplateValue item : items.values()) {
                    if (out.length() > most) {
                        return;
                    }
                    out.append(separator);
                    repr(item, out, depth + 1, most);
                    separator = ", ";
                }
                out.append(items.tuple() ? items.values().size() == 1 ? ",)" : ")" : "]");
            }
            case TemplateValue.Mapping mapping -> {
                out.append('{');
                String separator = "";
                for (Map.Entry<String, TemplateValue> entry : mapping.entries().entrySet()) {
                    if (out.length() > most) {
                        return;
                    }
                    out.append(separator);
                    quoted(entry.getKey(), out);
                    out.append(": ");
                    repr(entry.getValue(), out, depth + 1, most);
                    separator = ", ";
                }
                out.append('}');
            }
            case TemplateObject object -> out.append('<').append(object.description()).append('>');
        }
    }

    private static void quoted(String text, StringBuilder out) {
        char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
        out.append(quote);
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            i += Character.charCount(c);
            switch (c) {
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                default -> {
                    if (c == quote) {
                        out.append('\\').append(quote);
                    } else if (printable(c)) {
                        out.appendCodePoint(c);
                    } else if (c < 0x100) {
                        out.append(hex("\\x", c, 2));
                    } else {
                        out.append(c < 0x10000 ? hex("\\u", c, 4) : hex("\\U", c, 8));
                    }
                }
            }
        }
        out.append(quote);
    }

    private static boolean printable(int c) {
        return c == ' '
                || switch (Character.getType(c)) {
                    case Character.CONTROL,
                            Character.FORMAT,
                            Character.SURROGATE,
                            Character.PRIVATE_USE,
                            Character.UNASSIGNED,
                            Character.LINE_SEPARATOR,
                            Character.PARAGRAPH_SEPARATOR,
                            Character.SPACE_SEPARATOR ->
                            false;
                    default -> true;
                };
    }

    static String hex(String prefix, int value, int digits) {
        String hex = Integer.toHexString(value);
        return prefix + "0".repeat(digits - hex.length()) + hex;
    }

    /**
     * {@code float.__repr__}: the shortest digits that read back, without an exponent from 1e-4 to
     * below 1e16.
     */
    static String real(double value) {
        if (Double.isNaN(value)) {
            return "nan";
        }
        if (Double.isInfinite(value)) {
            return value > 0 ? "inf" : "-inf";
        }
        double size = Math.abs(value);
        if (size == 0 || (size >= 1e-4 && size < 1e16)) {
            String plain =
                    new BigDecimal(Double.toString(value)).stripTrailingZeros().toPlainString();
            return value == 0
                    ? (1 / value < 0 ? "-0.0" : "0.0")
                    : plain.contains(".") ? plain : plain + ".0";
        }
        String java = Double.toString(value); // d.dddE[-]n
        int e = java.indexOf('E');
        String digits = java.substring(0, e);
        int exponent = Integer.parseInt(java, e + 1, java.length(), 10);
        String mantissa = digits.endsWith(".0") ? digits.substring(0, digits.length() - 2) : digits;
        String number = Integer.toString(Math.abs(exponent));
        return mantissa
                + (exponent < 0 ? "e-" : "e+")
                + (number.length() < 2 ? "0" + number : number);
    }
}
