package dev.flagship.tokenizers;

import dev.flagship.tokenizers.TemplateValue.Bool;
import dev.flagship.tokenizers.TemplateValue.Int;
import dev.flagship.tokenizers.TemplateValue.Items;
import dev.flagship.tokenizers.TemplateValue.Mapping;
import dev.flagship.tokenizers.TemplateValue.Real;
import dev.flagship.tokenizers.TemplateValue.Text;
import dev.flagship.tokenizers.TemplateValue.Undefined;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** Jinja's filters and tests, as far as chat templates use them. */
final class TemplateFilters {
    private static final Set<String> FILTERS =
            Set.of(
                    "abs",
                    "capitalize",
                    "count",
                    "d",
                    "default",
                    "first",
                    "float",
                    "indent",
                    "int",
                    "items",
                    "join",
                    "last",
                    "length",
                    "list",
                    "lower",
                    "map",
                    "reject",
                    "rejectattr",
                    "replace",
                    "reverse",
                    "safe",
                    "select",
                    "selectattr",
                    "sort",
                    "string",
                    "tojson",
                    "trim",
                    "unique",
                    "upper");

    /** Jinja's own that the subset leaves out: templates may have them where they do not come. */
    private static final Set<String> FILTERS_LEFT_OUT =
            Set.of(
                    "attr",
                    "batch",
                    "center",
                    "dictsort",
                    "e",
                    "escape",
                    "filesizeformat",
                    "forceescape",
                    "format",
                    "groupby",
                    "max",
                    "min",
                    "pprint",
                    "random",
                    "round",
                    "slice",
                    "striptags",
                    "sum",
                    "title",
                    "truncate",
                    "urlencode",
                    "urlize",
                    "wordcount",
                    "wordwrap",
                    "xmlattr");

    private static final Set<String> TESTS_LEFT_OUT = Set.of("escaped", "sameas");

    /** Tests that compare, or look into a number or text; the others tell kinds of values. */
    private static final Set<String> COMPARING =
            Set.of(
                    "odd",
                    "even",
                    "divisibleby",
                    "equalto",
                    "eq",
                    "==",
                    "ne",
                    "!=",
                    "lt",
                    "lessthan",
                    "<",
                    "le",
                    "<=",
                    "gt",
                    "greaterthan",
                    ">",
                    "ge",
                    ">=",
                    "in",
                    "lower",
                    "upper",
                    "filter",
                    "test");

    private static final Set<String> KINDS =
            Set.of(
                    "defined",
                    "undefined",
                    "none",
                    "string",
                    "number",
                    "integer",
                    "float",
                    "boolean",
                    "true",
                    "false",
                    "mapping",
                    "sequence",
                    "iterable",
                    "callable");

    private final TemplateOperators operators;
    private final TemplateMethods methods;
    private final TextMethods texts;
    private final TemplateBudget budget;

    TemplateFilters(
            TemplateOperators operators,
            TemplateMethods methods,
            TextMethods texts,
            TemplateBudget budget) {
        this.operators = operators;
        this.methods = methods;
        this.texts = texts;
        this.budget = budget;
    }

    /** Whether Jinja has such a filter, be it one that the subset leaves out. */
    static boolean isFilter(String name) {
        return FILTERS.contains(name) || FILTERS_LEFT_OUT.contains(name);
    }

    /** Whether Jinja has such a test, be it one that the subset leaves out. */
    static boolean isTest(String name) {
        return KINDS.contains(name) || COMPARING.contains(name) || TESTS_LEFT_OUT.contains(name);
    }

    static TemplateException unsupportedFilter(String name, int line) {
        return TemplateException.unsupported(
                line,
                "filter %s is not part of the subset; rewrite the template without it",
                TokenizerException.quote(name));
    }

    static TemplateException unsupportedTest(String name, int line) {
        return TemplateException.unsupported(
                line,
                "test %s is not part of the subset; rewrite the template without it",
                TokenizerException.quote(name));
    }

