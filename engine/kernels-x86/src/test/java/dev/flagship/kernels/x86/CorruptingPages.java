package dev.flagship.kernels.x86;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Pages in which the constant of the 4-bit kernels, {@code mov eax, 0x0F0F0F0F}, loses its highest
 * bits: as a processor would compute that gets one instruction wrong.
 */
final class CorruptingPages implements Pages {
    private static final byte MOV_EAX = (byte) 0xB8;
    private static final int NIBBLES = 0x0F0F0F0F;

    private final Pages real = new LinuxPages();

    @Override
    public long reserve(long bytes) {
        return real.reserve(bytes);
    }

    @Override
    public int protect(long address, long bytes, Access access) {
        if (access == Access.READ_EXECUTE) {
            MemorySegment code = MemorySegment.ofAddress(address).reinterpret(bytes);
            for (long at = 0; at < bytes - 4; at++) {
                if (code.get(ValueLayout.JAVA_BYTE, at) == MOV_EAX
                        && code.get(ValueLayout.JAVA_INT_UNALIGNED, at + 1) == NIBBLES) {
                    code.set(ValueLayout.JAVA_INT_UNALIGNED, at + 1, 0x07070707);
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
