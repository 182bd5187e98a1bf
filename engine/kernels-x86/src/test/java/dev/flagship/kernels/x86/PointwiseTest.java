package dev.flagship.kernels.x86;

import static dev.flagship.testing.AllocationCheck.allocatesNothing;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.RopeTable;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.SpinTeam;
import dev.flagship.tensor.Team;
import dev.flagship.tensor.Tensor;
import dev.flagship.testing.Bits;
import dev.flagship.testing.GuardedMemory;
import dev.flagship.testing.Seed;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the contract of all rungs cannot ask of emitted code. */
@OnLinuxX86
class PointwiseTest {
    private static final Set<PointwiseKernel> ALL = EnumSet.allOf(PointwiseKernel.class);

    private final Seed seed = Seed.given();
    private final Random random = seed.random();
    private final Kernels truth = new ScalarKernels(new SerialTeam());
    private GuardedMemory memory = new GuardedMemory(1, random);
    private final KernelLibrary library = Libraries.load(isa());

    @BeforeEach
    void open() {
        memory.close();
        memory = new GuardedMemory(16 << 20, random);
    }

    /** Subclasses test the other length of registers. */
    Isa isa() {
        return Isa.AVX512_VNNI;
    }

    @AfterEach
    void close() {
        memory.close();
        library.close();
    }

    private Tensor numbers(int rows, int width) {
        Tensor x = memory.tensor(rows, width);
        fill(x);
        return x;
    }

    private void fill(Tensor x) {
        for (int row = 0; row < x.rows(); row++) {
            for (int i = 0; i < x.rowSize(); i++) {
                x.set(row, i, (float) random.nextGaussian() * 3);
            }
        }
    }

    private static RopeTable table(int pairs, float base) {
        float[] frequencies = new float[pairs];
        for (int i = 0; i < pairs; i++) {
            frequencies[i] = base / (i + 1);
        }
        RopeTable table = new RopeTable(frequencies);
        table.ensure(50);
        return table;
    }

    /** Every operand and output ends where nobody may read or write. */
    @Test
    void neverTouchesThePageAfterAnOperand() {
        betweenPages(GuardPages::take);
    }

    @Test
    void neverTouchesThePageBeforeAnOperand() {
        betweenPages(GuardPages::takeBehind);
    }

    private interface Taking {
        MemorySegment take(GuardPages pages, long bytes);
    }

    private void betweenPages(Taking taking) {
        try (SerialTeam team = new SerialTeam();
                Pointwise ours = new Pointwise(team, library, ALL)) {
            for (int width : new int[] {2, 16, 22, 128, 150, 400}) {
                for (int rows : new int[] {1, 3}) {
                    for (PointwiseKernel kernel : ALL) {
                        try (GuardPages pages = new GuardPages()) {
                            compare(ours, kernel, pages, taking, rows, width);
                        }
                        memory.reset(kernel + ", " + seed);
                    }
                }
            }
        }
    }

    private void compare(
            Pointwise ours,
            PointwiseKernel kernel,
            GuardPages pages,
            Taking taking,
            int rows,
            int width) {
        Shape shape = Shape.of(rows, width);
        long bytes = shape.elements() * 4;
        Tensor x = Tensor.of(shape, taking.take(pages, bytes));
        Tensor y = Tensor.of(shape, taking.take(pages, bytes));
        Tensor weight = Tensor.of(Shape.of(1, width), taking.take(pages, 4L * width));
        Tensor bias = Tensor.of(Shape.of(1, width), taking.take(pages, 4L * width));
        Tensor out = Tensor.of(shape, taking.take(pages, bytes));
        fill(x);
        fill(y);
        fill(weight);
        fill(bias);
        Tensor changed = memory.copy(x); // by those that work in place
        Tensor expected = memory.copy(out);
        String what = "%s (%d, %d), %s".formatted(kernel, rows, width, seed);
        switch (kernel) {
            case ADD -> {
                truth.add(changed, y);
                ours.run(kernel, x, y, x);
            }
            case RELU -> {
                truth.relu(x, expected);
                ours.run(kernel, x, x, out);
            }
            case GELU -> {
                truth.gelu(x, expected);
                ours.run(kernel, x, x, out);
            }
            case SWIGLU -> {
                truth.swiGlu(x, y, expected);
                ours.run(kernel, x, y, out);
            }
            case RMS_NORM -> {
                truth.rmsNorm(x, weight, 1e-5f, expected);
                ours.rmsNorm(x, weight, 1e-5f, out);
            }
            case LAYER_NORM -> {
                truth.layerNorm(x, weight, bias, 1e-5f, expected);
                ours.layerNorm(x, weight, bias, 1e-5f, out);
            }
            case ROPE -> {
                RopeTable table = table(width / 2, 1f);
                int[] positions = IntStream.range(1, rows + 1).toArray();
                truth.rope(changed, table, positions);
                ours.rope(x, table, positions);
            }
            case SOFTMAX -> {
                truth.softmax(x, expected);
                ours.softmax(x, out);
            }
            case SUM_EXP ->
                    Bits.assertSame(
                            what, ours.logSumExp(x, rows - 1), truth.logSumExp(x, rows - 1));
            case STRIP_MAX -> {
                if (Pointwise.worthStrips(x, 1)) {
                    int[] ids = new int[1];
                    float[] values = new float[1];
                    truth.topK(x, rows - 1, 1, ids, values);
                    int[] ourIds = new int[1];
                    float[] ourValues = new float[1];
                    ours.topK(x, rows - 1, 1, ourIds, ourValues);
                    assertThat(ourIds).as(what).isEqualTo(ids);
                    assertThat(ourValues).as(what).isEqualTo(values);
                }
            }
        }
        Bits.assertSame(what, x, changed);
        Bits.assertSame(what, out, expected);
    }

