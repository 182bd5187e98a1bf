package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.Gp.*;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The first emitted code of a process: CPUID and XGETBV, which no Java API offers. That it can be
 * placed proves that the host allows executable memory.
 */
final class CpuProbe {
    private CpuProbe() {}

    /** What the probe found. */
    sealed interface Result {}

    record Found(CpuFeatures features) implements Result {}

    record NoExecutableMemory(CodeMemory.Refused refused) implements Result {}

    static Result run(Pages pages) {
        byte[] cpuid = cpuid();
        byte[] xgetbv = xgetbv();
        byte[] both = new byte[cpuid.length + xgetbv.length];
        System.arraycopy(cpuid, 0, both, 0, cpuid.length);
        System.arraycopy(xgetbv, 0, both, cpuid.length, xgetbv.length);
        return switch (CodeMemory.place(pages, both)) {
            case CodeMemory.Refused refused -> new NoExecutableMemory(refused);
            case CodeMemory.Placed placed -> {
                try (CodeMemory memory = placed.memory();
                        Arena arena = Arena.ofConfined()) {
                    MemorySegment params = arena.allocate(ValueLayout.JAVA_INT, 4);
                    CpuFeatures.Cpuid words =
                            (leaf, subleaf) -> {
                                params.setAtIndex(ValueLayout.JAVA_INT, 0, leaf);
                                params.setAtIndex(ValueLayout.JAVA_INT, 2, subleaf);
                                Downcall.call(memory.entry(0), params.address());
                                return words(params);
                            };
                    CpuFeatures.Xcr0 xcr0 =
                            () -> {
                                Downcall.call(memory.entry(cpuid.length), params.address());
                                return Integer.toUnsignedLong(words(params).eax());
                            };
                    CpuFeatures features = CpuFeatures.from(words, xcr0);
                    boolean amx = features.amxInt8() && TileRegisters.permitted();
                    yield new Found(amx ? features : features.withoutAmx());
                }
            }
        };
    }

    private static CpuFeatures.Words words(MemorySegment params) {
        return new CpuFeatures.Words(
                params.getAtIndex(ValueLayout.JAVA_INT, 0),
                params.getAtIndex(ValueLayout.JAVA_INT, 1),
                params.getAtIndex(ValueLayout.JAVA_INT, 2),
                params.getAtIndex(ValueLayout.JAVA_INT, 3));
    }

    /** Words eax, ebx, ecx, edx: leaf and subleaf come in the first and third, all four go out. */
    private static byte[] cpuid() {
        Assembler asm = new Assembler();
        asm.endbr64();
        asm.push(RBX);
        asm.mov32(RAX, Mem.at(RDI));
        asm.mov32(RCX, Mem.at(RDI, 8));
        asm.cpuid();
        asm.mov32(Mem.at(RDI), RAX);
        asm.mov32(Mem.at(RDI, 4), RBX);
        asm.mov32(Mem.at(RDI, 8), RCX);
        asm.mov32(Mem.at(RDI, 12), RDX);
        asm.pop(RBX);
        asm.ret();
        return asm.bytes();
    }

    private static byte[] xgetbv() {
        Assembler asm = new Assembler();
        asm.endbr64();
        asm.xor(RCX, RCX);
        asm.xgetbv();
        asm.mov32(Mem.at(RDI), RAX);
        asm.ret();
        return asm.bytes();
    }
}
