package dev.flagship.kernels.x86;

@OnLinuxX86
class Int8ProductsAvx2VnniTest extends Int8ProductsTest {
    @Override
    Isa isa() {
        return Isa.AVX2_VNNI;
    }
}
