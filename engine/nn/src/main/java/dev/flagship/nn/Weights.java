package dev.flagship.nn;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.Tensor;

/**
 * A model's weights by their Hugging Face names, seen from one place of the tree: {@code
 * w.at("model.layers.3")}. Every request states the shape it expects; a mismatch names the tensor,
 * both shapes and the file.
 */
public interface Weights {

    /** The same weights seen from a deeper place; names are joined by a dot. */
    Weights at(String name);

    /** {@code name.weight} as a matrix [out, in]. */
    BandMatrix matrix(String name, int out, int in);

    /** {@code name.weight} as F32 numbers (1, size). */
    Tensor vector(String name, int size);

    /** A layer without bias over {@code name.weight} [out, in]. */
    default Linear linear(String name, int out, int in) {
        return Linear.of(matrix(name, out, in));
    }

    /** A norm over {@code name.weight} (size). */
    default RmsNorm rmsNorm(String name, int size, float eps) {
        return new RmsNorm(vector(name, size), eps);
    }
}
