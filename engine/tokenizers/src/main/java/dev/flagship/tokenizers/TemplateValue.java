package dev.flagship.tokenizers;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a template's variables hold: JSON's kinds, and some that only templates make. Immutable. No
 * Java object is reachable from a template, because there is nothing here that could hold one.
 */
public sealed interface TemplateValue
        permits TemplateValue.None,
                TemplateValue.Undefined,
                TemplateValue.Bool,
                TemplateValue.Int,
                TemplateValue.Real,
                TemplateValue.Text,
                TemplateValue.Items,
                TemplateValue.Mapping,
                TemplateObject {

    /** Text from outside, such as a message: control tokens spelled in it stay text. */
    static TemplateValue of(String text) {
        return new Text(TrustedText.untrusted(text));
    }

    /**
     * Text that the operator vouches for, such as the model's begin token: control tokens spelled
     * in it count.
     */
    static TemplateValue trusted(String text) {
        return new Text(TrustedText.trusted(text));
    }

    /** A truth value. */
    static TemplateValue of(boolean value) {
        return value ? Bool.TRUE : Bool.FALSE;
    }

    /** A whole number. */
    static TemplateValue of(long value) {
        return new Int(value);
    }

    /** A number. */
    static TemplateValue of(double value) {
        return new Real(value);
    }

    /** Values in order. */
    static TemplateValue list(List<? extends TemplateValue> values) {
        return new Items(List.copyOf(values), false);
    }

    /** Values by name, in the map's order. */
    static TemplateValue map(Map<String, ? extends TemplateValue> values) {
        return new Mapping(new LinkedHashMap<>(values), false);
    }

    /** Python's {@code None}, JSON's {@code null}. */
    static TemplateValue none() {
        return None.NONE;
    }

    /**
     * The value of a JSON text; its strings and names are from outside.
     *
     * @throws TokenizerException if it is not JSON, deeper than 64 levels or larger than a million
     *     values
     */
    static TemplateValue parseJson(String json) {
        return Json.parse(json);
    }

    /** {@code None}. */
    enum None implements TemplateValue {
        NONE
    }

    /** A name without a value: empty as text, false, without elements. */
    record Undefined(String name) implements TemplateValue {}

    /** {@code True} or {@code False}. */
    enum Bool implements TemplateValue {
        FALSE,
        TRUE
    }

    /** A whole number. */
    record Int(long value) implements TemplateValue {}

    /** A floating-point number. */
    record Real(double value) implements TemplateValue {}

    /** Text whose characters remember where they came from. */
    final class Text implements TemplateValue {
        private final TrustedText content;

        Text(TrustedText content) {
            this.content = content;
        }

        TrustedText content() {
            return content;
        }

        String string() {
            return content.text();
        }

        @Override
        public String toString() {
            return content.text();
        }
    }

    /**
     * A list or a tuple.
     *
     * @param tuple whether Python would call it a tuple
     */
    record Items(List<TemplateValue> values, boolean tuple) implements TemplateValue {}

    /**
     * A dictionary with names as keys.
     *
     * @param trustedKeys whether the template itself wrote all names
     */
    record Mapping(Map<String, TemplateValue> entries, boolean trustedKeys)
            implements TemplateValue {
        public Mapping {
            entries =
                    entries.isEmpty()
                            ? Map.of() // files can ask for a million
                            : Collections.unmodifiableMap(new LinkedHashMap<>(entries));
        }

        TemplateValue key(String name) {
            return new Text(TrustedText.of(name, trustedKeys));
        }
    }
}
