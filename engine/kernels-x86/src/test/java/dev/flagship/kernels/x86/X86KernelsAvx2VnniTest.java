package dev.flagship.kernels.x86;

@OnLinuxX86
class X86KernelsAvx2VnniTest extends X86KernelsTest {
    @Override
    Isa isa() {
        return Isa.AVX2_VNNI;
    }
}
