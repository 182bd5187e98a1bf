package dev.flagship.tokenizers;

import dev.flagship.tokenizers.TemplateValue.Items;
import dev.flagship.tokenizers.TemplateValue.Text;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.IntPredicate;

/** Methods of texts, by Python's rules; the marks of trust go with the characters. */
final class TextMethods {
    static final Set<String> NAMES =
            Set.of(
                    "strip",
                    "lstrip",
                    "rstrip",
                    "split",
                    "rsplit",
                    "splitlines",
                    "startswith",
                    "endswith",
                    "upper",
                    "lower",
                    "title",
                    "capitalize",
                    "replace",
                    "find",
                    "rfind",
                    "count",
                    "join",
                    "removeprefix",
                    "removesuffix",
                    "isdigit",
                    "isalpha",
                    "isalnum",
                    "isspace");

    private final TemplateOperators operators;
    private final TemplateBudget budget;

    TextMethods(TemplateOperators operators, TemplateBudget budget) {
        this.operators = operators;
        this.budget = budget;
    }

    TemplateValue call(TrustedText text, String name, CallArguments arguments) {
        int line = arguments.line();
        budget.text(text, line);
        String string = text.text();
        return switch (name) {
            case "strip", "lstrip", "rstrip" ->
                    new Text(
                            strip(
                                    text,
                                    arguments.allow("chars"),
                                    !name.equals("rstrip"),
                                    !name.equals("lstrip")));
            case "split", "rsplit" ->
                    split(text, arguments.allow("sep", "maxsplit"), name.equals("rsplit"));
            case "splitlines" ->
                    lines(text, arguments.allow("keepends").flag(0, "keepends", false), line);
            case "startswith", "endswith" ->
                    TemplateValue.of(
                            affix(string, name.equals("startswith"), arguments.allow("prefix")));
            case "removeprefix" -> {
                String prefix = arguments.allow("prefix").text(0, "prefix").text();
                yield new Text(
                        string.startsWith(prefix)
                                ? text.substring(prefix.length(), string.length())
                                : text);
            }
            case "removesuffix" -> {
                String suffix = arguments.allow("suffix").text(0, "suffix").text();
                yield new Text(
                        string.endsWith(suffix)
                                ? text.substring(0, string.length() - suffix.length())
                                : text);
            }
            case "upper" -> recased(text, string.toUpperCase(Locale.ROOT));
            case "lower" -> recased(text, string.toLowerCase(Locale.ROOT));
            case "capitalize" -> recased(text, capitalized(string));
            case "title" -> recased(text, titled(string));
            case "replace" -> replace(text, arguments.allow("old", "new", "count"));
            case "find", "rfind" -> {
                String part = arguments.allow("sub").text(0, "sub").text();
                budget.search(string.length(), part.length(), line);
                int at = name.equals("find") ? string.indexOf(part) : string.lastIndexOf(part);
                yield TemplateValue.of(at < 0 ? -1L : string.codePointCount(0, at));
            }
            case "count" ->
                    TemplateValue.of(
                            count(string, arguments.allow("sub").text(0, "sub").text(), line));
            case "join" -> {
                List<TrustedText> parts = new ArrayList<>();
                for (TemplateValue item :
                        operators.elements(
                                arguments.allow("iterable").required(0, "iterable"), line)) {
                    if (!(item instanceof Text part)) {
                        throw TemplateException.invalid(
                                line, "join takes str, not %s", TemplateOperators.type(item));
                    }
                    parts.add(part.content());
                }
                yield joined(text, parts, line);
            }
            case "isdigit" -> all(string, Character::isDigit, arguments);
            case "isalpha" -> all(string, Scan::isLetter, arguments);
            case "isalnum" -> all(string, c -> Scan.isLetter(c) || Scan.isNumber(c), arguments);
            default -> all(string, PythonText::isSpace, arguments);
        };
    }

