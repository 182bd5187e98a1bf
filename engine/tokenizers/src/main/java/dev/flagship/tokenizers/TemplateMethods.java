package dev.flagship.tokenizers;

import dev.flagship.tokenizers.TemplateValue.Int;
import dev.flagship.tokenizers.TemplateValue.Items;
import dev.flagship.tokenizers.TemplateValue.Mapping;
import dev.flagship.tokenizers.TemplateValue.Text;
import dev.flagship.tokenizers.TemplateValue.Undefined;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Attributes and subscripts of template values and methods of lists and dictionaries, by Python's
 * rules. Positions in texts count code points.
 */
final class TemplateMethods {
    private static final Set<String> OF_LIST = Set.of("index", "count");
    private static final Set<String> OF_DICT = Set.of("items", "keys", "values", "get");

    private final TemplateOperators operators;
    private final TextMethods texts;
    private final TemplateBudget budget;

    TemplateMethods(TemplateOperators operators, TextMethods texts, TemplateBudget budget) {
        this.operators = operators;
        this.texts = texts;
        this.budget = budget;
    }

    /** {@code str(value)}, paid for. */
    TrustedText string(TemplateValue value, int line) {
        if (value instanceof Items || value instanceof Mapping) {
            pay(value, line, 0);
        }
        TrustedText text = PythonText.text(value);
        budget.text(text, line);
        return text;
    }

    /**
     * Pays for walking a value before it is walked, since shared parts can make a small one print
     * very long.
     */
    void pay(TemplateValue value, int line, int depth) {
        budget.step(line);
        TemplateBudget.depth(depth, line);
        switch (value) {
            case Items items -> items.values().forEach(item -> pay(item, line, depth + 1));
            case Mapping mapping ->
                    mapping.entries()
                            .forEach((key, item) -> {
                                budget.text(key.length(), line);
                                pay(item, line, depth + 1);
                            });
            case Text text -> budget.text(text.content(), line);
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
                    TextMethods.NAMES.contains(name)
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
        budget.text(text, line);
        int start = text.text().offsetByCodePoints(0, (int) from);
        return new Text(
                text.substring(start, text.text().offsetByCodePoints(start, (int) (to - from))));
    }

    // Methods

    TemplateValue call(TemplateObject.Method method, CallArguments arguments) {
        return switch (method.receiver()) {
            case Text text -> texts.call(text.content(), method.name(), arguments);
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
}
