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
import java.util.Map;

/** Python's operators over template values. */
final class TemplateOperators {
    private final TemplateBudget budget;

    TemplateOperators(TemplateBudget budget) {
        this.budget = budget;
    }

    static boolean truth(TemplateValue value) {
        return switch (value) {
            case TemplateValue.None none -> false;
            case Undefined undefined -> false;
            case Bool bool -> bool == Bool.TRUE;
            case Int whole -> whole.value() != 0;
            case Real real -> real.value() != 0;
            case Text text -> text.content().length() > 0;
            case Items items -> !items.values().isEmpty();
            case Mapping mapping -> !mapping.entries().isEmpty();
            case TemplateObject object -> true;
        };
    }

    /** What Python calls the value's type, for messages. */
    static String type(TemplateValue value) {
        return switch (value) {
            case TemplateValue.None none -> "None";
            case Undefined undefined -> "undefined '" + undefined.name() + "'";
            case Bool bool -> "bool";
            case Int whole -> "int";
            case Real real -> "float";
            case Text text -> "str";
            case Items items -> items.tuple() ? "tuple" : "list";
            case Mapping mapping -> "dict";
            case TemplateObject object -> object.description();
        };
    }

    boolean equal(TemplateValue left, TemplateValue right, int line) {
        return equal(left, right, line, 0);
    }

    private boolean equal(TemplateValue left, TemplateValue right, int line, int depth) {
        budget.step(line);
        TemplateBudget.depth(depth, line);
        if (isNumber(left) && isNumber(right)) {
            return (left instanceof Real || right instanceof Real)
                    ? real(left) == real(right)
                    : whole(left) == whole(right);
        }
        if (left instanceof Text a && right instanceof Text b) {
            budget.text(a.content().length(), line);
            return a.string().equals(b.string());
        }
        if (left instanceof Items a && right instanceof Items b) {
            if (a.tuple() != b.tuple() || a.values().size() != b.values().size()) {
                return false;
            }
            for (int i = 0; i < a.values().size(); i++) {
                if (!equal(a.values().get(i), b.values().get(i), line, depth + 1)) {
                    return false;
                }
            }
            return true;
        }
        if (left instanceof Mapping a && right instanceof Mapping b) {
            if (a.entries().size() != b.entries().size()) {
                return false;
            }
            for (Map.Entry<String, TemplateValue> entry : a.entries().entrySet()) {
                TemplateValue other = b.entries().get(entry.getKey());
                if (other == null || !equal(entry.getValue(), other, line, depth + 1)) {
                    return false;
                }
            }
            return true;
        }
        return (left instanceof TemplateValue.None && right instanceof TemplateValue.None)
                || (left instanceof Undefined && right instanceof Undefined);
    }

    int order(TemplateValue left, TemplateValue right, int line) {
        if (isNumber(left) && isNumber(right)) {
            return (left instanceof Real || right instanceof Real)
                    ? Double.compare(real(left), real(right))
                    : Long.compare(whole(left), whole(right));
        }
        if (left instanceof Text a && right instanceof Text b) {
            budget.text(Math.min(a.content().length(), b.content().length()), line);
            return codePointOrder(a.string(), b.string());
        }
        throw TemplateException.invalid(line, "%s and %s have no order", type(left), type(right));
    }

    private static int codePointOrder(String a, String b) {
        int i = 0;
        while (i < a.length() && i < b.length()) {
            int c = a.codePointAt(i);
            int d = b.codePointAt(i);
            if (c != d) {
                return Integer.compare(c, d);
            }
            i += Character.charCount(c);
        }
        return Integer.compare(a.length(), b.length());
    }

    boolean compare(String operator, TemplateValue left, TemplateValue right, int line) {
        return switch (operator) {
            case "==" -> equal(left, right, line);
            case "!=" -> !equal(left, right, line);
            case "in" -> contains(right, left, line);
            case "not in" -> !contains(right, left, line);
            default -> {
                if ((left instanceof Real a && Double.isNaN(a.value()))
                        || (right instanceof Real b && Double.isNaN(b.value()))) {
                    yield false;
                }
                int order = order(left, right, line);
                yield switch (operator) {
                    case "<" -> order < 0;
                    case "<=" -> order <= 0;
                    case ">" -> order > 0;
                    default -> order >= 0;
                };
            }
        };
    }

    boolean contains(TemplateValue container, TemplateValue item, int line) {
        return switch (container) {
            case Text text -> {
                if (!(item instanceof Text part)) {
                    throw TemplateException.invalid(
                            line, "'in' of a str takes a str, not %s", type(item));
                }
                budget.search(text.content().length(), part.content().length(), line);
                yield text.string().contains(part.string());
            }
            case Mapping mapping ->
                    item instanceof Text key && mapping.entries().containsKey(key.string());
            default -> {
                for (TemplateValue value : elements(container, line)) {
                    if (equal(value, item, line)) {
                        yield true;
                    }
                }
                yield false;
            }
        };
    }

    /** What a loop over the value sees. */
    List<TemplateValue> elements(TemplateValue value, int line) {
        return switch (value) {
            case Items items -> items.values();
            case Undefined undefined -> List.of();
            case Mapping mapping -> {
                budget.steps(mapping.entries().size(), line);
                List<TemplateValue> keys = new ArrayList<>(mapping.entries().size());
                for (String key : mapping.entries().keySet()) {
                    keys.add(mapping.key(key));
                }
                yield keys;
            }
            case Text text -> {
                TrustedText content = text.content();
                budget.steps(content.length(), line);
                List<TemplateValue> characters = new ArrayList<>(content.length());
                for (int i = 0; i < content.length(); ) {
                    int end = i + Character.charCount(content.text().codePointAt(i));
                    characters.add(new Text(content.substring(i, end)));
                    i = end;
                }
                yield characters;
            }
            case TemplateValue.None none -> throw notIterable(value, line);
            case Bool bool -> throw notIterable(value, line);
            case Int whole -> throw notIterable(value, line);
            case Real real -> throw notIterable(value, line);
            case TemplateObject object -> throw notIterable(value, line);
        };
    }

