/** The Vector API rung: the only importer of {@code jdk.incubator.vector}. */
module dev.flagship.kernels.vector {
    requires dev.flagship.tensor;
    requires static jdk.incubator.vector;

    provides dev.flagship.tensor.KernelsProvider with
            dev.flagship.kernels.vector.VectorKernelsProvider;
    provides dev.flagship.tensor.LimitsProbe with
            dev.flagship.kernels.vector.MachineLimits;
}
