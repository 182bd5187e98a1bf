package dev.flagship.tokenizers;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Values that exist only while a template runs: what it can call, and the two objects with
 * attributes of their own.
 */
sealed interface TemplateObject extends TemplateValue {

    /** For the text of an error or an accidental output. */
    String description();

    /** A function that templates find by name. */
    enum Function implements TemplateObject {
        RANGE,
        DICT,
        NAMESPACE,
        RAISE_EXCEPTION,
        STRFTIME_NOW;

        @Override
        public String description() {
            return "function " + name().toLowerCase(java.util.Locale.ROOT);
        }
    }

    /** A method of a text, list or dictionary. */
    record Method(TemplateValue receiver, String name) implements TemplateObject {
        @Override
        public String description() {
            return "method " + name;
        }
    }

    /** A macro and the variables that it sees. */
    record Macro(TemplateSyntax.MacroDefinition definition, TemplateScope scope)
            implements TemplateObject {
        @Override
        public String description() {
            return "macro " + definition.name();
        }
    }

    /** Attributes that an inner scope may change. */
    record Namespace(Map<String, TemplateValue> attributes) implements TemplateObject {
        Namespace() {
            this(new HashMap<>());
        }

        @Override
        public String description() {
            return "namespace";
        }
    }

    /** {@code loop}. */
    record Loop(List<TemplateValue> items, int index) implements TemplateObject {
        @Override
        public String description() {
            return "loop";
        }
    }
}
