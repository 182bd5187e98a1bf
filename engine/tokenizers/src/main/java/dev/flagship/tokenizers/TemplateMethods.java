package dev.flagship.tokenizers;

import dev.flagship.tokenizers.TemplateValue.Int;
import dev.flagship.tokenizers.TemplateValue.Items;
import dev.flagship.tokenizers.TemplateValue.Mapping;
import dev.flagship.tokenizers.TemplateValue.Text;
import dev.flagship.tokenizers.TemplateValue.Undefined;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/**
 * Attributes, subscripts and methods of template values, by Python's rules. Positions in texts
 * count code points.
 */
final class TemplateMethods {
    private static final Set<String> OF_TEXT =
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
    private static final Set<String> OF_LIST = Set.of("index", "count");
    private static final Set<String> OF_DICT = Set.of("items", "keys", "values", "get");

    private final TemplateOperators operators;
    private final TemplateBudget budget;

    TemplateMethods(TemplateOperators operators, TemplateBudget budget) {
        this.operators = operators;
        this.budget = budget;
    }

    /** {@code str(value)}, paid for. */
    TrustedText string(TemplateValue value, int line) {
        if (value instanceof Items || value instanceof Mapping) {
            operatorsCost(value, line, 0);
        }
        TrustedText text = PythonText.text(value);
        budget.text(text.length(), line);
        return text;
    }

    /**
     * Pays for walking a value before it is walked, since shared parts can make a small one print
     * very long.
     */
    void operatorsCost(TemplateValue value, int line, int depth) {
        budget.step(line);
        TemplateBudget.depth(depth, line);
        switch (value) {
            case Items items ->
                    items.values().forEach(item -> operatorsCost(item, line, depth + 1));
            case Mapping mapping ->
                    mapping.entries()
                            .forEach((key, item) -> {
                                budget.text(key.length(), line);
                                operatorsCost(item, line, depth + 1);
                            });
            case Text text -> budget.text(text.content().length(), line);
            case TemplateValue other -> {}
        }
    }

    // Attributes and subscripts

    /** {@code value.name}: an attribute, or else an entry. */
    TemplateValue attribute(TemplateValue value, String name, int line) {
        TemplateValue own = own(value, name, line);
        if (own != null) {
            return own;
        }
        if (value instanceof Mapping mapping) {
            TemplateValue entry = mapping.entries().get(name);
            if (entry != null) {
                return entry;
            }
        }
        return new Undefined(name);
    }

    private static @Nullable TemplateValue own(TemplateValue value, String name, int line) {
        return switch (value) {
            case Undefined undefined -> throw TemplateOperators.undefined(undefined, line);
            case Text text ->
                    OF_TEXT.contains(name)
                            ? new TemplateObject.Method(value, name)
                            : unknown(value, name, line);
            case Items items ->
                    OF_LIST.contains(name)
                            ? new TemplateObject.Method(value, name)
                            : unknown(value, name, line);
            case Mapping mapping ->
                    OF_DICT.contains(name)
                            ? new TemplateObject.Method(value, name)
                            : unknown(value, name, line);
            case TemplateObject.Loop loop -> loopAttribute(loop, name, line);
            case TemplateObject.Namespace namespace -> namespace.attributes().get(name);
            case TemplateValue other -> null;
        };
    }

