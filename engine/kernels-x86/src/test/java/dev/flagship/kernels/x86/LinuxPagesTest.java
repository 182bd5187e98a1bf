package dev.flagship.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.tensor.MemoryLedger;
import dev.flagship.tensor.OffHeap;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

@OnLinuxX86
class LinuxPagesTest {
    private static final long LARGE = 4L << 30;
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;

    /** Memory of this process that is there (man 5 proc_pid_statm), in bytes. */
    private static long resident() throws IOException {
        String[] counts = Files.readString(Path.of("/proc/self/statm")).split(" ", -1);
        return Long.parseLong(counts[1]) * Pages.PAGE;
    }

    @Test
    void memoryCostsWhatIsTouchedOfIt() throws IOException {
        long before = resident();
        long ledger = MemoryLedger.bytes();
        try (OffHeap memory = LinuxPages.memory(LARGE)) {
            MemorySegment all = memory.segment();
            assertThat(all.byteSize()).isEqualTo(LARGE);
            assertThat(MemoryLedger.bytes()).isEqualTo(ledger + LARGE);
            for (long at : new long[] {0, LARGE / 2 + 1, LARGE - 1}) {
                assertThat(all.get(BYTE, at)).isZero();
                all.set(BYTE, at, (byte) 7);
                assertThat(all.get(BYTE, at)).isEqualTo((byte) 7);
            }
            assertThat(resident() - before).isLessThan(256L << 20);
        }
        assertThat(MemoryLedger.bytes()).isEqualTo(ledger);
    }

    @Test
    void memoryBeginsAtALineAndEndsWhereItSays() {
        for (long bytes : new long[] {0, 1, 4095, 4096, 100_003}) {
            OffHeap memory = LinuxPages.memory(bytes);
            MemorySegment segment = memory.segment();
            assertThat(segment.byteSize()).isEqualTo(bytes);
            assertThat(segment.address() % 64).isZero();
            assertThatThrownBy(() -> segment.get(BYTE, bytes))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            memory.close();
            assertThat(segment.scope().isAlive()).isFalse();
        }
    }
}
