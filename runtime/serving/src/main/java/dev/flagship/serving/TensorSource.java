package dev.flagship.serving;

import dev.flagship.formats.TensorEntry;
import java.util.function.IntUnaryOperator;

/**
 * A tensor of a file under its Hugging Face name.
 *
 * @param name full path with {@code .weight}
 * @param rowOrder the file's row for each row of the model
 */
record TensorSource(String name, TensorEntry entry, IntUnaryOperator rowOrder) {

    static TensorSource of(String name, TensorEntry entry) {
        return new TensorSource(name, entry, IntUnaryOperator.identity());
    }

    /** A vector is kept as plain F32. */
    boolean vector() {
        return entry.shape().size() < 2;
    }
}