    /**
     * Names that Python has on the type and the subset has not must not look like missing entries.
     */
    private static @Nullable TemplateValue unknown(TemplateValue value, String name, int line) {
        Set<String> python =
                switch (value) {
                    case Text text ->
                            Set.of(
                                    "format",
                                    "format_map",
                                    "center",
                                    "ljust",
                                    "rjust",
                                    "zfill",
                                    "swapcase",
                                    "casefold",
                                    "encode",
                                    "expandtabs",
                                    "index",
                                    "rindex",
                                    "islower",
                                    "isupper",
                                    "isnumeric",
                                    "isdecimal",
                                    "istitle",
                                    "isidentifier",
                                    "isascii",
                                    "isprintable",
                                    "partition",
                                    "rpartition",
                                    "translate",
                                    "maketrans");
                    case Items items ->
                            Set.of(
                                    "append", "extend", "insert", "pop", "remove", "clear", "copy",
                                    "sort", "reverse");
                    case TemplateValue other ->
                            Set.of(
                                    "pop",
                                    "popitem",
                                    "update",
                                    "setdefault",
                                    "clear",
                                    "copy",
                                    "fromkeys");
                };
        if (python.contains(name)) {
            throw TemplateException.unsupported(
                    line,
                    "method %s of %s; values cannot be changed, and few other methods are known",
                    name,
                    TemplateOperators.type(value));
        }
        return null;
    }

    private static TemplateValue loopAttribute(TemplateObject.Loop loop, String name, int line) {
        int size = loop.items().size();
        int index = loop.index();
        return switch (name) {
            case "index" -> TemplateValue.of(index + 1L);
            case "index0" -> TemplateValue.of((long) index);
            case "revindex" -> TemplateValue.of((long) size - index);
            case "revindex0" -> TemplateValue.of(size - index - 1L);
            case "first" -> TemplateValue.of(index == 0);
            case "last" -> TemplateValue.of(index == size - 1);
            case "length" -> TemplateValue.of((long) size);
            case "depth" -> TemplateValue.of(1); // counts recursion, which the subset has not
            case "depth0" -> TemplateValue.of(0);
            case "previtem" -> index > 0 ? loop.items().get(index - 1) : new Undefined("previtem");
            case "nextitem" ->
                    index + 1 < size ? loop.items().get(index + 1) : new Undefined("nextitem");
            case "cycle" -> new TemplateObject.Method(loop, name);
            default ->
                    throw TemplateException.unsupported(
                            line, "loop.%s is not part of the subset", name);
        };
    }

    /** {@code value[index]}: an entry, or else an attribute. */
    TemplateValue item(TemplateValue value, TemplateValue index, int line) {
        if (value instanceof Undefined) {
            throw TemplateOperators.undefined(value, line);
        }
        if (value instanceof Mapping mapping
                && index instanceof Text key
                && mapping.entries().containsKey(key.string())) {
            return mapping.entries().get(key.string());
        }
        if (index instanceof Int place && (value instanceof Items || value instanceof Text)) {
            long length = operators.length(value, line);
            long at = place.value() < 0 ? place.value() + length : place.value();
            if (at < 0 || at >= length) {
                return new Undefined("item " + place.value());
            }
            return value instanceof Items items
                    ? items.values().get((int) at)
                    : slice(value, at, at + 1, null, line);
        }
        return index instanceof Text name
                ? attribute(value, name.string(), line)
                : new Undefined(PythonText.repr(index));
    }

    /** {@code value[start:stop:step]}. */
    TemplateValue slice(
            TemplateValue value,
            @Nullable Long start,
            @Nullable Long stop,
            @Nullable Long step,
            int line) {
        if (value instanceof Undefined) {
            throw TemplateOperators.undefined(value, line);
        }
        if (!(value instanceof Items) && !(value instanceof Text)) {
            throw TemplateException.invalid(
                    line, "%s cannot be sliced", TemplateOperators.type(value));
        }
        long length = operators.length(value, line);
        long by = step == null ? 1 : step;
        if (by == 0) {
            throw TemplateException.invalid(line, "a slice with step 0");
        }
        long first = by > 0 ? 0 : length - 1;
        long past = by > 0 ? length : -1;
        long from = start == null ? first : clamp(start, length, by);
        long to = stop == null ? past : clamp(stop, length, by);
        if (by == 1) {
            return range(value, from, Math.max(from, to), line);
        }
        List<TemplateValue> all = operators.elements(value, line);
        List<TemplateValue> picked = new ArrayList<>();
        for (long i = from; by > 0 ? i < to : i > to; i += by) {
            budget.step(line);
            picked.add(all.get((int) i));
        }
        if (value instanceof Items items) {
            return new Items(List.copyOf(picked), items.tuple());
        }
        List<TrustedText> characters = new ArrayList<>();
        picked.forEach(character -> characters.add(((Text) character).content()));
        return operators.join(characters, line);
    }