    TemplateValue apply(String name, TemplateValue value, CallArguments arguments) {
        int line = arguments.line();
        return switch (name) {
            case "trim" ->
                    new Text(
                            texts.strip(
                                    methods.string(value, line),
                                    arguments.allow("chars"),
                                    true,
                                    true));
            case "string" -> new Text(methods.string(value, none(arguments)));
            case "safe" ->
                    new Text(
                            methods.string(
                                    value,
                                    none(arguments))); // nothing is escaped, so nothing to mark
            case "upper", "lower" -> {
                TrustedText text = methods.string(value, none(arguments));
                yield TextMethods.recased(
                        text,
                        name.equals("upper")
                                ? text.text().toUpperCase(Locale.ROOT)
                                : text.text().toLowerCase(Locale.ROOT));
            }
            case "capitalize" -> {
                TrustedText text = methods.string(value, none(arguments));
                yield TextMethods.recased(text, TextMethods.capitalized(text.text()));
            }
            case "replace" ->
                    texts.replace(
                            methods.string(value, line), arguments.allow("old", "new", "count"));
            case "indent" -> indent(value, arguments.allow("width", "first", "blank"));
            case "tojson" ->
                    json(
                            value,
                            arguments.allow("ensure_ascii", "indent", "separators", "sort_keys"));
            case "length", "count" -> TemplateValue.of(operators.length(value, none(arguments)));
            case "default", "d" -> defaulted(value, arguments.allow("default_value", "boolean"));
            case "join" -> join(value, arguments.allow("d", "attribute"));
            case "items" ->
                    switch (value) {
                        case Undefined undefined -> new Items(List.of(), false);
                        case Mapping mapping -> {
                            budget.steps(mapping.entries().size(), none(arguments));
                            yield TemplateMethods.pairs(mapping);
                        }
                        case TemplateValue other ->
                                throw TemplateException.invalid(
                                        line,
                                        "filter items takes dict, not %s",
                                        TemplateOperators.type(other));
                    };
            case "list" -> new Items(List.copyOf(elements(value, none(arguments))), false);
            case "first", "last" -> {
                List<TemplateValue> items = elements(value, none(arguments));
                yield items.isEmpty()
                        ? new Undefined(name)
                        : name.equals("first") ? items.get(0) : items.get(items.size() - 1);
            }
            case "reverse" -> reversed(value, none(arguments));
            case "unique" -> unique(value, none(arguments));
            case "sort" -> sorted(value, arguments.allow("reverse"));
            case "map" -> map(value, arguments);
            case "select", "reject" -> pick(value, arguments, name.equals("select"), false);
            case "selectattr", "rejectattr" ->
                    pick(value, arguments, name.equals("selectattr"), true);
            case "int" -> whole(value, arguments.allow("default"));
            case "float" -> real(value, arguments.allow("default"));
            case "abs" -> {
                if (!TemplateOperators.isNumber(value)) {
                    throw TemplateException.invalid(
                            line,
                            "filter abs takes a number, not %s",
                            TemplateOperators.type(value));
                }
                none(arguments);
                yield value instanceof Real real
                        ? TemplateValue.of(Math.abs(real.value()))
                        : TemplateValue.of(Math.abs(TemplateOperators.whole(value)));
            }
            default -> throw unsupportedFilter(name, line);
        };
    }

    /** The line of a filter that takes no arguments. */
    private static int none(CallArguments arguments) {
        return arguments.allow().line();
    }

    private List<TemplateValue> elements(TemplateValue value, int line) {
        List<TemplateValue> items = operators.elements(value, line);
        budget.steps(items.size(), line);
        return items;
    }

