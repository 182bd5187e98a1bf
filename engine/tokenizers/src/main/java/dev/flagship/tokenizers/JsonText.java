package dev.flagship.tokenizers;

import dev.flagship.tokenizers.TemplateValue.Items;
import dev.flagship.tokenizers.TemplateValue.Mapping;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Python's {@code json.dumps}, which transformers' {@code tojson} is. */
final class JsonText {
    private final StringBuilder out = new StringBuilder();
    private final CallArguments arguments;
    private final boolean ascii;
    private final boolean sorted;
    private final boolean indents;
    private final String indent;
    private final String itemSeparator;
    private final String keySeparator;

    private JsonText(CallArguments arguments) {
        this.arguments = arguments;
        ascii = arguments.flag(0, "ensure_ascii", false);
        sorted = arguments.flag(3, "sort_keys", false);
        TemplateValue indentation = arguments.find(1, "indent");
        indents = indentation != null && indentation != TemplateValue.None.NONE;
        indent =
                indentation instanceof TemplateValue.Text text
                        ? text.string()
                        : " ".repeat((int) Math.clamp(arguments.whole(1, "indent", 0), 0L, 64L));
        TemplateValue separators = arguments.find(2, "separators");
        if (separators instanceof Items pair
                && pair.values().size() == 2
                && pair.values().get(0) instanceof TemplateValue.Text item
                && pair.values().get(1) instanceof TemplateValue.Text key) {
            itemSeparator = item.string();
            keySeparator = key.string();
        } else {
            itemSeparator = indents ? "," : ", ";
            keySeparator = ": ";
        }
    }

    static String write(TemplateValue value, CallArguments arguments) {
        JsonText json = new JsonText(arguments);
        json.value(value, 0);
        return json.out.toString();
    }

    private void value(TemplateValue value, int depth) {
        switch (value) {
            case TemplateValue.None none -> out.append("null");
            case TemplateValue.Bool bool ->
                    out.append(bool == TemplateValue.Bool.TRUE ? "true" : "false");
            case TemplateValue.Int whole -> out.append(whole.value());
            case TemplateValue.Real real -> out.append(real(real.value()));
            case TemplateValue.Text text -> string(text.string());
            case Items items -> items(items, depth);
            case Mapping mapping -> mapping(mapping, depth);
            case TemplateValue other ->
                    throw TemplateException.invalid(
                            arguments.line(),
                            "%s cannot be written as JSON",
                            TemplateOperators.type(other));
        }
    }

    private static String real(double value) {
        return Double.isNaN(value)
                ? "NaN"
                : Double.isInfinite(value)
                        ? value > 0 ? "Infinity" : "-Infinity"
                        : PythonText.real(value);
    }

    private void items(Items items, int depth) {
        if (items.values().isEmpty()) {
            out.append("[]");
            return;
        }
        out.append('[');
        boolean first = true;
        for (TemplateValue item : items.values()) {
            separate(first, depth + 1);
            first = false;
            value(item, depth + 1);
        }
        newline(depth);
        out.append(']');
    }

    private void mapping(Mapping mapping, int depth) {
        if (mapping.entries().isEmpty()) {
            out.append("{}");
            return;
        }
        List<String> keys = new ArrayList<>(mapping.entries().keySet());
        if (sorted) {
            Collections.sort(keys);
        }
        out.append('{');
        boolean first = true;
        for (String key : keys) {
            separate(first, depth + 1);
            first = false;
            string(key);
            out.append(keySeparator);
            TemplateValue item = mapping.entries().get(key);
            if (item != null) {
                value(item, depth + 1);
            }
        }
        newline(depth);
        out.append('}');
    }

    private void separate(boolean first, int depth) {
        if (!first) {
            out.append(itemSeparator);
        }
        newline(depth);
    }

    private void newline(int depth) {
        if (indents) {
            out.append('\n').repeat(indent, depth);
        }
    }

    private void string(String text) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\b' -> out.append("\\b");
                case '\f' -> out.append("\\f");
                default -> {
                    if (c < 0x20 || (ascii && c > 0x7E)) {
                        out.append(PythonText.hex("\\u", c, 4));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append('"');
    }
}