    private static long clamp(long place, long length, long step) {
        long at = place < 0 ? place + length : place;
        return step > 0 ? Math.clamp(at, 0L, length) : Math.clamp(at, -1L, length - 1);
    }

    private TemplateValue range(TemplateValue value, long from, long to, int line) {
        if (value instanceof Items items) {
            budget.steps(to - from, line);
            return new Items(
                    List.copyOf(items.values().subList((int) from, (int) to)), items.tuple());
        }
        TrustedText text = ((Text) value).content();
        budget.text(text.length(), line);
        int start = text.text().offsetByCodePoints(0, (int) from);
        return new Text(
                text.substring(start, text.text().offsetByCodePoints(start, (int) (to - from))));
    }

    // Methods

    TemplateValue call(TemplateObject.Method method, CallArguments arguments) {
        return switch (method.receiver()) {
            case Text text -> ofText(text.content(), method.name(), arguments);
            case Items items -> ofList(items, method.name(), arguments);
            case Mapping mapping -> ofDict(mapping, method.name(), arguments);
            case TemplateObject.Loop loop -> {
                List<TemplateValue> values = arguments.positional();
                if (values.isEmpty()) {
                    throw TemplateException.invalid(arguments.line(), "loop.cycle() needs values");
                }
                yield values.get(loop.index() % values.size());
            }
            case TemplateValue other ->
                    throw TemplateException.invalid(
                            arguments.line(), "%s has no methods", TemplateOperators.type(other));
        };
    }

    private TemplateValue ofList(Items items, String name, CallArguments arguments) {
        TemplateValue wanted = arguments.allow("value").required(0, "value");
        long count = 0;
        for (int i = 0; i < items.values().size(); i++) {
            if (operators.equal(items.values().get(i), wanted, arguments.line())) {
                if (name.equals("index")) {
                    return TemplateValue.of((long) i);
                }
                count++;
            }
        }
        if (name.equals("index")) {
            throw TemplateException.invalid(arguments.line(), "the list does not hold the value");
        }
        return TemplateValue.of(count);
    }

    private TemplateValue ofDict(Mapping mapping, String name, CallArguments arguments) {
        if (name.equals("get")) {
            TemplateValue key = arguments.allow("key", "default").required(0, "key");
            TemplateValue found =
                    key instanceof Text text ? mapping.entries().get(text.string()) : null;
            TemplateValue otherwise = arguments.find(1, "default");
            return found != null ? found : otherwise != null ? otherwise : TemplateValue.none();
        }
        arguments.allow();
        budget.steps(mapping.entries().size(), arguments.line());
        return switch (name) {
            case "keys" -> new Items(operators.elements(mapping, arguments.line()), false);
            case "values" -> new Items(List.copyOf(mapping.entries().values()), false);
            default -> pairs(mapping);
        };
    }

    /** Tuples of key and value. */
    static Items pairs(Mapping mapping) {
        List<TemplateValue> pairs = new ArrayList<>();
        for (Map.Entry<String, TemplateValue> entry : mapping.entries().entrySet()) {
            pairs.add(new Items(List.of(mapping.key(entry.getKey()), entry.getValue()), true));
        }
        return new Items(List.copyOf(pairs), false);
    }

    private TemplateValue ofText(TrustedText text, String name, CallArguments arguments) {
        int line = arguments.line();
        budget.text(text.length(), line);
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
        budget.text(out.length(), line);
        return new Text(out.build());
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
