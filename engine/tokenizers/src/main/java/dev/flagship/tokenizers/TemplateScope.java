package dev.flagship.tokenizers;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Variables of a template, a loop's round, a macro's call or a block; inner ones see outer ones but
 * do not change them.
 */
final class TemplateScope {
    private final @Nullable TemplateScope outer;
    private final Map<String, TemplateValue> variables = new HashMap<>();

    TemplateScope(@Nullable TemplateScope outer) {
        this.outer = outer;
    }

    void set(String name, TemplateValue value) {
        variables.put(name, value);
    }

    /** The variable, or an undefined value that knows its name. */
    TemplateValue get(String name) {
        for (TemplateScope scope = this; scope != null; scope = scope.outer) {
            TemplateValue value = scope.variables.get(name);
            if (value != null) {
                return value;
            }
        }
        return new TemplateValue.Undefined(name);
    }
}
