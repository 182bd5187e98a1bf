package dev.flagship.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.tensor.DType;
import java.util.Set;
import org.junit.jupiter.api.Test;

@OnLinuxX86
class SelfTestTest {
    @Test
    void allKernelsPass() {
        try (KernelLibrary library = Libraries.load()) {
            assertThat(SelfTest.passing(library)).isEqualTo(Libraries.ALL_TYPES);
        }
    }

    @Test
    void wrongNumbersDisableTheirTypesOnly() {
        try (KernelLibrary library = Libraries.load(new CorruptingPages())) {
            assertThat(SelfTest.passing(library)).isEqualTo(Set.of(DType.Q8_0));
        }
    }
}