    private TemplateValue indent(TemplateValue value, CallArguments arguments) {
        int line = arguments.line();
        TemplateValue given = arguments.find(0, "width");
        if (given instanceof Int wide && wide.value() > 1024) {
            throw TemplateException.limit(line, "filter indent by %d", wide.value());
        }
        TrustedText margin =
                given instanceof Text text
                        ? text.content()
                        : TrustedText.trusted(
                                " ".repeat((int) Math.max(0, arguments.whole(0, "width", 4))));
        boolean first = arguments.flag(1, "first", false);
        boolean blank = arguments.flag(2, "blank", false);
        TrustedText text = methods.string(value, line);
        String string = text.text();
        TrustedText.Builder out = new TrustedText.Builder();
        for (int from = 0; from <= string.length(); ) {
            int newline = string.indexOf('\n', from);
            int end = newline < 0 ? string.length() : newline;
            boolean indents = from == 0 ? first : blank || end > from;
            budget.fits((long) out.length() + margin.length() + end - from, line);
            if (indents) {
                out.append(margin);
            }
            out.append(text.substring(from, newline < 0 ? end : end + 1));
            from = newline < 0 ? string.length() + 1 : newline + 1;
        }
        TrustedText indented = out.build();
        budget.text(indented, line);
        return new Text(indented);
    }

    private TemplateValue json(TemplateValue value, CallArguments arguments) {
        int line = arguments.line();
        methods.pay(value, line, 0);
        String text = JsonText.write(value, arguments);
        budget.text(text.length(), line);
        boolean trusted = value instanceof Text source && source.content().trusted();
        return new Text(TrustedText.of(text, trusted));
    }

    private static TemplateValue defaulted(TemplateValue value, CallArguments arguments) {
        boolean missing =
                value instanceof Undefined
                        || (arguments.flag(1, "boolean", false) && !TemplateOperators.truth(value));
        TemplateValue otherwise = arguments.find(0, "default_value");
        return !missing ? value : otherwise == null ? new Text(TrustedText.EMPTY) : otherwise;
    }

    private TemplateValue join(TemplateValue value, CallArguments arguments) {
        int line = arguments.line();
        TemplateValue separator = arguments.find(0, "d");
        TemplateValue attribute = arguments.find(1, "attribute");
        List<TrustedText> parts = new ArrayList<>();
        for (TemplateValue item : elements(value, line)) {
            parts.add(
                    methods.string(attribute == null ? item : byPath(item, attribute, line), line));
        }
        return texts.joined(
                separator == null ? TrustedText.EMPTY : methods.string(separator, line),
                parts,
                line);
    }

    private TemplateValue reversed(TemplateValue value, int line) {
        List<TemplateValue> items = new ArrayList<>(elements(value, line));
        Collections.reverse(items);
        if (value instanceof Text) {
            List<TrustedText> characters = new ArrayList<>();
            items.forEach(character -> characters.add(((Text) character).content()));
            return operators.join(characters, line);
        }
        return new Items(List.copyOf(items), false);
    }

    private TemplateValue unique(TemplateValue value, int line) {
        List<TemplateValue> kept = new ArrayList<>();
        for (TemplateValue item : elements(value, line)) {
            boolean known = false;
            for (TemplateValue other : kept) {
                known |= equalIgnoringCase(item, other, line);
            }
            if (!known) {
                kept.add(item);
            }
        }
        return new Items(List.copyOf(kept), false);
    }

    private boolean equalIgnoringCase(TemplateValue left, TemplateValue right, int line) {
        if (left instanceof Text a && right instanceof Text b) {
            budget.text(a.content().length(), line);
            return a.string().toLowerCase(Locale.ROOT).equals(b.string().toLowerCase(Locale.ROOT));
        }
        return operators.equal(left, right, line);
    }

    private TemplateValue sorted(TemplateValue value, CallArguments arguments) {
        int line = arguments.line();
        boolean descending = arguments.flag(0, "reverse", false);
        List<TemplateValue> items = new ArrayList<>(elements(value, line));
        items.sort((a, b) -> {
            budget.step(line);
            int order = operators.order(folded(a, line), folded(b, line), line);
            return descending ? -order : order;
        });
        return new Items(List.copyOf(items), false);
    }

