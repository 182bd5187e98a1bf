package dev.flagship.tokenizers;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Evaluated arguments of a call, filter or test.
 *
 * @param what the callee, for messages
 */
record CallArguments(
        String what, int line, List<TemplateValue> positional, Map<String, TemplateValue> named) {

    /** The argument at a place or of a name, or null. */
    @Nullable TemplateValue find(int place, String name) {
        return place < positional.size() ? positional.get(place) : named.get(name);
    }

    TemplateValue required(int place, String name) {
        TemplateValue value = find(place, name);
        if (value == null) {
            throw TemplateException.invalid(line, "%s needs its argument '%s'", what, name);
        }
        return value;
    }

    TrustedText text(int place, String name) {
        if (required(place, name) instanceof TemplateValue.Text text) {
            return text.content();
        }
        throw TemplateException.invalid(
                line,
                "%s needs a str as '%s', not %s",
                what,
                name,
                TemplateOperators.type(required(place, name)));
    }

    long whole(int place, String name, long otherwise) {
        TemplateValue value = find(place, name);
        if (value == null || value == TemplateValue.None.NONE) {
            return otherwise;
        }
        if (value instanceof TemplateValue.Int || value instanceof TemplateValue.Bool) {
            return TemplateOperators.whole(value);
        }
        throw TemplateException.invalid(
                line, "%s needs an int as '%s', not %s", what, name, TemplateOperators.type(value));
    }

    boolean flag(int place, String name, boolean otherwise) {
        TemplateValue value = find(place, name);
        return value == null ? otherwise : TemplateOperators.truth(value);
    }

    /** Refuses arguments that the callee does not know, so that none is ignored. */
    CallArguments allow(String... names) {
        boolean known =
                positional.size() <= names.length && List.of(names).containsAll(named.keySet());
        if (!known) {
            throw TemplateException.unsupported(
                    line,
                    "%s with %d arguments and %s; it takes %s",
                    what,
                    positional.size(),
                    named.keySet(),
                    List.of(names));
        }
        return this;
    }

    /** The same without the first positional argument. */
    CallArguments rest() {
        return new CallArguments(
                what, line, positional.subList(1, positional.size()), new LinkedHashMap<>(named));
    }
}
