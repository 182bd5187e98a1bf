package dev.flagship.testing;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class GuardedMemoryTest {

    @Test
    void aWriteOnEitherSideOfATensorShows() {
        for (long at : new long[] {-1, 24, 30}) {
            try (GuardedMemory memory = new GuardedMemory(10_000, new Seed(1).random())) {
                memory.tensor(2, 3);
                Tensor victim = memory.tensor(2, 3);
                memory.tensor(2, 3);
                memory.verifyWalls("before");
                MemorySegment all = memory.segment();
                long victimAt = victim.data().address() - all.address();
                all.set(ValueLayout.JAVA_BYTE, victimAt + at, (byte) 1);
                assertThatThrownBy(() -> memory.verifyWalls("after"))
                        .isInstanceOf(AssertionError.class)
                        .hasMessageContaining("after: byte %d ".formatted(at < 0 ? 1 : at - 23))
                        .hasMessageContaining("region 1");
            }
        }
    }

    @Test
    void givesItsMemoryBack() throws Exception {
        LeakCheck.around(() -> {
            try (GuardedMemory memory = new GuardedMemory(1000, new Seed(1).random());
                    OffHeap other = OffHeap.allocate(1)) {
                memory.take(other.segment().byteSize());
            }
        });
    }
}
