package dev.flagship.kernels.x86;

@OnLinuxX86
class X86KernelsAmxTest extends X86KernelsTest {
    @Override
    Isa isa() {
        return Isa.AMX_INT8;
    }
}
