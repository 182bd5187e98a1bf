package dev.flagship.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.tensor.DType;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@OnLinuxX86
class SelfTestTest {
    @ParameterizedTest
    @EnumSource
    void wrongNumbersDisableTheirTypesOnly(Isa isa) {
        try (KernelLibrary library = Libraries.load(new CorruptingPages(), isa)) {
            assertThat(SelfTest.passing(library)).isEqualTo(Set.of(DType.Q8_0, DType.Q3_K));
        }
    }

    /** A chosen tile is tried as the usual one is. */
    @ParameterizedTest
    @EnumSource
    void allKernelsOfEveryTilePass(Isa isa) {
        for (Tuning tuning : Libraries.everyTile(isa)) {
            try (KernelLibrary library = Libraries.load(new LinuxPages(), isa, tuning)) {
                assertThat(SelfTest.passing(library)).isEqualTo(ProductKernel.TYPES);
                assertThat(FloatSelfTest.passing(library)).isEqualTo(FloatProducts.TYPES);
            }
        }
    }

    @Test
    void aWrongWideningDisablesItsTypeOnly() {
        CorruptingPages pages =
                new CorruptingPages(
                        asm -> asm.mov32(Gp.RAX, 0xFFFF0000), asm -> asm.mov32(Gp.RAX, 0xFFFE0000));
        try (KernelLibrary library = Libraries.load(pages)) {
            Set<DType> others = EnumSet.copyOf(FloatProducts.TYPES);
            others.remove(DType.BF16);
            assertThat(FloatSelfTest.passing(library)).isEqualTo(others);
            assertThat(SelfTest.passing(library)).isEqualTo(ProductKernel.TYPES);
        }
    }
}
