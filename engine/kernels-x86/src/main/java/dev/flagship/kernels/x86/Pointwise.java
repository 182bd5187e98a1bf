package dev.flagship.kernels.x86;

import dev.flagship.tensor.CanonicalMath;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.RopeTable;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.Team;
import dev.flagship.tensor.Tensor;
import dev.flagship.tensor.TopK;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Set;

/**
 * Norms, rotations, element-wise operations and what is asked of logits, by emitted code: one call
 * per thread and operation. An operation's arguments stand in fields, so that a call allocates
 * nothing; the team's dispatch publishes them. Shapes have been checked by the caller.
 */
final class Pointwise implements Team.Task, AutoCloseable {
    /** Numbers below which loads and stores are not worth waking the team for. */
    private static final int SERIAL_PLAIN = 16_384;

    /** The same where every number costs an exp. */
    private static final int SERIAL_EXP = 8_192;

    private static final int LANES = CanonicalMath.LANES;
    private static final int LINE = 4 * LANES;
    private static final int STRIP = PointwiseKernel.STRIP;
    private static final Tensor NONE = Tensor.of(Shape.of(0, 1), MemorySegment.NULL);

    private final Team team;
    private final KernelLibrary library;
    private final Set<PointwiseKernel> kernels;
    private final Worker[] workers;
    private PointwiseKernel kernel = PointwiseKernel.ADD;
    private Tensor a = NONE;
    private Tensor b = NONE;
    private Tensor bias = NONE;
    private Tensor out = NONE;
    private float eps;

    // ROPE: angles where emitted code can read them, cosines first.
    private OffHeap angles = OffHeap.allocate(0);
    private float[] copied = {};
    private int[] positions = {};
    private int pairs;

    // STRIP_MAX
    private OffHeap maxima = OffHeap.allocate(0);
    private long row;
    private int[] bestIds = new int[1];
    private float[] best = new float[1];

    /**
     * @param library must live until this is closed
     * @param kernels those that may be used
     */
    Pointwise(Team team, KernelLibrary library, Set<PointwiseKernel> kernels) {
        this.team = team;
        this.library = library;
        this.kernels = Set.copyOf(kernels);
        workers = new Worker[team.size()];
        Arrays.setAll(workers, _ -> new Worker(library.isa()));
    }

    /** What one thread works in. */
    private static final class Worker implements AutoCloseable {
        private final OffHeap params;
        private OffHeap positions = OffHeap.allocate(0);

        Worker(Isa isa) {
            if (isa.wide()) {
                params = OffHeap.allocate(PointwiseCode.PARAM_BYTES);
                PointwiseCode.writeConstants(params.segment());
            } else {
                params = OffHeap.allocate(NarrowPointwiseCode.PARAM_BYTES);
                NarrowPointwiseCode.writeConstants(params.segment());
            }
        }

        void set(int slot, long value) {
            params.segment().setAtIndex(ValueLayout.JAVA_LONG, slot, value);
        }

        void set(int slot, float value) {
            params.segment().set(ValueLayout.JAVA_FLOAT, 8L * slot, value);
        }

        float get(int slot) {
            return params.segment().get(ValueLayout.JAVA_FLOAT, 8L * slot);
        }

        /** Vectors of a run, a row or half a head of so many numbers. */
        void width(long numbers) {
            set(PointwiseKernel.WHOLE, numbers / LANES * LINE);
            set(PointwiseKernel.TAIL, (1L << numbers % LANES) - 1);
            set(PointwiseKernel.TAIL_COUNT, numbers % LANES);
        }

        void call(MemorySegment entry) {
            Downcall.call(entry, params.segment().address());
        }

        @Override
        public void close() {
            params.close();
            positions.close();
        }
    }

    /**
     * Whether a kernel may be used on these tensors; emitted code reads only memory off the heap.
     *
     * @throws IllegalStateException if a tensor's memory is closed
     */
    boolean takes(PointwiseKernel kernel, Tensor a, Tensor b, Tensor out) {
        if (!kernels.contains(kernel)
                || !a.data().isNative()
                || !b.data().isNative()
                || !out.data().isNative()) {
            return false;
        }
        alive(kernel, a);
        alive(kernel, b);
        alive(kernel, out);
        return true;
    }

    boolean takes(PointwiseKernel kernel, Tensor a) {
        return takes(kernel, a, a, a);
    }

    /** Emitted code cannot notice that memory was closed. */
    private static void alive(PointwiseKernel kernel, Tensor t) {
        if (!t.data().scope().isAlive()) {
            throw new IllegalStateException(kernel + ": an operand's memory is closed");
        }
    }

