package dev.flagship.kernels.x86;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.function.Consumer;

/**
 * Pages in which one instruction is another wherever it stands: as a processor would compute that
 * gets it wrong.
 */
final class CorruptingPages implements Pages {
    private final Pages real = new LinuxPages();
    private final byte[] right;
    private final byte[] wrong;

    /** The constant of the 4-bit kernels loses its highest bits. */
    CorruptingPages() {
        this(asm -> asm.mov32(Gp.RAX, 0x0F0F0F0F), asm -> asm.mov32(Gp.RAX, 0x07070707));
    }

    /** Both instructions are of one length. */
    CorruptingPages(Consumer<Assembler> right, Consumer<Assembler> wrong) {
        this.right = assembled(right);
        this.wrong = assembled(wrong);
    }

    /** What follows the first widening in {@code vcvtph2ps} is that of {@code vpmovzxwd}. */
    static CorruptingPages widening(Isa isa) {
        Mem second = Mem.at(Gp.RSI, isa.bytes() / 2);
        return new CorruptingPages(
                asm -> asm.op(VectorOp.VCVTPH2PS, isa.register(1), second),
                asm -> asm.op(VectorOp.VPMOVZXWD, isa.register(1), second));
    }

    private static byte[] assembled(Consumer<Assembler> instruction) {
        Assembler asm = new Assembler();
        instruction.accept(asm);
        return asm.bytes();
    }

    @Override
    public long reserve(long bytes) {
        return real.reserve(bytes);
    }

    @Override
    public int protect(long address, long bytes, Access access) {
        if (access == Access.READ_EXECUTE) {
            MemorySegment pages = MemorySegment.ofAddress(address).reinterpret(bytes);
            byte[] code = pages.toArray(ValueLayout.JAVA_BYTE);
            for (int at = 0; at <= code.length - right.length; at++) {
                if (Arrays.equals(code, at, at + right.length, right, 0, right.length)) {
                    MemorySegment.copy(wrong, 0, pages, ValueLayout.JAVA_BYTE, at, wrong.length);
                }
            }
        }
        return real.protect(address, bytes, access);
    }

    @Override
    public void release(long address, long bytes) {
        real.release(address, bytes);
    }
}
