package dev.flagship.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

class CpuFeaturesTest {
    private static final int OSXSAVE = 1 << 27;
    private static final int AVX = 1 << 28;

    /** Every flag set; the operating system decides. */
    private static CpuFeatures.Words everything(int leaf, int subleaf) {
        return new CpuFeatures.Words(leaf == 0 ? 0x20 : -1, -1, -1, -1);
    }

    /** A processor that has everything, under a system that saves these registers. */
    static CpuFeatures withXcr0(long xcr0) {
        return CpuFeatures.from(CpuFeaturesTest::everything, () -> xcr0);
    }

    /** The same without AVX-VNNI. */
    static CpuFeatures withoutAvxVnni(long xcr0) {
        return CpuFeatures.from(
                (leaf, subleaf) ->
                        leaf == 7 && subleaf == 1
                                ? new CpuFeatures.Words(~(1 << 4), -1, -1, -1)
                                : everything(leaf, subleaf),
                () -> xcr0);
    }

    @Test
    void allOfItWhereTheSystemSavesAllRegisters() {
        CpuFeatures all = withXcr0(0b1110_0111);
        assertThat(all.lackingForAvx512()).isEmpty();
        assertThat(all.avx2() && all.fma() && all.f16c() && all.avxVnni() && all.avx512Bf16())
                .isTrue();
    }

    @Test
    void noAvx512WhereTheSystemDoesNotSaveItsRegisters() {
        for (long xcr0 : new long[] {0b0000_0111, 0b0110_0111, 0b1100_0111, 0b1010_0111}) {
            CpuFeatures features = withXcr0(xcr0);
            assertThat(features.avx2()).isTrue();
            assertThat(features.avx512f() || features.avx512Vnni() || features.avx512Bf16())
                    .as("XCR0 %x", xcr0)
                    .isFalse();
        }
    }

    @Test
    void noTilesWhereTheSystemDoesNotSaveThem() {
        assertThat(withXcr0(0x6_00E7).lackingForAmx()).isEmpty();
        for (long xcr0 : new long[] {0xE7, 0x2_00E7, 0x4_00E7}) {
            assertThat(withXcr0(xcr0).lackingForAmx()).containsExactly("AMX-INT8");
        }
        CpuFeatures refused = withXcr0(0x6_00E7).withoutAmx();
        assertThat(refused.lackingForAmx()).containsExactly("AMX-INT8");
        assertThat(refused.lackingForAvx512()).isEmpty();
    }

    @Test
    void noAvxWhereTheSystemDoesNotSaveItsRegisters() {
        for (long xcr0 : new long[] {0, 0b011, 0b101, 0b1110_0011}) {
            CpuFeatures features = withXcr0(xcr0);
            assertThat(features.avx2() || features.fma() || features.avxVnni()).isFalse();
            assertThat(features.lackingForAvx512()).hasSize(5);
        }
    }

    @Test
    void xcr0IsNotReadWithoutOsxsave() {
        CpuFeatures features =
                CpuFeatures.from(
                        (leaf, _) ->
                                leaf == 1
                                        ? new CpuFeatures.Words(-1, -1, ~OSXSAVE, -1)
                                        : everything(leaf, 0),
                        () -> {
                            throw new AssertionError("an illegal instruction");
                        });
        assertThat(features.avx2()).isFalse();
    }

    @Test
    void leavesThatTheProcessorDoesNotHaveAreNotAsked() {
        CpuFeatures features =
                CpuFeatures.from(
                        (leaf, subleaf) ->
                                switch (leaf) {
                                    case 0 -> new CpuFeatures.Words(7, 0, 0, 0);
                                    case 1 -> new CpuFeatures.Words(0, 0, OSXSAVE | AVX, 0);
                                    default -> {
                                        assertThat(subleaf).isZero();
                                        yield new CpuFeatures.Words(0, -1, -1, -1);
                                    }
                                },
                        () -> 0xE7);
        assertThat(features.avx512Vnni()).isTrue();
        assertThat(features.avxVnni()).isFalse();
        CpuFeatures old =
                CpuFeatures.from(
                        (leaf, _) -> {
                            assertThat(leaf).isLessThan(2);
                            return leaf == 0
                                    ? new CpuFeatures.Words(6, 0, 0, 0)
                                    : new CpuFeatures.Words(-1, -1, -1, -1);
                        },
                        () -> 0xE7);
        assertThat(old.avx2()).isFalse();
        assertThat(old.fma()).isTrue();
    }

    @Test
    void namesEachFeatureThatIsMissing() {
        CpuFeatures features =
                CpuFeatures.from(
                        (leaf, subleaf) ->
                                leaf == 7
                                        ? new CpuFeatures.Words(1, ~(1 << 17), ~(1 << 11), 0)
                                        : everything(leaf, subleaf),
                        () -> 0xE7);
        assertThat(features.lackingForAvx512()).isEqualTo(List.of("AVX-512 DQ", "AVX-512 VNNI"));
        CpuFeatures older =
                CpuFeatures.from(
                        (leaf, subleaf) ->
                                switch (leaf) {
                                    case 1 -> new CpuFeatures.Words(-1, -1, ~(1 << 12), -1);
                                    case 7 -> new CpuFeatures.Words(0, ~(1 << 5), -1, -1);
                                    default -> everything(leaf, subleaf);
                                },
                        () -> 0xE7);
        assertThat(older.lackingForAvx2(false)).isEqualTo(List.of("AVX2", "FMA"));
        assertThat(older.lackingForAvx2(true)).isEqualTo(List.of("AVX2", "FMA", "AVX-VNNI"));
        CpuFeatures nothing = withXcr0(0);
        assertThat(nothing.lackingForAvx2(false)).isEqualTo(List.of("AVX2", "FMA", "F16C"));
    }

    @OnLinuxX86
    @Nested
    class OfThisMachine {
        @Test
        void agreeWithTheKernels() throws IOException {
            CpuFeatures found = ((CpuProbe.Found) CpuProbe.run(new LinuxPages())).features();
            String flags =
                    Files.readAllLines(Path.of("/proc/cpuinfo")).stream()
                                    .filter(line -> line.startsWith("flags"))
                                    .findFirst()
                                    .orElseThrow()
                            + " ";
            assertThat(found.avx2()).isEqualTo(flags.contains(" avx2 "));
            assertThat(found.fma()).isEqualTo(flags.contains(" fma "));
            assertThat(found.f16c()).isEqualTo(flags.contains(" f16c "));
            assertThat(found.avxVnni()).isEqualTo(flags.contains(" avx_vnni "));
            assertThat(found.avx512f()).isEqualTo(flags.contains(" avx512f "));
            assertThat(found.avx512bw()).isEqualTo(flags.contains(" avx512bw "));
            assertThat(found.avx512dq()).isEqualTo(flags.contains(" avx512dq "));
            assertThat(found.avx512vl()).isEqualTo(flags.contains(" avx512vl "));
            assertThat(found.avx512Vnni()).isEqualTo(flags.contains(" avx512_vnni "));
            assertThat(found.avx512Bf16()).isEqualTo(flags.contains(" avx512_bf16 "));
        }

        @Test
        void areNotLookedForWithoutExecutableMemory() {
            RefusingPages pages = new RefusingPages(Pages.Access.READ_EXECUTE);
            assertThat(CpuProbe.run(pages)).isInstanceOf(CpuProbe.NoExecutableMemory.class);
            assertThat(pages.held()).isZero();
        }
    }
}
