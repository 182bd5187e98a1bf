package dev.flagship.kernels.x86;

@OnLinuxX86
class Int8ProductsAvx2Test extends Int8ProductsTest {
    @Override
    Isa isa() {
        return Isa.AVX2;
    }
}
