package dev.flagship.kernels.x86;

@OnLinuxX86
class PointwiseAvx2Test extends PointwiseTest {
    @Override
    Isa isa() {
        return Isa.AVX2;
    }
}
