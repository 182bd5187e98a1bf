package dev.flagship.kernels.x86;

@OnLinuxX86
class X86KernelsAvx2Test extends X86KernelsTest {
    @Override
    Isa isa() {
        return Isa.AVX2;
    }
}
