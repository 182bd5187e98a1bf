package dev.flagship.serving;

import dev.flagship.nn.Rope;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Collections;
import java.util.List;

/**
 * How positions turn queries and keys, in words that every container has: a GGUF file tells what
 * each frequency is divided by, and not by which rule.
 *
 * @param theta base of the frequencies
 * @param leastDivisor the least that a frequency is divided by, to five digits: converters compute
 *     with other precisions
 * @param greatestDivisor the greatest, likewise; where both are alike, positions are divided by it
 * @param assumed whether no file tells the scaling's factor, and it is taken from Hugging Face's
 *     conversions
 */
public record Rotary(float theta, float leastDivisor, float greatestDivisor, boolean assumed) {
    private static final MathContext DIGITS = new MathContext(5);

    static Rotary of(ModelSource source) {
        var c = source.config();
        List<Float> divisors = Rope.divisors(c.headSize(), c.theta(), c.scaling());
        return new Rotary(
                c.theta(),
                rounded(Collections.min(divisors)),
                rounded(Collections.max(divisors)),
                source.assumed().contains(ModelSource.Assumed.SCALING));
    }

    private static float rounded(float value) {
        return new BigDecimal(value).round(DIGITS).floatValue();
    }

    /** For people. */
    public String text() {
        String base = "base " + plain(theta);
        if (leastDivisor == 1 && greatestDivisor == 1) {
            return base;
        }
        String scaling =
                leastDivisor == greatestDivisor
                        ? "positions divided by " + plain(greatestDivisor)
                        : "frequencies divided by %s to %s"
                                .formatted(plain(leastDivisor), plain(greatestDivisor));
        String hint =
                assumed
                        ? " (as in Hugging Face's conversions; params.json has no rope_scaling_factor)"
                        : "";
        return base + ", " + scaling + hint;
    }

    /** Without the zero after the point of a whole number. */
    private static String plain(float value) {
        return value == (long) value ? Long.toString((long) value) : Float.toString(value);
    }
}
