/** Off-heap tensors, the Kernels SPI, the scalar rung and the thread team. */
module dev.flagship.tensor {
    requires transitive dev.flagship.base;

    exports dev.flagship.tensor;

    uses dev.flagship.tensor.KernelsProvider;
    uses dev.flagship.tensor.LimitsProbe;
}
