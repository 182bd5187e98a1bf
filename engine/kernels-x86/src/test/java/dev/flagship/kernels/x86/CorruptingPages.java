package dev.flagship.kernels.x86;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HexFormat;

/** Pages in which some bytes of code become others: as if a processor got one instruction wrong. */
final class CorruptingPages implements Pages {
    private final Pages real = new LinuxPages();
    private final byte[] right;
    private final byte[] wrong;

    /** The constant of the 4-bit kernels, {@code mov eax, 0x0F0F0F0F}, loses its highest bits. */
    CorruptingPages() {
        this("b80f0f0f0f", "b807070707");
    }

    private CorruptingPages(String right, String wrong) {
        this.right = HexFormat.of().parseHex(right);
        this.wrong = HexFormat.of().parseHex(wrong);
    }

    /** The last bytes of {@code vcvtph2ps zmm1, [rsi + 32]} become those of {@code vpmovzxwd}. */
    static CorruptingPages widening() {
        return new CorruptingPages("7d48134e", "7d48334e");
    }

    @Override
    public long reserve(long bytes) {
        return real.reserve(bytes);
    }

    @Override
    public int protect(long address, long bytes, Access access) {
        if (access == Access.READ_EXECUTE) {
            MemorySegment code = MemorySegment.ofAddress(address).reinterpret(bytes);
            for (long at = 0; at <= bytes - right.length; at++) {
                MemorySegment here = code.asSlice(at, right.length);
                if (here.mismatch(MemorySegment.ofArray(right)) == -1) {
                    MemorySegment.copy(wrong, 0, here, ValueLayout.JAVA_BYTE, 0, wrong.length);
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
