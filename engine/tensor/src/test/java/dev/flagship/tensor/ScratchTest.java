package dev.flagship.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.InvalidArgumentException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ScratchTest {
    private static Scratch scratch() {
        return new Scratch(new ScalarKernels(new SerialTeam()), Numerics.EXACT);
    }

    @Test
    void tensorsAliveTogetherDoNotOverlap() {
        Random random = new Random(7);
        try (Scratch scratch = scratch()) {
            for (int round = 0; round < 20; round++) {
                try (var _ = scratch.frame()) {
                    List<Tensor> taken = new ArrayList<>();
                    for (int i = 0; i < 30; i++) {
                        // Some of these are larger than the first block.
                        Tensor t = scratch.take(random.nextInt(5), 1 + random.nextInt(150_000));
                        fill(t, i);
                        taken.add(t);
                    }
                    for (int i = 0; i < taken.size(); i++) {
                        Tensor t = taken.get(i);
                        assertThat(t.data().address() % 64).isZero();
                        for (int row = 0; row < t.rows(); row++) {
                            assertThat(t.get(row, 0)).isEqualTo(i);
                            assertThat(t.get(row, t.rowSize() - 1)).isEqualTo(i);
                        }
                    }
                }
            }
        }
    }

    private static void fill(Tensor t, float value) {
        for (int row = 0; row < t.rows(); row++) {
            t.set(row, 0, value);
            t.set(row, t.rowSize() - 1, value);
        }
    }

    @Test
    void aFrameGivesBackWhatWasTakenInIt() {
        try (Scratch scratch = scratch()) {
            Tensor outside = scratch.take(1, 10);
            outside.set(0, 0, 42f);
            Tensor first;
            try (var _ = scratch.frame()) {
                first = scratch.take(2, 30);
                try (var _ = scratch.frame()) {
                    assertThat(scratch.take(2, 30)).isNotSameAs(first);
                }
            }
            Tensor again = scratch.take(2, 30);
            assertThat(again.data().address()).isEqualTo(first.data().address());
            assertThat(outside.get(0, 0)).isEqualTo(42f);
        }
    }

    @Test
    void headersAreReusedWhileShapesRepeat() {
        try (Scratch scratch = scratch()) {
            List<Tensor> first;
            Tensor view;
            try (var _ = scratch.frame()) {
                first = scratch.takeAll(3, new int[] {8, 4, 4});
                view = first.get(0).split(2, 4);
            }
            try (var _ = scratch.frame()) {
                List<Tensor> second = scratch.takeAll(3, new int[] {8, 4, 4});
                assertThat(second).isSameAs(first);
                assertThat(second.get(0).split(2, 4)).isSameAs(view);
            }
            try (var _ = scratch.frame()) {
                List<Tensor> other = scratch.takeAll(1, new int[] {8, 4});
                assertThat(other).hasSize(2);
                assertThat(other.get(0).shape()).isEqualTo(Shape.of(1, 8));
                assertThat(other.get(1).shape()).isEqualTo(Shape.of(1, 4));
                assertThat(other.get(1).scratch()).isSameAs(scratch);
            }
        }
    }

    @Test
    void growsOnceAndThenNoMore() {
        try (Scratch scratch = scratch()) {
            assertThat(scratch.capacity()).isZero();
            long grown = 0;
            for (int step = 0; step < 10; step++) {
                try (var _ = scratch.frame()) {
                    for (int i = 0; i < 50; i++) {
                        scratch.take(16, 4000);
                    }
                }
                if (step == 0) {
                    grown = scratch.capacity();
                    assertThat(grown).isGreaterThanOrEqualTo(50L * 16 * 4000 * 4);
                }
                assertThat(scratch.capacity()).isEqualTo(grown);
            }
        }
    }

    @Test
    void framesCloseInReverseOrder() {
        try (Scratch scratch = scratch()) {
            Scratch.Frame outer = scratch.frame();
            Scratch.Frame inner = scratch.frame();
            assertThatThrownBy(outer::close)
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining("reverse order");
            inner.close();
            outer.close();
            assertThatThrownBy(outer::close).isInstanceOf(InvalidArgumentException.class);
        }
    }

    @Test
    void closeGivesAllMemoryBack() {
        long arenas = MemoryLedger.arenas();
        long bytes = MemoryLedger.bytes();
        Tensor taken;
        try (Scratch scratch = scratch()) {
            taken = scratch.take(1, 10);
            scratch.take(100, 100_000);
            assertThat(MemoryLedger.bytes() - bytes).isEqualTo(scratch.capacity());
        }
        assertThat(MemoryLedger.arenas()).isEqualTo(arenas);
        assertThat(MemoryLedger.bytes()).isEqualTo(bytes);
        assertThatThrownBy(() -> taken.get(0, 0)).isInstanceOf(IllegalStateException.class);
    }
}
