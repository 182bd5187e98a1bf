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

    /** Runs a kernel; x is changed by those that work in place. */
    private static void run(
            Pointwise ours, PointwiseKernel kernel, Tensor x, Tensor y, Tensor weight, Tensor out) {
        switch (kernel) {
            case ADD, RELU, GELU, SWIGLU -> ours.run(kernel, x, y, out);
            case RMS_NORM -> ours.rmsNorm(x, weight, 1e-5f, out);
            case ROPE -> ours.rope(x, table(x.rowSize() / 2, 1f), new int[x.rows()]);
            case SOFTMAX -> ours.softmax(x, out);
            case SUM_EXP -> assertThat(ours.logSumExp(x, x.rows() - 1)).isFinite();
            case STRIP_MAX -> ours.topK(x, x.rows() - 1, 1, new int[1], new float[1]);
        }
    }

    @Test
    void neverTouchesThePageAfterAnOperand() {
        try (SerialTeam team = new SerialTeam();
                GuardPages pages = new GuardPages()) {
            for (int width : new int[] {2, 16, 22, 128, 150, 400}) {
                for (int rows : new int[] {1, 3}) {
                    for (PointwiseKernel kernel : ALL) {
                        Shape shape = Shape.of(rows, width);
                        long bytes = shape.elements() * 4;
                        Tensor x = Tensor.of(shape, pages.take(bytes));
                        Tensor y = Tensor.of(shape, pages.take(bytes));
                        Tensor weight = Tensor.of(Shape.of(1, width), pages.take(4L * width));
                        Tensor out = Tensor.of(shape, pages.take(bytes));
                        fill(x);
                        fill(y);
                        fill(weight);
                        try (Pointwise ours = new Pointwise(team, library, ALL)) {
                            if (kernel != PointwiseKernel.STRIP_MAX
                                    || Pointwise.worthStrips(x, 1)) {
                                run(ours, kernel, x, y, weight, out);
                            }
                        }
                    }
                }
            }
        }
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
                allocatesNothing("softmax", () -> ours.softmax(x, out));
                allocatesNothing("rope", () -> ours.rope(out.split(9, 64), table, ids));
            }
            Tensor logits = numbers(1, 20_000);
            allocatesNothing("logSumExp", () -> ours.logSumExp(logits, 0));
            allocatesNothing("topK", () -> ours.topK(logits, 0, 40, ids, values));
        }
    }
}
