/** Layers, RoPE, paged KV cache and the step. */
module dev.flagship.nn {
    requires transitive dev.flagship.tensor;

    exports dev.flagship.nn;
}