    /** Jinja sorts without regard to case. */
    private TemplateValue folded(TemplateValue value, int line) {
        if (value instanceof Text text) {
            budget.text(text.content().length(), line);
            return TemplateValue.of(text.string().toLowerCase(Locale.ROOT));
        }
        return value;
    }

    private TemplateValue map(TemplateValue value, CallArguments arguments) {
        int line = arguments.line();
        TemplateValue attribute = arguments.named().get("attribute");
        List<TemplateValue> mapped = new ArrayList<>();
        for (TemplateValue item : elements(value, line)) {
            if (attribute != null && arguments.positional().isEmpty()) {
                TemplateValue found = byPath(item, attribute, line);
                TemplateValue otherwise = arguments.named().get("default");
                mapped.add(found instanceof Undefined && otherwise != null ? otherwise : found);
            } else {
                mapped.add(apply(arguments.text(0, "filter").text(), item, arguments.rest()));
            }
        }
        return new Items(List.copyOf(mapped), false);
    }

    private TemplateValue pick(
            TemplateValue value, CallArguments arguments, boolean keep, boolean byAttribute) {
        int line = arguments.line();
        CallArguments test = arguments;
        TemplateValue attribute = null;
        if (byAttribute) {
            attribute = arguments.required(0, "attribute");
            test = arguments.rest();
        }
        boolean named = !test.positional().isEmpty();
        String name = named ? test.text(0, "test").text() : "";
        CallArguments testArguments = named ? test.rest() : test;
        List<TemplateValue> kept = new ArrayList<>();
        for (TemplateValue item : elements(value, line)) {
            TemplateValue tested = attribute == null ? item : byPath(item, attribute, line);
            boolean passes =
                    named ? test(name, tested, testArguments) : TemplateOperators.truth(tested);
            if (passes == keep) {
                kept.add(item);
            }
        }
        return new Items(List.copyOf(kept), false);
    }

    /** An attribute by its name or by names with dots between. */
    private TemplateValue byPath(TemplateValue value, TemplateValue path, int line) {
        if (!(path instanceof Text text)) {
            return methods.item(value, path, line);
        }
        TemplateValue found = value;
        for (String name : text.string().split("\\.", -1)) {
            budget.step(line);
            boolean place =
                    !name.isEmpty()
                            && name.length() < 10
                            && name.chars().allMatch(c -> c >= '0' && c <= '9');
            found =
                    methods.item(
                            found,
                            place ? TemplateValue.of(Long.parseLong(name)) : TemplateValue.of(name),
                            line);
        }
        return found;
    }

    private static TemplateValue whole(TemplateValue value, CallArguments arguments) {
        TemplateValue otherwise = arguments.find(0, "default");
        TemplateValue fallback = otherwise == null ? TemplateValue.of(0) : otherwise;
        return switch (value) {
            case Int whole -> whole;
            case Bool bool -> TemplateValue.of(TemplateOperators.whole(bool));
            case Real real ->
                    Double.isFinite(real.value())
                            ? TemplateValue.of((long) real.value())
                            : fallback;
            case Text text -> {
                try {
                    String digits = PythonText.stripStart(PythonText.stripEnd(text.string()));
                    yield digits.length() > 40
                            ? fallback
                            : digits.contains(".")
                                    ? TemplateValue.of((long) Double.parseDouble(digits))
                                    : TemplateValue.of(Long.parseLong(digits));
                } catch (NumberFormatException e) {
                    yield fallback;
                }
            }
            case TemplateValue other -> fallback;
        };
    }

    private static TemplateValue real(TemplateValue value, CallArguments arguments) {
        TemplateValue otherwise = arguments.find(0, "default");
        TemplateValue fallback = otherwise == null ? TemplateValue.of(0.0) : otherwise;
        if (TemplateOperators.isNumber(value)) {
            return TemplateValue.of(TemplateOperators.real(value));
        }
        if (value instanceof Text text && text.content().length() <= 40) {
            try {
                return TemplateValue.of(
                        Double.parseDouble(
                                PythonText.stripStart(PythonText.stripEnd(text.string()))));
            } catch (NumberFormatException e) {
                return fallback;
            }
        }
        return fallback;
    }