    @Test
    void anotherTableOrAGrownOneIsNoticed() {
        RopeTable first = table(16, 1f);
        RopeTable second = table(16, 2f);
        try (SerialTeam team = new SerialTeam();
                Pointwise ours = new Pointwise(team, library, ALL)) {
            rotatesAsTheTruth(ours, first, new int[] {3, 49});
            rotatesAsTheTruth(ours, second, new int[] {3, 49});
            rotatesAsTheTruth(ours, first, new int[] {7, 0});
            first.ensure(4000);
            rotatesAsTheTruth(ours, first, new int[] {3999, 1});
        }
    }

    private void rotatesAsTheTruth(Pointwise ours, RopeTable table, int[] positions) {
        Tensor expected = numbers(2, 64);
        Tensor actual = memory.copy(expected);
        truth.rope(expected.split(2, 32), table, positions);
        ours.rope(actual.split(2, 32), table, positions);
        Bits.assertSame("rope, " + seed, actual, expected);
    }

    @Test
    void closedMemoryIsRefusedBeforeCodeRuns() {
        try (SerialTeam team = new SerialTeam();
                Pointwise ours = new Pointwise(team, library, ALL)) {
            OffHeap gone = OffHeap.allocate(128);
            Tensor x = Tensor.of(Shape.of(1, 32), gone.segment());
            gone.close();
            assertThatThrownBy(() -> ours.takes(PointwiseKernel.ADD, x))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("closed");
        }
    }

    @Test
    void heapMemoryAndBarredKernelsAreLeftToTheOtherRung() {
        Tensor heap = Tensor.of(Shape.of(1, 32), MemorySegment.ofArray(new byte[128]));
        Tensor offHeap = numbers(1, 32);
        try (SerialTeam team = new SerialTeam();
                Pointwise ours = new Pointwise(team, library, Set.of(PointwiseKernel.ADD))) {
            assertThat(ours.takes(PointwiseKernel.ADD, offHeap)).isTrue();
            assertThat(ours.takes(PointwiseKernel.ADD, offHeap, heap, offHeap)).isFalse();
            assertThat(ours.takes(PointwiseKernel.GELU, offHeap)).isFalse();
        }
    }

    @Test
    void aCallAllocatesNothing() {
        RopeTable table = table(32, 1f);
        int[] ids = new int[40];
        float[] values = new float[40];
        try (Team team = new SpinTeam(2);
                Pointwise ours = new Pointwise(team, library, ALL)) {
            for (int rows : new int[] {1, 40}) {
                Tensor x = numbers(rows, 576);
                Tensor y = numbers(rows, 576);
                Tensor weight = numbers(1, 576);
                Tensor out = memory.tensor(rows, 576);
                for (PointwiseKernel kernel :
                        new PointwiseKernel[] {
                            PointwiseKernel.ADD,
                            PointwiseKernel.RELU,
                            PointwiseKernel.GELU,
                            PointwiseKernel.SWIGLU
                        }) {
                    allocatesNothing(kernel.symbol(isa()), () -> ours.run(kernel, x, y, out));
                }
                allocatesNothing("rmsNorm", () -> ours.rmsNorm(x, weight, 1e-5f, out));
                allocatesNothing("layerNorm", () -> ours.layerNorm(x, weight, weight, 1e-5f, out));
                allocatesNothing("softmax", () -> ours.softmax(x, out));
                allocatesNothing("rope", () -> ours.rope(out.split(9, 64), table, ids));
            }
            Tensor logits = numbers(1, 20_000);
            allocatesNothing("logSumExp", () -> ours.logSumExp(logits, 0));
            allocatesNothing("topK", () -> ours.topK(logits, 0, 40, ids, values));
        }
    }
}
