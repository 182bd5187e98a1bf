package dev.flagship.kernels.x86;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Machine code in pages of its own, between two pages that nobody may touch. The pages are writable
 * until the code is in them and executable from then on, never both (W^X): new code takes new
 * pages.
 */
final class CodeMemory implements AutoCloseable {
    private static final byte INT3 = (byte) 0xCC;

    private final Pages pages;
    private final long reserved;
    private final long reservedBytes;
    private final long bytes;
    private boolean closed;

    private CodeMemory(Pages pages, long reserved, long bytes) {
        this.pages = pages;
        this.reserved = reserved;
        this.bytes = bytes;
        this.reservedBytes = bytes + 2L * Pages.PAGE;
    }

    /** How the attempt to place code went. */
    sealed interface Placement {}

    /** The code can be called. */
    record Placed(CodeMemory memory) implements Placement {}

    /**
     * The host does not allow it.
     *
     * @param call the system call that failed
     */
    record Refused(String call, int errno) implements Placement {
        @Override
        public String toString() {
            return "%s failed with errno %d (%s)".formatted(call, errno, reason());
        }

        private String reason() {
            return switch (errno) {
                case 1, 13 -> "not permitted: a security policy forbids executable memory";
                case 12 -> "out of memory or address space";
                default -> "see errno(3)";
            };
        }
    }

    /** Copies code into fresh pages and makes them executable. */
    static Placement place(Pages pages, byte[] code) {
        long bytes = Math.ceilDiv(code.length, Pages.PAGE) * (long) Pages.PAGE;
        long reserved = pages.reserve(bytes + 2L * Pages.PAGE);
        if (reserved < 0) {
            return new Refused("mmap", (int) -reserved);
        }
        CodeMemory memory = new CodeMemory(pages, reserved, bytes);
        int errno = memory.fill(code);
        if (errno != 0) {
            memory.close();
            return new Refused("mprotect", errno);
        }
        return new Placed(memory);
    }

    private int fill(byte[] code) {
        int errno = pages.protect(start(), bytes, Pages.Access.READ_WRITE);
        if (errno != 0) {
            return errno;
        }
        MemorySegment target = MemorySegment.ofAddress(start()).reinterpret(bytes);
        MemorySegment.copy(code, 0, target, ValueLayout.JAVA_BYTE, 0, code.length);
        target.asSlice(code.length).fill(INT3);
        return pages.protect(start(), bytes, Pages.Access.READ_EXECUTE);
    }

    private long start() {
        return reserved + Pages.PAGE;
    }

    /** What is callable at an offset of the code. */
    MemorySegment entry(int offset) {
        return MemorySegment.ofAddress(start() + offset);
    }

    /** The code as it lies in memory, padding included. */
    MemorySegment bytes() {
        return MemorySegment.ofAddress(start()).reinterpret(bytes).asReadOnly();
    }

    /** Unmaps the code. Nobody may be in it or call it afterwards. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            pages.release(reserved, reservedBytes);
        }
    }
}
