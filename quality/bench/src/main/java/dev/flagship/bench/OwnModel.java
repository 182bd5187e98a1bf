package dev.flagship.bench;

import com.sun.management.ThreadMXBean;
import dev.flagship.nn.Step;
import dev.flagship.serving.LoadedModel;
import dev.flagship.tensor.MemoryLedger;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;

/** Flagship's side. One thread. */
final class OwnModel implements Contender, AutoCloseable {
    /** Rows of a prefill step, as the product's step loop takes them. */
    static final int STEP_ROWS = 256;

    /** Rows of a step whose logits are all wanted: a vocabulary's width each. */
    private static final int LOGIT_ROWS = 128;

    private final LoadedModel model;
    private final Workload work;
    private final TimingKernels kernels;
    private final TeacherForced shortRun;
    private final TeacherForced longRun;
    private final ManySequences many;
    private final int[] one = new int[1];
    private final int[] best = new int[1];
    private final float[] value = new float[1];
    private final int[] decoded;
    private final TeacherForced.Reader pick;

    /**
     * @param model stays its owner's
     */
    OwnModel(LoadedModel model, Workload work) {
        this(model, work, new TimingKernels(model.kernels()));
    }

    /**
     * As above.
     *
     * @param kernels the model's, seen through a clock
     */
    OwnModel(LoadedModel model, Workload work, TimingKernels kernels) {
        this.model = model;
        this.work = work;
        this.kernels = kernels;
        this.decoded = new int[work.decode()];
        this.pick = logits -> kernels.topK(logits, 0, 1, best, value);
        int shortest = Math.max(work.prefill(), work.shortPrefix() + work.decode() + 1);
        this.shortRun = new TeacherForced(model, kernels, shortest);
        this.longRun = new TeacherForced(model, kernels, work.positions());
        this.many = new ManySequences(model, kernels, work);
    }

    @Override
    public Reading read(Figure figure) {
        long nanos = 0;
        long tokens = 0;
        kernels.reset();
        while (nanos < work.seconds() * 1e9) {
            if (figure == Figure.PREFILL) {
                shortRun.restart();
                long started = System.nanoTime();
                prefill(shortRun, work.prefill());
                nanos += System.nanoTime() - started;
                tokens += work.prefill();
            } else if (figure == Figure.DECODE_MANY) {
                kernels.count(false);
                many.restart();
                kernels.count(true);
                long started = System.nanoTime();
                many.decode(work.decode());
                nanos += System.nanoTime() - started;
                tokens += (long) work.sequences() * work.decode();
            } else {
                TeacherForced run = prepare(figure);
                long started = System.nanoTime();
                decode(run, figure);
                nanos += System.nanoTime() - started;
                tokens += work.decode();
            }
        }
        return new Reading(
                tokens / (nanos / 1e9),
                (double) kernels.operations() / kernels.nanos(),
                (double) kernels.nanos() / nanos,
                (double) kernels.weightBytes() / nanos,
                nanos / 1e9);
    }

    /** Runs the text up to {@code end}. */
    private void prefill(TeacherForced run, int end) {
        while (run.length() < end) {
            int from = run.length();
            int count = Math.min(STEP_ROWS, end - from);
            if (from + count == end) {
                run.run(work.ids(), from, count, Step.Wanted.LAST, pick);
            } else {
                run.run(work.ids(), from, count, Step.Wanted.NONE, _ -> {});
            }
        }
    }

    /** A run that holds the figure's prefix, at no cost to the figure. */
    private TeacherForced prepare(Figure figure) {
        TeacherForced run = figure == Figure.DECODE_LONG ? longRun : shortRun;
        int prefix = work.prefix(figure);
        kernels.count(false);
        // Whatever a run holds begins with the text.
        prefill(run, prefix);
        run.cutTo(prefix, work.decode());
        kernels.count(true);
        return run;
    }

    private void decode(TeacherForced run, Figure figure) {
        one[0] = work.ids()[work.prefix(figure)];
        for (int i = 0; i < decoded.length; i++) {
            run.run(one, 0, 1, Step.Wanted.LAST, pick);
            decoded[i] = best[0];
            one[0] = best[0];
        }
    }

    /** Tokens that the decode at short context gives. */
    int[] greedy() {
        decode(prepare(Figure.DECODE_SHORT), Figure.DECODE_SHORT);
        return decoded.clone();
    }

    /** SHA-256 of ids as little-endian 32-bit numbers, the first 16 digits. */
    static String hash(int[] ids) {
        ByteBuffer bytes = ByteBuffer.allocate(ids.length * 4).order(ByteOrder.LITTLE_ENDIAN);
        Arrays.stream(ids).forEach(bytes::putInt);
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(bytes.array());
            return HexFormat.of().formatHex(digest, 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every Java has it
        }
    }

    /**
     * What the forward pass of one token allocates. In serving the step thread hands each token to
     * its request besides, which costs at most 64 bytes.
     *
     * @param stepBytes on the heap by the thread that computes
     * @param processBytes on the heap by all threads
     * @param offHeapBytes outside the heap
     */
    record Allocation(double stepBytes, double processBytes, double offHeapBytes) {}

    /** Counts a warm decode. */
    Allocation allocation() {
        TeacherForced run = prepare(Figure.DECODE_SHORT);
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long offHeap = MemoryLedger.bytes();
        long all = threads.getTotalThreadAllocatedBytes();
        long mine = threads.getCurrentThreadAllocatedBytes();
        decode(run, Figure.DECODE_SHORT);
        mine = threads.getCurrentThreadAllocatedBytes() - mine;
        all = threads.getTotalThreadAllocatedBytes() - all;
        offHeap = MemoryLedger.bytes() - offHeap;
        double tokens = work.decode();
        return new Allocation(mine / tokens, all / tokens, offHeap / tokens);
    }

    /** Mean negative log-likelihood of ids [start, start + count), the first not counted. */
    double nll(int start, int count) {
        double[] sum = new double[1];
        kernels.count(false);
        longRun.restart();
        for (int at = 0; at < count - 1; at += LOGIT_ROWS) {
            int from = start + at;
            int rows = Math.min(LOGIT_ROWS, count - 1 - at);
            longRun.run(
                    work.ids(),
                    from,
                    rows,
                    Step.Wanted.ALL,
                    logits -> {
                        for (int i = 0; i < rows; i++) {
                            sum[0] +=
                                    (double) model.kernels().logSumExp(logits, i)
                                            - logits.get(i, work.ids()[from + i + 1]);
                        }
                    });
        }
        kernels.count(true);
        longRun.restart(); // what it holds must begin with the text
        return sum[0] / (count - 1);
    }

    @Override
    public void close() {
        shortRun.close();
        longRun.close();
        many.close();
    }
}
