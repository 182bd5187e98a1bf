package dev.flagship.kernels.x86;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.flagship.tensor.DType;
import java.util.Arrays;
import java.util.Set;
import java.util.stream.Collectors;

/** Placed kernels for tests, which are skipped where the processor cannot run them. */
final class Libraries {
    static final Set<DType> ALL_TYPES =
            Arrays.stream(DType.values())
                    .filter(DType::quantized)
                    .collect(Collectors.toUnmodifiableSet());

    private Libraries() {}

    static KernelLibrary load() {
        return load(new LinuxPages());
    }

    static KernelLibrary load(Pages pages) {
        CpuFeatures features = ((CpuProbe.Found) CpuProbe.run(new LinuxPages())).features();
        assumeTrue(features.lackingForAvx512().isEmpty(), "no AVX-512 VNNI here");
        return ((KernelLibrary.Loaded) KernelLibrary.load(pages, Tuning.DEFAULT)).library();
    }
}
