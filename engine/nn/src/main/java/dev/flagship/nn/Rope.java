package dev.flagship.nn;

import static dev.flagship.base.Check.check;

import dev.flagship.tensor.RopeTable;
import dev.flagship.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * Rotary position embedding (arXiv:2104.09864) in the convention of Hugging Face's files: element i
 * of a head is paired with element i + E/2.
 */
public final class Rope {

    /** How frequencies are stretched for contexts longer than the model was first trained on. */
    public sealed interface Scaling {
        /** Frequencies as they are. */
        record None() implements Scaling {}

        /**
         * Llama 3.1 (arXiv:2407.21783): long wavelengths are divided by {@code factor}, short ones
         * kept, those between blended.
         *
         * @param originalContext tokens of the first training
         */
        record Llama3(float factor, float lowFrequency, float highFrequency, int originalContext)
                implements Scaling {
            public Llama3 {
                check(
                        factor >= 1
                                && Float.isFinite(factor)
                                && lowFrequency > 0
                                && highFrequency >= lowFrequency
                                && Float.isFinite(highFrequency)
                                && originalContext > 0,
                        "llama3 rope scaling: factor %s, low %s, high %s, original context %s",
                        factor,
                        lowFrequency,
                        highFrequency,
                        originalContext);
            }
        }

        /**
         * Each pair's frequency divided by its own number, as GGUF stores it in {@code
         * rope_freqs.weight}.
         */
        record Divisors(List<Float> values) implements Scaling {
            public Divisors {
                values = List.copyOf(values);
                for (int i = 0; i < values.size(); i++) {
                    float divisor = values.get(i);
                    if (!(divisor > 0 && Float.isFinite(divisor))) { // boxed only for an error
                        check(
                                false,
                                "rope divisor %s of pair %s is not a positive number",
                                divisor,
                                i);
                    }
                }
            }
        }
    }

    private final RopeTable table;

    /**
     * @param headSize E, even
     * @param theta base of the frequencies, at least 1
     * @throws dev.flagship.base.InvalidArgumentException if they give a pair no usable frequency
     */
    public Rope(int headSize, float theta, Scaling scaling) {
        this.table = new RopeTable(inverseFrequencies(headSize, theta, scaling));
    }

    /** Angle per position of each pair, in F32 as the reference computes it. */
    static float[] inverseFrequencies(int headSize, float theta, Scaling scaling) {
        check(headSize > 0 && headSize % 2 == 0, "rope needs an even head size, not %s", headSize);
        check(theta >= 1 && Float.isFinite(theta), "rope theta %s is below 1 or no number", theta);
        float[] frequencies = new float[headSize / 2];
        for (int i = 0; i < frequencies.length; i++) {
            float exponent = 2f * i / headSize;
            float base = 1f / (float) Math.pow(theta, exponent);
            frequencies[i] =
                    switch (scaling) {
                        case Scaling.None() -> base;
                        case Scaling.Llama3 llama3 -> scaled(base, llama3);
                        case Scaling.Divisors(var values) -> divided(base, values, i, headSize);
                    };
            check(
                    frequencies[i] > 0
                            && Float.isFinite(frequencies[i])
                            && Float.isFinite(base / frequencies[i]),
                    "rope theta %s and scaling %s give pair %s of %s the frequency %s",
                    theta,
                    scaling,
                    i,
                    frequencies.length,
                    frequencies[i]);
        }
        return frequencies;
    }

    /**
     * What a scaling divides each pair's frequency by (E/2), in F32.
     *
     * @throws dev.flagship.base.InvalidArgumentException as the constructor does
     */
    public static List<Float> divisors(int headSize, float theta, Scaling scaling) {
        float[] scaled = inverseFrequencies(headSize, theta, scaling);
        if (scaling instanceof Scaling.Divisors(var values)) {
            return values; // quotients would differ from them in the last bit
        }
        float[] base = inverseFrequencies(headSize, theta, new Scaling.None());
        List<Float> divisors = new ArrayList<>();
        for (int i = 0; i < base.length; i++) {
            divisors.add(base[i] / scaled[i]);
        }
        return divisors;
    }

    private static float scaled(float frequency, Scaling.Llama3 s) {
        float wavelength = (float) (2 * Math.PI) / frequency;
        if (wavelength < s.originalContext / s.highFrequency) {
            return frequency;
        }
        if (wavelength > s.originalContext / s.lowFrequency) {
            return frequency / s.factor;
        }
        float smooth =
                (s.originalContext / wavelength - s.lowFrequency)
                        / (s.highFrequency - s.lowFrequency);
        return (1 - smooth) * frequency / s.factor + smooth * frequency;
    }

    private static float divided(float frequency, List<Float> divisors, int pair, int headSize) {
        check(
                divisors.size() == headSize / 2,
                "rope has %s divisors for %s pairs",
                divisors.size(),
                headSize / 2);
        return frequency / divisors.get(pair);
    }

    /** Rotates every head of x (T, H, E) in place. */
    public void rotate(Tensor x, Step step) {
        table.ensure(step.lastPosition() + 1);
        x.scratch().kernels().rope(x, table, step.positions());
    }
}
