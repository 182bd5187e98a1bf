package dev.flagship.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.InvalidArgumentException;
import org.junit.jupiter.api.Test;

class TensorTest {

    @Test
    void splitAndJoinAreViewsOfTheSameNumbers() {
        try (OffHeap memory = OffHeap.allocate(2 * 6 * 4)) {
            Tensor x = Tensor.named("w", Shape.of(2, 6), memory.segment());
            x.put(0, new float[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
            Tensor heads = x.split(3, 2);
            assertThat(heads.shape()).isEqualTo(new Shape(2, 3, 2));
            assertThat(heads.get(1, 4)).isEqualTo(11f);
            heads.set(0, 0, -1f);
            assertThat(x.row(0)).containsExactly(-1, 2, 3, 4, 5, 6);
            assertThat(heads.join().shape()).isEqualTo(x.shape());
            assertThat(heads.name()).isEqualTo("w");
            assertThatThrownBy(() -> x.split(4, 2))
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining("6")
                    .hasMessageContaining("4 heads of 2");
        }
    }

    @Test
    void aSegmentOfTheWrongSizeIsRefused() {
        try (OffHeap memory = OffHeap.allocate(20)) {
            assertThatThrownBy(() -> Tensor.of(Shape.of(2, 3), memory.segment()))
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining("(2, 3)")
                    .hasMessageContaining("24")
                    .hasMessageContaining("20");
        }
    }

    @Test
    void onlyTensorsOfAScratchKnowWhereResultsGo() {
        try (OffHeap memory = OffHeap.allocate(4)) {
            Tensor x = Tensor.of(Shape.of(1, 1), memory.segment());
            assertThatThrownBy(x::scratch).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void shapesMustBePositive() {
        assertThatThrownBy(() -> Shape.of(-1, 3)).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> Shape.of(1, 0)).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> new Shape(1, 1 << 20, 1 << 20).rowSize())
                .isInstanceOf(ArithmeticException.class);
        assertThat(Shape.of(0, 3).elements()).isZero();
        assertThat(new Shape(1 << 20, 1 << 10, 1 << 10).elements()).isEqualTo(1L << 40);
    }
}