    private static TemplateException notIterable(TemplateValue value, int line) {
        return TemplateException.invalid(line, "%s cannot be iterated over", type(value));
    }

    /** {@code len(value)}. */
    long length(TemplateValue value, int line) {
        return switch (value) {
            case Text text -> text.string().codePointCount(0, text.content().length());
            case Items items -> items.values().size();
            case Mapping mapping -> mapping.entries().size();
            case Undefined undefined -> 0;
            case TemplateValue other ->
                    throw TemplateException.invalid(line, "%s has no length", type(other));
        };
    }

    TemplateValue arithmetic(String operator, TemplateValue left, TemplateValue right, int line) {
        if (left instanceof Undefined || right instanceof Undefined) {
            throw undefined(left instanceof Undefined ? left : right, line);
        }
        if (isNumber(left) && isNumber(right)) {
            return left instanceof Real || right instanceof Real || operator.equals("/")
                    ? realArithmetic(operator, real(left), real(right), line)
                    : wholeArithmetic(operator, whole(left), whole(right), line);
        }
        if (operator.equals("+")
                && left instanceof Items a
                && right instanceof Items b
                && a.tuple() == b.tuple()) {
            budget.steps((long) a.values().size() + b.values().size(), line);
            List<TemplateValue> all = new ArrayList<>(a.values());
            all.addAll(b.values());
            return new Items(List.copyOf(all), a.tuple());
        }
        if (operator.equals("*") && left instanceof Text a && right instanceof Int times) {
            return repeat(a.content(), times.value(), line);
        }
        if (operator.equals("*") && left instanceof Int times && right instanceof Text b) {
            return repeat(b.content(), times.value(), line);
        }
        throw TemplateException.invalid(
                line, "%s %s %s is not defined", type(left), operator, type(right));
    }

    TemplateValue join(List<TrustedText> parts, int line) {
        long length = 0;
        long weight = 0;
        for (TrustedText part : parts) {
            length += part.length();
            weight += part.weight();
        }
        budget.text(length, weight, line);
        return new Text(TrustedText.join(parts));
    }

    private TemplateValue repeat(TrustedText text, long times, int line) {
        long count = Math.max(0, times);
        if (text.length() > 0 && count > Integer.MAX_VALUE) {
            throw TemplateException.limit(line, "a text repeated %d times", times);
        }
        budget.text(text.length() * count, text.weight() * count, line);
        return new Text(
                text.length() == 0
                        ? TrustedText.EMPTY
                        : TrustedText.join(Collections.nCopies((int) count, text)));
    }

    private static TemplateValue wholeArithmetic(String operator, long a, long b, int line) {
        if (b == 0 && (operator.equals("//") || operator.equals("%"))) {
            throw TemplateException.invalid(line, "division by zero");
        }
        try {
            return TemplateValue.of(
                    switch (operator) {
                        case "+" -> Math.addExact(a, b);
                        case "-" -> Math.subtractExact(a, b);
                        case "*" -> Math.multiplyExact(a, b);
                        case "//" -> Math.floorDivExact(a, b);
                        case "%" -> Math.floorMod(a, b);
                        default -> power(a, b, line);
                    });
        } catch (ArithmeticException e) {
            throw TemplateException.unsupported(line, "%s %s %s is beyond 64 bits", a, operator, b);
        }
    }

    private static long power(long base, long exponent, int line) {
        if (exponent < 0) {
            throw TemplateException.unsupported(line, "a negative power of a whole number");
        }
        if (base == 0 || base == 1) {
            return exponent == 0 ? 1 : base;
        }
        if (base == -1) {
            return exponent % 2 == 0 ? 1 : -1;
        }
        long result = 1;
        for (long i = 0; i < exponent; i++) {
            result = Math.multiplyExact(result, base); // overflows within 64 rounds
        }
        return result;
    }

    private static TemplateValue realArithmetic(String operator, double a, double b, int line) {
        if (b == 0 && (operator.equals("/") || operator.equals("//") || operator.equals("%"))) {
            throw TemplateException.invalid(line, "division by zero");
        }
        return TemplateValue.of(
                switch (operator) {
                    case "+" -> a + b;
                    case "-" -> a - b;
                    case "*" -> a * b;
                    case "/" -> a / b;
                    case "//" -> Math.floor(a / b);
                    case "%" -> a - Math.floor(a / b) * b;
                    default -> Math.pow(a, b);
                });
    }

    static boolean isNumber(TemplateValue value) {
        return value instanceof Int || value instanceof Real || value instanceof Bool;
    }

    static double real(TemplateValue number) {
        return number instanceof Real real ? real.value() : whole(number);
    }

    static long whole(TemplateValue number) {
        return switch (number) {
            case Int whole -> whole.value();
            case Bool bool -> bool == Bool.TRUE ? 1 : 0;
            case TemplateValue other ->
                    throw new IllegalStateException("not a number: " + type(other));
        };
    }

    static TemplateException undefined(TemplateValue value, int line) {
        return TemplateException.invalid(
                line, "%s is used as a value; test it with 'is defined'", type(value));
    }
}