    /** ADD, RELU, GELU, SWIGLU: {@code b} is {@code a} where there is no second operand. */
    void run(PointwiseKernel kernel, Tensor a, Tensor b, Tensor out) {
        boolean plain = kernel == PointwiseKernel.ADD || kernel == PointwiseKernel.RELU;
        dispatch(kernel, a, b, out, plain ? SERIAL_PLAIN : SERIAL_EXP);
    }

    void rmsNorm(Tensor x, Tensor weight, float eps, Tensor out) {
        this.eps = eps;
        dispatch(PointwiseKernel.RMS_NORM, x, weight, out, SERIAL_PLAIN);
    }

    void layerNorm(Tensor x, Tensor weight, Tensor bias, float eps, Tensor out) {
        this.eps = eps;
        this.bias = bias;
        dispatch(PointwiseKernel.LAYER_NORM, x, weight, out, SERIAL_PLAIN);
        this.bias = NONE;
    }

    void softmax(Tensor x, Tensor out) {
        dispatch(PointwiseKernel.SOFTMAX, x, x, out, SERIAL_EXP);
    }

    void rope(Tensor x, RopeTable table, int[] positions) {
        this.positions = positions;
        pairs = table.pairs();
        copy(table);
        dispatch(PointwiseKernel.ROPE, x, x, x, SERIAL_PLAIN);
    }

    /** A table grows into new arrays, so these tell whether its numbers are here already. */
    @SuppressWarnings("ReferenceEquality") // the very array, not an equal one
    private void copy(RopeTable table) {
        float[] cos = table.cos();
        if (cos == copied) {
            return;
        }
        angles = sized(angles, 8L * cos.length);
        MemorySegment to = angles.segment();
        MemorySegment.copy(cos, 0, to, ValueLayout.JAVA_FLOAT, 0, cos.length);
        MemorySegment.copy(table.sin(), 0, to, ValueLayout.JAVA_FLOAT, 4L * cos.length, cos.length);
        copied = cos;
    }

    private static OffHeap sized(OffHeap memory, long bytes) {
        if (memory.segment().byteSize() >= bytes) {
            return memory;
        }
        OffHeap larger = OffHeap.allocate(bytes);
        memory.close();
        return larger;
    }

    private void dispatch(PointwiseKernel kernel, Tensor a, Tensor b, Tensor out, int serial) {
        if (a.rows() == 0) {
            return;
        }
        this.kernel = kernel;
        this.a = a;
        this.b = b;
        this.out = out;
        boolean whole = kernel.shape == PointwiseKernel.Shape.ROWS && a.rows() == 1;
        if (whole || a.shape().elements() < serial) {
            run(0, 1);
        } else {
            team.run(this);
        }
        this.a = NONE;
        this.b = NONE;
        this.out = NONE;
    }

    @Override
    public void run(int thread, int threads) {
        Worker worker = workers[thread];
        switch (kernel.shape) {
            case RUN -> {
                long vectors = Math.ceilDiv(a.shape().elements(), (long) LANES);
                long from = share(vectors, thread, threads) * LANES;
                long to = share(vectors, thread + 1, threads) * LANES;
                numbers(worker, from, Math.min(to, a.shape().elements()));
            }
            case ROWS -> {
                long from = share(a.rows(), thread, threads);
                rows(worker, from, share(a.rows(), thread + 1, threads));
            }
            case STRIPS -> {
                long strips = a.rowSize() / STRIP;
                long from = share(strips, thread, threads);
                strips(worker, from, share(strips, thread + 1, threads));
            }
        }
    }

    private static long share(long units, int thread, int threads) {
        return units * thread / threads;
    }

    private void numbers(Worker worker, long from, long to) {
        if (from < to) {
            operands(worker, 4 * from);
            worker.width(to - from);
            worker.call(library.pointwise(kernel));
        }
    }

    private void operands(Worker worker, long offset) {
        worker.set(PointwiseKernel.A, a.data().address() + offset);
        worker.set(PointwiseKernel.B, b.data().address() + offset);
        worker.set(PointwiseKernel.OUT, out.data().address() + offset);
    }

