package dev.flagship.kernels.x86;

@OnLinuxX86
class FloatProductsAvx2Test extends FloatProductsTest {
    @Override
    Isa isa() {
        return Isa.AVX2;
    }
}
