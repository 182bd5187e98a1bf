package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.Vec.ymm;
import static dev.flagship.kernels.x86.Vec.zmm;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.EnumSet;
import org.junit.jupiter.api.Test;

@OnLinuxX86
class PointwiseSelfTestTest {
    @Test
    void allKernelsPass() {
        try (KernelLibrary library = Libraries.load()) {
            assertThat(PointwiseSelfTest.passing(library))
                    .containsExactlyInAnyOrder(PointwiseKernel.values());
        }
    }

    @Test
    void wrongNumbersDisableTheirKernelOnly() {
        // An instruction that only the exponential of SWIGLU has with these registers.
        Pages pages =
                new CorruptingPages(
                        asm -> asm.op(VectorOp.VPSLLD, zmm(2), zmm(2), 23),
                        asm -> asm.op(VectorOp.VPSLLD, zmm(2), zmm(2), 22));
        try (KernelLibrary library = Libraries.load(pages)) {
            assertThat(PointwiseSelfTest.passing(library))
                    .containsExactlyInAnyOrderElementsOf(
                            EnumSet.complementOf(EnumSet.of(PointwiseKernel.SWIGLU)));
        }
    }

    @Test
    void aRestThatIsNotStoredIsNoticed() {
        // The stores under the mask of the tail become loads.
        for (int register : new int[] {0, 1}) {
            Pages pages =
                    new CorruptingPages(
                            asm -> maskedStore(asm, register), asm -> maskedLoad(asm, register));
            try (KernelLibrary library = Libraries.load(pages)) {
                assertThat(PointwiseSelfTest.passing(library))
                        .doesNotContain(
                                register == 0
                                        ? new PointwiseKernel[] {
                                            PointwiseKernel.RELU, PointwiseKernel.SWIGLU
                                        }
                                        : new PointwiseKernel[] {PointwiseKernel.RMS_NORM});
            }
        }
    }

    @Test
    void aRestThatIsNotStoredIsNoticedWithoutMasks() {
        // Of the first half of a tail, from the register that each holds it in.
        for (int register : new int[] {0, 2}) {
            Pages pages =
                    new CorruptingPages(
                            asm -> storeByLanes(asm, register), asm -> loadByLanes(asm, register));
            try (KernelLibrary library = Libraries.load(pages, Isa.AVX2)) {
                assertThat(PointwiseSelfTest.passing(library))
                        .doesNotContain(
                                register == 0 ? PointwiseKernel.RELU : PointwiseKernel.RMS_NORM);
            }
        }
    }

    private static void storeByLanes(Assembler asm, int register) {
        asm.store(VectorOp.VMASKMOVPS_STORE, Mem.at(Gp.RCX, Gp.R8, 1), ymm(15), ymm(register));
    }

    private static void loadByLanes(Assembler asm, int register) {
        asm.op(VectorOp.VMASKMOVPS, ymm(register), ymm(15), Mem.at(Gp.RCX, Gp.R8, 1));
    }

    private static void maskedStore(Assembler asm, int register) {
        asm.store(
                VectorOp.VMOVUPS_STORE,
                Mem.at(Gp.RCX, Gp.R8, 1).masked(new KMask(1)),
                zmm(register));
    }

    private static void maskedLoad(Assembler asm, int register) {
        asm.op(VectorOp.VMOVUPS, zmm(register).merging(new KMask(1)), Mem.at(Gp.RCX, Gp.R8, 1));
    }
}