    private void rows(Worker worker, long from, long to) {
        if (from == to) {
            return;
        }
        long stride = 4L * a.rowSize();
        operands(worker, from * stride);
        worker.set(PointwiseKernel.ROWS, to - from);
        worker.set(PointwiseKernel.STRIDE, stride);
        worker.width(a.rowSize());
        if (kernel == PointwiseKernel.RMS_NORM || kernel == PointwiseKernel.LAYER_NORM) {
            worker.set(PointwiseKernel.B, b.data().address());
            worker.set(PointwiseKernel.BIAS, bias.data().address());
            worker.set(PointwiseKernel.SIZE, (float) a.rowSize());
            worker.set(PointwiseKernel.EPS, eps);
        } else if (kernel == PointwiseKernel.ROPE) {
            angles(worker, (int) from, (int) to);
        }
        worker.call(library.pointwise(kernel));
    }

    private void angles(Worker worker, int from, int to) {
        worker.positions = sized(worker.positions, 8L * (to - from));
        MemorySegment offsets = worker.positions.segment();
        for (int i = from; i < to; i++) {
            offsets.setAtIndex(ValueLayout.JAVA_LONG, i - from, 4L * positions[i] * pairs);
        }
        worker.width(pairs);
        worker.set(PointwiseKernel.HEADS, a.rowSize() / (2 * pairs));
        worker.set(PointwiseKernel.HALF, 4L * pairs);
        worker.set(PointwiseKernel.COS, angles.segment().address());
        worker.set(PointwiseKernel.SIN, angles.segment().address() + 4L * copied.length);
        worker.set(PointwiseKernel.POSITIONS, offsets.address());
    }

    // --- logits

    float logSumExp(Tensor logits, int row) {
        Worker worker = workers[0];
        worker.set(PointwiseKernel.A, logits.data().address() + 4L * row * logits.rowSize());
        worker.set(PointwiseKernel.ROWS, 1);
        worker.width(logits.rowSize());
        worker.call(library.pointwise(PointwiseKernel.SUM_EXP));
        float sum = worker.get(PointwiseKernel.SUM);
        return worker.get(PointwiseKernel.MAX) + (float) StrictMath.log(sum);
    }

    /** Whether {@link #topK} is a gain; it must not be asked for more than there are strips. */
    static boolean worthStrips(Tensor logits, int k) {
        return logits.rowSize() / STRIP > 2 * k;
    }

    /**
     * As {@link dev.flagship.tensor.Kernels#topK}: the k-th largest of the strips' maxima bounds
     * the k-th largest number from below, so strips without a number up to it are passed over.
     */
    void topK(Tensor logits, int row, int k, int[] ids, float[] values) {
        int size = logits.rowSize();
        int strips = size / STRIP;
        maxima = sized(maxima, 4L * strips);
        this.row = 4L * row * size;
        kernel = PointwiseKernel.STRIP_MAX;
        a = logits;
        if (size < SERIAL_PLAIN) {
            run(0, 1);
        } else {
            team.run(this);
        }
        a = NONE;
        float bound = bound(strips, k);
        int kept = 0;
        for (int strip = 0; strip < strips; strip++) {
            if (!(maximum(strip) < bound)) {
                int from = strip * STRIP;
                kept = offer(logits, row, from, from + STRIP, bound, k, kept, ids, values);
            }
        }
        offer(logits, row, strips * STRIP, size, bound, k, kept, ids, values);
        TopK.sort(ids, values, k);
    }

    private void strips(Worker worker, long from, long to) {
        if (from < to) {
            worker.set(PointwiseKernel.A, a.data().address() + row + 4 * from * STRIP);
            worker.set(PointwiseKernel.OUT, maxima.segment().address() + 4 * from);
            worker.set(PointwiseKernel.ROWS, to - from);
            worker.call(library.pointwise(PointwiseKernel.STRIP_MAX));
        }
    }

    private float maximum(int strip) {
        return maxima.segment().getAtIndex(ValueLayout.JAVA_FLOAT, strip);
    }

    private float bound(int strips, int k) {
        if (best.length < k) {
            best = new float[k];
            bestIds = new int[k];
        }
        int kept = 0;
        for (int strip = 0; strip < strips; strip++) {
            kept = TopK.offer(bestIds, best, kept, k, strip, maximum(strip));
        }
        return best[0];
    }

    private static int offer(
            Tensor logits,
            int row,
            int from,
            int to,
            float bound,
            int k,
            int kept,
            int[] ids,
            float[] values) {
        int size = kept;
        for (int i = from; i < to; i++) {
            float value = logits.get(row, i);
            if (!(value < bound)) {
                size = TopK.offer(ids, values, size, k, i, value);
            }
        }
        return size;
    }

    @Override
    public void close() {
        for (Worker worker : workers) {
            worker.close();
        }
        angles.close();
        maxima.close();
    }
}