    // Tests

    boolean test(String name, TemplateValue value, CallArguments arguments) {
        int line = arguments.line();
        if (KINDS.contains(name)) {
            arguments.allow();
            return isKind(name, value);
        }
        return switch (name) {
            case "odd" -> Math.floorMod(wholeOf(value, arguments.allow()), 2L) == 1;
            case "even" -> Math.floorMod(wholeOf(value, arguments.allow()), 2L) == 0;
            case "divisibleby" -> {
                long by = arguments.allow("num").whole(0, "num", 0);
                if (by == 0) {
                    throw TemplateException.invalid(line, "divisibleby zero");
                }
                yield wholeOf(value, arguments) % by == 0;
            }
            case "equalto", "eq", "==" ->
                    operators.equal(value, arguments.allow("other").required(0, "other"), line);
            case "ne", "!=" ->
                    !operators.equal(value, arguments.allow("other").required(0, "other"), line);
            case "lt", "lessthan", "<" -> compare("<", value, arguments);
            case "le", "<=" -> compare("<=", value, arguments);
            case "gt", "greaterthan", ">" -> compare(">", value, arguments);
            case "ge", ">=" -> compare(">=", value, arguments);
            case "in" -> operators.contains(arguments.allow("seq").required(0, "seq"), value, line);
            case "lower", "upper" -> {
                String text = methods.string(value, none(arguments)).text();
                boolean cased =
                        !text.toUpperCase(Locale.ROOT).equals(text.toLowerCase(Locale.ROOT));
                yield cased
                        && text.equals(
                                name.equals("lower")
                                        ? text.toLowerCase(Locale.ROOT)
                                        : text.toUpperCase(Locale.ROOT));
            }
            case "filter" -> named(FILTERS, value, arguments);
            case "test" -> named(KINDS, value, arguments) || named(COMPARING, value, arguments);
            default -> throw unsupportedTest(name, line);
        };
    }

    /** Whether a template may use what the value names. */
    private static boolean named(Set<String> names, TemplateValue value, CallArguments arguments) {
        arguments.allow();
        return value instanceof Text text && names.contains(text.string());
    }

    private static boolean isKind(String name, TemplateValue value) {
        return switch (name) {
            case "defined" -> !(value instanceof Undefined);
            case "undefined" -> value instanceof Undefined;
            case "none" -> value == TemplateValue.None.NONE;
            case "string" -> value instanceof Text;
            case "number" -> TemplateOperators.isNumber(value);
            case "integer" -> value instanceof Int;
            case "float" -> value instanceof Real;
            case "boolean" -> value instanceof Bool;
            case "true" -> value == Bool.TRUE;
            case "false" -> value == Bool.FALSE;
            case "mapping" -> value instanceof Mapping;
            case "callable" ->
                    value instanceof TemplateObject && !(value instanceof TemplateObject.Namespace);
            // "sequence" and "iterable": to Jinja, text, dictionaries and undefined values are
            // both.
            default ->
                    value instanceof Items
                            || value instanceof Mapping
                            || value instanceof Text
                            || value instanceof Undefined;
        };
    }

    private boolean compare(String operator, TemplateValue value, CallArguments arguments) {
        return operators.compare(
                operator, value, arguments.allow("other").required(0, "other"), arguments.line());
    }

    private static long wholeOf(TemplateValue value, CallArguments arguments) {
        if (value instanceof Int || value instanceof Bool) {
            return TemplateOperators.whole(value);
        }
        throw TemplateException.invalid(
                arguments.line(),
                "%s takes int, not %s",
                arguments.what(),
                TemplateOperators.type(value));
    }
}
