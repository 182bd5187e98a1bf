package dev.flagship.nn;

import dev.flagship.tensor.DType;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.Tensor;

/** A decoder that predicts the next token. */
public interface CausalLm {

    /**
     * Runs the rows of a step.
     *
     * @return logits (rows asked for, V), alive until the step's frame closes
     */
    Tensor forward(Step step);

    /** The pages that this model's keys and values need. */
    KvLayout kvLayout(DType type);

    int vocabularySize();
}
