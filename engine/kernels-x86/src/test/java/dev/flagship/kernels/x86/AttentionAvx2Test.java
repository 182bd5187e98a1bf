package dev.flagship.kernels.x86;

@OnLinuxX86
class AttentionAvx2Test extends AttentionTest {
    @Override
    Isa isa() {
        return Isa.AVX2;
    }
}
