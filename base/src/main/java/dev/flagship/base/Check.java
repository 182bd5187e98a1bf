package dev.flagship.base;

import com.google.errorprone.annotations.FormatMethod;
import com.google.errorprone.annotations.FormatString;
import org.jspecify.annotations.Nullable;

/** Argument checks whose messages carry the values that failed. */
public final class Check {
    private Check() {}

    /**
     * Requires a condition.
     *
     * @throws InvalidArgumentException with the formatted message, if the condition is false
     */
    @FormatMethod
    public static void check(
            boolean condition, @FormatString String message, @Nullable Object... values) {
        if (!condition) {
            throw new InvalidArgumentException(message.formatted(values));
        }
    }
}
