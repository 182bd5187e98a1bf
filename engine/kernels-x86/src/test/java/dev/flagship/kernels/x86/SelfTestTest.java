package dev.flagship.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.tensor.DType;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@OnLinuxX86
class SelfTestTest {
    @ParameterizedTest
    @EnumSource
    void allKernelsPass(Isa isa) {
        try (KernelLibrary library = Libraries.load(isa)) {
            assertThat(SelfTest.passing(library)).isEqualTo(Libraries.types(isa));
        }
    }

    @ParameterizedTest
    @EnumSource
    void wrongNumbersDisableTheirTypesOnly(Isa isa) {
        try (KernelLibrary library = Libraries.load(new CorruptingPages(), isa)) {
            assertThat(SelfTest.passing(library)).isEqualTo(Set.of(DType.Q8_0));
        }
    }
}
