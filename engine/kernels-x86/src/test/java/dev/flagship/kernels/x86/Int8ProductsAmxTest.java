package dev.flagship.kernels.x86;

@OnLinuxX86
class Int8ProductsAmxTest extends Int8ProductsTest {
    @Override
    Isa isa() {
        return Isa.AMX_INT8;
    }
}