    private static TemplateValue all(String text, IntPredicate kind, CallArguments arguments) {
        arguments.allow();
        return TemplateValue.of(!text.isEmpty() && text.codePoints().allMatch(kind));
    }

    /** Case changes move characters, so the marks of single ones are lost. */
    static TemplateValue recased(TrustedText source, String text) {
        return new Text(TrustedText.of(text, source.trusted()));
    }

    static String capitalized(String text) {
        if (text.isEmpty()) {
            return text;
        }
        int first = text.offsetByCodePoints(0, 1);
        return titleCase(text.codePointAt(0)) + text.substring(first).toLowerCase(Locale.ROOT);
    }

    private static String titled(String text) {
        StringBuilder out = new StringBuilder();
        boolean inWord = false;
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            i += Character.charCount(c);
            boolean cased =
                    Character.isLowerCase(c)
                            || Character.isUpperCase(c)
                            || Character.isTitleCase(c);
            out.append(inWord ? Character.toString(Character.toLowerCase(c)) : titleCase(c));
            inWord = cased;
        }
        return out.toString();
    }

    private static String titleCase(int c) {
        int title = Character.toTitleCase(c);
        return title == c && !Character.isTitleCase(c)
                ? Character.toString(c).toUpperCase(Locale.ROOT)
                : Character.toString(title);
    }

    TemplateValue joined(TrustedText separator, List<TrustedText> items, int line) {
        List<TrustedText> parts = new ArrayList<>(2 * items.size());
        for (TrustedText item : items) {
            if (!parts.isEmpty()) {
                parts.add(separator);
            }
            parts.add(item);
        }
        budget.steps(parts.size(), line);
        return operators.join(parts, line);
    }

    TrustedText strip(TrustedText text, CallArguments arguments, boolean start, boolean end) {
        TemplateValue chars = arguments.find(0, "chars");
        boolean spaces = chars == null || chars == TemplateValue.None.NONE;
        String set = spaces ? "" : arguments.text(0, "chars").text();
        IntPredicate goes = spaces ? PythonText::isSpace : c -> set.indexOf(c) >= 0;
        String string = text.text();
        // Looking for each character among those to strip is what makes the cost a product.
        budget.steps((long) set.length() * string.length() / 1024, arguments.line());
        int from = 0;
        while (start && from < string.length() && goes.test(string.codePointAt(from))) {
            from += Character.charCount(string.codePointAt(from));
        }
        int to = string.length();
        while (end && to > from && goes.test(string.codePointBefore(to))) {
            to -= Character.charCount(string.codePointBefore(to));
        }
        return text.substring(from, to);
    }

    private TemplateValue split(TrustedText text, CallArguments arguments, boolean fromEnd) {
        int line = arguments.line();
        long most = arguments.whole(1, "maxsplit", -1);
        long splits = most < 0 ? Long.MAX_VALUE : most;
        TemplateValue separator = arguments.find(0, "sep");
        List<TemplateValue> parts = new ArrayList<>();
        if (separator == null || separator == TemplateValue.None.NONE) {
            if (fromEnd && splits != Long.MAX_VALUE) {
                throw TemplateException.unsupported(
                        line, "rsplit with maxsplit and without a separator");
            }
            splitSpaces(text, splits, parts, line);
            return new Items(List.copyOf(parts), false);
        }
        String by = arguments.text(0, "sep").text();
        budget.search(text.length(), by.length(), line);
        if (by.isEmpty()) {
            throw TemplateException.invalid(line, "split by an empty separator");
        }
        String string = text.text();
        int from = 0;
        int to = string.length();
        if (fromEnd) {
            for (int at = string.lastIndexOf(by, to - by.length());
                    at >= 0 && splits-- > 0;
                    at = at < by.length() ? -1 : string.lastIndexOf(by, at - by.length())) {
                budget.step(line);
                parts.addFirst(new Text(text.substring(at + by.length(), to)));
                to = at;
            }
            parts.addFirst(new Text(text.substring(0, to)));
        } else {
            for (int at = string.indexOf(by);
                    at >= 0 && splits-- > 0;
                    at = string.indexOf(by, from)) {
                budget.step(line);
                parts.add(new Text(text.substring(from, at)));
                from = at + by.length();
            }
            parts.add(new Text(text.substring(from, to)));
        }
        return new Items(List.copyOf(parts), false);
    }

    private void splitSpaces(TrustedText text, long most, List<TemplateValue> parts, int line) {
        String string = text.text();
        int i = 0;
        while (true) {
            while (i < string.length() && PythonText.isSpace(string.charAt(i))) {
                i++;
            }
            if (i == string.length()) {
                return;
            }
            budget.step(line);
            if (parts.size() == most) {
                int end = PythonText.stripEnd(string).length();
                parts.add(new Text(text.substring(i, end)));
                return;
            }
            int start = i;
            while (i < string.length() && !PythonText.isSpace(string.charAt(i))) {
                i++;
            }
            parts.add(new Text(text.substring(start, i)));
        }
    }

    private TemplateValue lines(TrustedText text, boolean keepEnds, int line) {
        String string = text.text();
        List<TemplateValue> lines = new ArrayList<>();
        int from = 0;
        for (int i = 0; i < string.length(); i++) {
            char c = string.charAt(i);
            boolean ends =
                    (c >= '\n' && c <= '\r')
                            || (c >= 0x1C && c <= 0x1E)
                            || c == 0x85
                            || c == 0x2028
                            || c == 0x2029;
            if (!ends) {
                continue;
            }
            budget.step(line);
            int textEnd = i;
            if (c == '\r' && i + 1 < string.length() && string.charAt(i + 1) == '\n') {
                i++;
            }
            lines.add(new Text(text.substring(from, keepEnds ? i + 1 : textEnd)));
            from = i + 1;
        }
        if (from < string.length()) {
            lines.add(new Text(text.substring(from, string.length())));
        }
        return new Items(List.copyOf(lines), false);
    }

    private boolean affix(String text, boolean start, CallArguments arguments) {
        TemplateValue given = arguments.required(0, "prefix");
        List<TemplateValue> options =
                given instanceof Items items && items.tuple() ? items.values() : List.of(given);
        for (TemplateValue option : options) {
            budget.step(arguments.line());
            if (!(option instanceof Text affix)) {
                throw TemplateException.invalid(
                        arguments.line(),
                        "%s takes str, not %s",
                        arguments.what(),
                        TemplateOperators.type(option));
            }
            if (start ? text.startsWith(affix.string()) : text.endsWith(affix.string())) {
                return true;
            }
        }
        return false;
    }

    TemplateValue replace(TrustedText text, CallArguments arguments) {
        int line = arguments.line();
        String old = arguments.text(0, "old").text();
        TrustedText with = arguments.text(1, "new");
        long most = arguments.whole(2, "count", -1);
        budget.search(text.length(), old.length(), line);
        if (old.isEmpty()) {
            throw TemplateException.unsupported(line, "replace of an empty text");
        }
        String string = text.text();
        TrustedText.Builder out = new TrustedText.Builder();
        int from = 0;
        long done = 0;
        for (int at = string.indexOf(old);
                at >= 0 && done != most;
                at = string.indexOf(old, from)) {
            budget.step(line);
            out.append(text.substring(from, at)).append(with);
            budget.fits(out.length(), line);
            from = at + old.length();
            done++;
        }
        out.append(text.substring(from, string.length()));
        TrustedText replaced = out.build();
        budget.text(replaced, line);
        return new Text(replaced);
    }

    private long count(String text, String part, int line) {
        budget.search(text.length(), part.length(), line);
        if (part.isEmpty()) {
            return text.codePointCount(0, text.length()) + 1L;
        }
        long count = 0;
        for (int at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length())) {
            count++;
        }
        return count;
    }
}
