package dev.flagship.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.KvRows;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.RopeTable;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.SpinTeam;
import dev.flagship.tensor.Team;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What every rung promises: the bits of {@link ScalarKernels}, whatever the sizes, the numbers, the
 * addresses, the threads and the company of a row.
 *
 * <p>Each rung is made once per test with teams of 1, 2 and 3 and meets all sizes in turn, so that
 * what it keeps from one call to the next cannot change an answer either.
 */
public abstract class KernelsContract {
    private static final int[] ROWS = {1, 4, 6, 8, 13, 16, 25, 33, 100, 576};
    private static final int[] COUNTS = {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 25, 50};
    private static final int[] BLOCK_COLS = {32, 64, 96, 256, 288, 576};
    private static final int[] SUPER_BLOCK_COLS = {256, 512, 768};
    private static final int[] PLAIN_COLS = {1, 7, 20, 33, 64, 257, 300, 576};

    /** Around vectors, bands, strips and the size from which a team is woken. */
    private static final int[] WIDTHS = {1, 7, 8, 15, 16, 17, 33, 100, 255, 256, 257, 576, 1000};

    private static final List<DType> QUANTIZED =
            Arrays.stream(DType.values()).filter(DType::quantized).toList();

    private static final long MEMORY = 48 << 20;

    private final Seed seed = Seed.given();
    private final Random random = seed.random();
    private final Kernels truth = new ScalarKernels(new SerialTeam());
    private final List<Team> teams = new ArrayList<>();
    private final List<Kernels> rungs = new ArrayList<>();
    private GuardedMemory memory = new GuardedMemory(1, random);

    /** The rung under test. */
    protected abstract Kernels create(Team team);

    @BeforeEach
    void open() {
        memory.close();
        memory = new GuardedMemory(MEMORY, random);
        for (int size = 1; size <= 3; size++) {
            Team team = new SpinTeam(size);
            teams.add(team);
            rungs.add(create(team));
        }
    }

    @AfterEach
    void close() {
        memory.close();
        rungs.forEach(Kernels::close);
        teams.forEach(Team::close);
    }

    private String describe(String what, int rung) {
        return "%s, %s with %d threads, %s"
                .formatted(what, rungs.get(rung).rung(), teams.get(rung).size(), seed);
    }

    /** An operation that writes one tensor. */
    private interface Operation {
        void run(Kernels kernels, Tensor out);
    }

    /** Runs the operation on every rung and expects the truth's bits, and nothing else written. */
    private void expectSame(String what, Shape shape, Operation operation) {
        Tensor expected = memory.tensor(shape);
        operation.run(truth, expected);
        for (int i = 0; i < rungs.size(); i++) {
            Tensor actual = memory.tensor(shape);
            operation.run(rungs.get(i), actual);
            Bits.assertSame(describe(what, i), actual, expected);
        }
        memory.reset(what + ", " + seed);
    }

    /** As {@link #expectSame}, for an operation that starts from what its output holds. */
    private void expectSameInPlace(String what, Tensor start, Operation operation) {
        expectSame(
                what,
                start.shape(),
                (kernels, out) -> {
                    out.data().copyFrom(start.data());
                    operation.run(kernels, out);
                });
    }

    private Tensor awkward(int rows, int width) {
        Tensor x = memory.tensor(rows, width);
        Activations.fill(x, random);
        return x;
    }

    private Tensor usual(int rows, int width) {
        Tensor x = memory.tensor(rows, width);
        Activations.fillUsual(x, random);
        return x;
    }

    private BandMatrix matrix(DType type, int rows, int cols, SourceBlocks.Kind kind) {
        byte[] source = SourceBlocks.random(type, rows * cols, kind, random);
        return memory.matrix("m", type, rows, cols, source);
    }

    private SourceBlocks.Kind anyKind() {
        return random.nextInt(3) == 0 ? SourceBlocks.Kind.EXTREME : SourceBlocks.Kind.USUAL;
    }

    private static int[] cols(DType type) {
        if (type.superBlocks()) {
            return SUPER_BLOCK_COLS;
        }
        return type.quantized() ? BLOCK_COLS : PLAIN_COLS;
    }

    // --- products

    @Test
    void embedsAnyRowOfAnyType() {
        for (DType type : DType.values()) {
            for (int cols : cols(type)) {
                BandMatrix table = matrix(type, 37, cols, anyKind());
                int[] ids = {0, 36, 16, 15, 15, 32, 1};
                expectSame(
                        "embed %s of %d".formatted(type, cols),
                        Shape.of(ids.length, cols),
                        (kernels, out) -> kernels.embed(table, ids, out));
            }
        }
    }

    @Test
    void projectsExactly() {
        projectAllSizes(Numerics.EXACT);
    }

    @Test
    void projectsFast() {
        projectAllSizes(Numerics.FAST);
    }

    private void projectAllSizes(Numerics numerics) {
        int turn = random.nextInt(100);
        for (DType type : DType.values()) {
            for (int rows : ROWS) {
                for (int count : COUNTS) {
                    int cols = cols(type)[turn++ % cols(type).length];
                    BandMatrix w = matrix(type, rows, cols, anyKind());
                    project(numerics, awkward(count, cols), w);
                }
            }
        }
    }

    private void project(Numerics numerics, Tensor x, BandMatrix w) {
        expectSame(
                "project %s %s [%d, %d] × %d"
                        .formatted(numerics, w.type(), w.rows(), w.cols(), x.rows()),
                Shape.of(x.rows(), w.rows()),
                (kernels, out) -> kernels.project(x, List.of(w), List.of(out), numerics));
    }

    @Test
    void projectsExtremeQuantsWithExtremeActivations() {
        for (Numerics numerics : Numerics.values()) {
            for (DType type : QUANTIZED) {
                int cols = type.superBlocks() ? 256 : 96;
                for (int pattern : new int[] {0x00, 0xFF, 0x80, 0x81, 0x7F}) {
                    for (int count : new int[] {1, 2, 13}) {
                        byte[] source =
                                SourceBlocks.random(
                                        type, 33 * cols, SourceBlocks.Kind.USUAL, random);
                        for (int i = 0; i < source.length; i++) {
                            if (!SourceBlocks.isScale(type, i % type.blockBytes())) {
                                source[i] = (byte) pattern;
                            }
                        }
                        BandMatrix w = memory.matrix("m", type, 33, cols, source);
                        Tensor x = memory.tensor(count, cols);
                        for (int row = 0; row < count; row++) {
                            for (int k = 0; k < cols; k++) {
                                // All +127, all −127, and both in turn.
                                x.set(
                                        row,
                                        k,
                                        row % 3 == 0 || (row % 3 == 2 && k % 2 == 0) ? 5f : -5f);
                            }
                        }
                        project(numerics, x, w);
                    }
                }
            }
        }
    }

    @Test
    void projectsWeightsOfSeveralTypesAtOnce() {
        DType[] types = {DType.Q8_0, DType.Q4_1, DType.F32, DType.BF16, DType.Q4_0, DType.F16};
        projectAtOnce(types, new int[] {13, 33, 1, 100, 16, 6}, new int[] {32, 96, 288});
        projectAtOnce(
                DType.values(),
                new int[] {16, 1, 33, 13, 6, 48, 47, 70, 17, 100, 15, 32, 64, 31, 5, 18},
                new int[] {256});
    }

    private void projectAtOnce(DType[] types, int[] rows, int[] widths) {
        for (Numerics numerics : Numerics.values()) {
            for (int cols : widths) {
                for (int count : new int[] {1, 2, 7, 13, 25}) {
                    Tensor x = awkward(count, cols);
                    int first = random.nextInt(types.length);
                    List<BandMatrix> weights = new ArrayList<>();
                    List<Tensor> expected = new ArrayList<>();
                    for (int i = 0; i < types.length; i++) {
                        int at = (first + i) % types.length;
                        int outputs = rows[at % rows.length];
                        weights.add(matrix(types[at], outputs, cols, anyKind()));
                        expected.add(memory.tensor(count, outputs));
                    }
                    truth.project(x, weights, expected, numerics);
                    String what = "project %s [%d] × %d, mixed".formatted(numerics, cols, count);
                    for (int r = 0; r < rungs.size(); r++) {
                        List<Tensor> actual =
                                expected.stream().map(t -> memory.tensor(t.shape())).toList();
                        rungs.get(r).project(x, weights, actual, numerics);
                        for (int i = 0; i < actual.size(); i++) {
                            Bits.assertSame(
                                    describe(what + " " + weights.get(i).type(), r),
                                    actual.get(i),
                                    expected.get(i));
                        }
                    }
                    memory.reset(what);
                }
            }
        }
    }

    @Test
    void aRowsProductDoesNotDependOnItsCompany() {
        for (Numerics numerics : Numerics.values()) {
            for (DType type : DType.values()) {
                int cols = type.superBlocks() ? 256 : 288;
                BandMatrix w = matrix(type, 100, cols, SourceBlocks.Kind.USUAL);
                Tensor x = awkward(25, cols);
                for (int r = 0; r < rungs.size(); r++) {
                    Tensor whole = memory.tensor(25, 100);
                    rungs.get(r).project(x, List.of(w), List.of(whole), numerics);
                    for (int from = 0, count = 1; from < 25; from += count, count++) {
                        int rows = Math.min(count, 25 - from);
                        Tensor part = memory.tensor(rows, cols);
                        for (int row = 0; row < rows; row++) {
                            part.put(row, x.row(from + row));
                        }
                        Tensor out = memory.tensor(rows, 100);
                        rungs.get(r).project(part, List.of(w), List.of(out), numerics);
                        for (int row = 0; row < rows; row++) {
                            String what = describe(numerics + " " + type + " chunked", r);
                            Bits.assertSameRow(what, out, row, whole, from + row);
                        }
                    }
                }
                memory.reset("chunks, " + seed);
            }
        }
    }

    @Test
    void productsLeaveTheirInputsAlone() {
        BandMatrix w = matrix(DType.Q4_1, 33, 96, SourceBlocks.Kind.USUAL);
        Tensor x = awkward(13, 96);
        Tensor before = memory.copy(x);
        byte[] numbers = w.numbers().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
        for (Kernels kernels : rungs) {
            kernels.project(x, List.of(w), List.of(memory.tensor(13, 33)), Numerics.FAST);
        }
        Bits.assertSame("x", x, before);
        assertThat(w.numbers().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE)).isEqualTo(numbers);
    }

    // --- pointwise

    @Test
    void normalisesRows() {
        for (int width : WIDTHS) {
            for (int rows : new int[] {0, 1, 3, 40}) {
                Tensor x = awkward(rows, width);
                Tensor weight = usual(1, width);
                float eps = random.nextBoolean() ? 1e-5f : 0f;
                expectSame(
                        "rmsNorm (%d, %d)".formatted(rows, width),
                        x.shape(),
                        (kernels, out) -> kernels.rmsNorm(x, weight, eps, out));
            }
        }
    }

    @Test
    void normalisesRowsAroundTheirMean() {
        for (int width : WIDTHS) {
            for (int rows : new int[] {0, 1, 3, 40}) {
                Tensor x = awkward(rows, width);
                Tensor weight = usual(1, width);
                Tensor bias = usual(1, width);
                float eps = random.nextBoolean() ? 1e-5f : 0f;
                expectSame(
                        "layerNorm (%d, %d)".formatted(rows, width),
                        x.shape(),
                        (kernels, out) -> kernels.layerNorm(x, weight, bias, eps, out));
            }
        }
    }

    @Test
    void rotatesHeads() {
        for (int size : new int[] {2, 8, 20, 32, 64, 80, 128}) {
            float[] frequencies = new float[size / 2];
            for (int i = 0; i < frequencies.length; i++) {
                frequencies[i] = (float) Math.pow(10_000, -2.0 * i / size);
            }
            RopeTable table = new RopeTable(frequencies);
            table.ensure(3000);
            for (int heads : new int[] {1, 3, 9}) {
                for (int rows : new int[] {1, 5, 40}) {
                    int[] positions = random.ints(rows, 0, 3000).toArray();
                    positions[0] = 2999;
                    Tensor x = awkward(rows, heads * size);
                    expectSameInPlace(
                            "rope (%d, %d, %d)".formatted(rows, heads, size),
                            x,
                            (kernels, out) ->
                                    kernels.rope(out.split(heads, size), table, positions));
                }
            }
        }
    }

    @Test
    void gatesInPlaceAndElsewhere() {
        for (int width : WIDTHS) {
            for (int rows : new int[] {1, 2, 40}) {
                String what = "swiGlu (%d, %d)".formatted(rows, width);
                Tensor gate = awkward(rows, width);
                Tensor up = awkward(rows, width);
                expectSame(what, gate.shape(), (kernels, out) -> kernels.swiGlu(gate, up, out));
                Tensor gate2 = awkward(rows, width);
                Tensor up2 = awkward(rows, width);
                expectSameInPlace(what + " over gate", gate2, (k, out) -> k.swiGlu(out, up2, out));
                Tensor gate3 = awkward(rows, width);
                Tensor up3 = awkward(rows, width);
                expectSameInPlace(what + " over up", up3, (k, out) -> k.swiGlu(gate3, out, out));
            }
        }
    }

    @Test
    void activatesInPlaceAndElsewhere() {
        activates("gelu", Kernels::gelu);
        activates("relu", Kernels::relu);
    }

    @Test
    void sharesOutOneInEveryRow() {
        activates("softmax", Kernels::softmax);
    }

    /** An operation with an input and an output of its shape. */
    private interface Activation {
        void run(Kernels kernels, Tensor x, Tensor out);
    }

    private void activates(String name, Activation operation) {
        for (int width : WIDTHS) {
            for (int rows : new int[] {0, 1, 3, 40}) {
                String what = "%s (%d, %d)".formatted(name, rows, width);
                Tensor x = awkward(rows, width);
                for (int row = 0; row < rows; row += 4) { // through every bend of the curves
                    for (int i = 0; i < width; i++) {
                        x.set(row, i, (float) random.nextGaussian() * (row + 2));
                    }
                }
                expectSame(what, x.shape(), (kernels, out) -> operation.run(kernels, x, out));
                Tensor y = awkward(rows, width);
                expectSameInPlace(what + " in place", y, (k, out) -> operation.run(k, out, out));
            }
        }
    }

    @Test
    void adds() {
        for (int width : WIDTHS) {
            for (int rows : new int[] {1, 3, 40}) {
                Tensor x = awkward(rows, width);
                Tensor y = awkward(rows, width);
                expectSameInPlace(
                        "add (%d, %d)".formatted(rows, width), x, (k, out) -> k.add(out, y));
            }
        }
    }

    @Test
    void gathersRows() {
        for (int width : WIDTHS) {
            Tensor x = awkward(9, width);
            int[] rows = {8, 0, 3, 3, 7};
            expectSame(
                    "gather of " + width,
                    Shape.of(rows.length, width),
                    (kernels, out) -> kernels.gather(x, rows, out));
        }
    }

    // --- attention

    /** Rows of a sequence that a step adds at its end. */
    private record Run(int start, int count) {}

    private static final List<List<Run>> STEPS =
            List.of(
                    List.of(new Run(0, 1)),
                    List.of(new Run(0, 40)),
                    List.of(new Run(15, 2), new Run(63, 2), new Run(0, 3), new Run(64, 1)),
                    List.of(new Run(500, 20)),
                    List.of(new Run(511, 1)),
                    List.of(new Run(512, 1), new Run(7, 1)),
                    List.of(new Run(1030, 1)),
                    List.of(new Run(1020, 6), new Run(511, 2), new Run(30, 5)));

    private static final int[][] HEADS = { // KV heads, queries per KV head, head size
        {1, 1, 8}, {2, 2, 20}, {3, 3, 64}, {1, 4, 80}, {2, 1, 128}
    };

    private static final int[][] HEADS_OF_GROUPS = { // head size a multiple of 32
        {1, 1, 32}, {3, 3, 64}, {1, 4, 96}, {2, 1, 128}
    };

    private static int[][] heads(DType type) {
        return type == DType.Q8_0 ? HEADS_OF_GROUPS : HEADS;
    }

    /** Pages of all sequences of a step in random order, filled. */
    private KvRows cache(KvLayout layout, List<Run> step, boolean special) {
        int pages = step.stream().mapToInt(r -> pagesFor(r)).sum() + 2;
        List<Integer> order = new ArrayList<>();
        for (int i = 0; i < pages; i++) {
            order.add(i);
        }
        java.util.Collections.shuffle(order, random);
        KvRows rows = new KvRows(layout, memory.take((long) pages * layout.pageBytes()));
        KvPages.fill(layout, rows.pool(), special, random);
        int next = 0;
        for (Run run : step) {
            int[] table = new int[pagesFor(run)];
            for (int i = 0; i < table.length; i++) {
                table[i] = order.get(next++);
            }
            for (int i = 0; i < run.count; i++) {
                rows.add(table, run.start + i);
            }
        }
        return rows;
    }

    private static int pagesFor(Run run) {
        return (run.start + run.count + KvLayout.PAGE - 1) / KvLayout.PAGE;
    }

    private void attendEverywhere(boolean special) {
        for (DType type : KvLayout.TYPES) {
            for (int[] heads : heads(type)) {
                KvLayout layout = new KvLayout(2, heads[0], heads[2], type);
                for (List<Run> step : STEPS) {
                    KvRows rows = cache(layout, step, special);
                    int queryHeads = heads[0] * heads[1];
                    Tensor q =
                            special
                                    ? awkward(rows.count(), queryHeads * heads[2])
                                    : usual(rows.count(), queryHeads * heads[2]);
                    expectSame(
                            "attend %s, %s query heads, %s".formatted(layout, queryHeads, step),
                            q.shape(),
                            (kernels, out) ->
                                    kernels.attend(rows, 1, q.split(queryHeads, heads[2]), out));
                }
            }
        }
    }

    @Test
    void attendsAcrossPagesSegmentsAndPieces() {
        attendEverywhere(false);
    }

    @Test
    void attendsToWhatIsNotFinite() {
        attendEverywhere(true);
    }

    @Test
    void aRowsAttentionDoesNotDependOnItsCompany() {
        companyMakesNoDifference(new KvLayout(1, 2, 20, DType.F16));
        companyMakesNoDifference(new KvLayout(1, 2, 32, DType.Q8_0));
    }

    private void companyMakesNoDifference(KvLayout layout) {
        int size = layout.headSize();
        int width = 4 * size;
        for (List<Run> step : STEPS) {
            KvRows rows = cache(layout, step, false);
            Tensor q = usual(rows.count(), width).split(4, size);
            for (int r = 0; r < rungs.size(); r++) {
                Tensor whole = memory.tensor(rows.count(), width);
                rungs.get(r).attend(rows, 0, q, whole);
                for (int row = 0; row < rows.count(); row++) {
                    KvRows alone = new KvRows(layout, rows.pool());
                    int[] table = new int[rows.position(row) / KvLayout.PAGE + 1];
                    for (int p = 0; p < table.length; p++) {
                        table[p] = rows.page(row, p * KvLayout.PAGE);
                    }
                    alone.add(table, rows.position(row));
                    Tensor one = memory.tensor(1, width);
                    one.put(0, q.row(row));
                    Tensor out = memory.tensor(1, width);
                    rungs.get(r).attend(alone, 0, one.split(4, size), out);
                    Bits.assertSameRow(describe("attend alone, " + step, r), out, 0, whole, row);
                }
            }
            memory.reset("attend alone, " + seed);
        }
    }

    @Test
    void appendsToItsPlaceAndNowhereElse() {
        for (DType type : KvLayout.TYPES) {
            for (int[] heads : heads(type)) {
                for (List<Run> step : STEPS.subList(0, 4)) {
                    append(new KvLayout(2, heads[0], heads[2], type), step);
                }
            }
        }
    }

    /** More than the size from which a team is woken; rows of several threads share a page. */
    @Test
    void appendsManyRowsAtOnce() {
        for (DType type : KvLayout.TYPES) {
            append(new KvLayout(2, 3, 64, type), List.of(new Run(5, 90), new Run(40, 13)));
        }
    }

    private void append(KvLayout layout, List<Run> step) {
        KvRows start = cache(layout, step, false);
        Tensor keys = awkward(start.count(), layout.kvHeads() * layout.headSize());
        Tensor values = awkward(start.count(), layout.kvHeads() * layout.headSize());
        String what = "append %s, %s".formatted(layout, step);
        if (layout.type() == DType.Q8_0) {
            appendBytes(what, start, keys, values);
            return;
        }
        int floats = Math.toIntExact(start.pool().byteSize() / 4);
        Tensor pool = Tensor.of(Shape.of(1, floats), start.pool());
        expectSameInPlace(
                what, pool, (kernels, out) -> append(kernels, start, out.data(), keys, values));
    }

    /** Where bytes are no floats, and there is but one NaN, none may differ. */
    private void appendBytes(String what, KvRows start, Tensor keys, Tensor values) {
        MemorySegment expected = memory.take(start.pool().byteSize()).copyFrom(start.pool());
        append(truth, start, expected, keys, values);
        for (int i = 0; i < rungs.size(); i++) {
            MemorySegment actual = memory.take(start.pool().byteSize()).copyFrom(start.pool());
            append(rungs.get(i), start, actual, keys, values);
            assertThat(actual.mismatch(expected)).as(describe(what, i)).isEqualTo(-1);
        }
        memory.reset(what + ", " + seed);
    }

    /** Appends to a pool what {@code start} has rows for. */
    private static void append(
            Kernels kernels, KvRows start, MemorySegment pool, Tensor keys, Tensor values) {
        KvRows rows = new KvRows(start.layout(), pool);
        for (int row = 0; row < start.count(); row++) {
            int last = start.position(row) / KvLayout.PAGE;
            int[] table = new int[last + 1];
            table[last] = start.page(row, start.position(row));
            rows.add(table, start.position(row));
        }
        kernels.append(rows, 1, keys, values);
    }

    // --- logits

    @Test
    void sumsExponentials() {
        for (int width : new int[] {1, 7, 15, 16, 17, 255, 256, 257, 1000, 49_152}) {
            Tensor logits = awkward(10, width);
            for (int row = 0; row < logits.rows(); row++) {
                float expected = truth.logSumExp(logits, row);
                for (int r = 0; r < rungs.size(); r++) {
                    float actual = rungs.get(r).logSumExp(logits, row);
                    Bits.assertSame(describe("logSumExp of " + width, r), actual, expected);
                }
            }
            memory.reset("logSumExp, " + seed);
        }
    }

    @Test
    void findsTheBestWithTiesAndNan() {
        for (int width : new int[] {1, 7, 16, 255, 256, 257, 1000, 49_152}) {
            Tensor logits = awkward(10, width);
            for (int i = 0; i < width; i += 2) {
                logits.set(0, i, random.nextInt(3)); // ties
            }
            for (int row = 0; row < logits.rows(); row++) {
                for (int k : new int[] {1, 2, 5, 40, 300}) {
                    if (k <= width) {
                        topK(logits, row, k);
                    }
                }
            }
            memory.reset("topK, " + seed);
        }
    }

    private void topK(Tensor logits, int row, int k) {
        int[] expectedIds = new int[k];
        float[] expected = new float[k];
        truth.topK(logits, row, k, expectedIds, expected);
        for (int r = 0; r < rungs.size(); r++) {
            int[] ids = new int[k + 1];
            float[] values = new float[k + 1];
            ids[k] = -7;
            rungs.get(r).topK(logits, row, k, ids, values);
            String what = describe("top %d of %d".formatted(k, logits.rowSize()), r);
            assertThat(java.util.Arrays.copyOf(ids, k)).as(what).isEqualTo(expectedIds);
            for (int i = 0; i < k; i++) {
                Bits.assertSame(what, values[i], expected[i]);
            }
            assertThat(ids[k]).as(what).isEqualTo(-7);
        }
    }

    // --- several at once

    private static final int AT_ONCE = 32;
    private static final int ROUNDS = 8;

    /** Nothing that a rung keeps may be shared with another of its kind. */
    @Test
    void thirtyTwoAtOnceGetTheBitsOfOneAlone() throws InterruptedException {
        List<BandMatrix> weights = new ArrayList<>();
        for (DType type : List.of(DType.Q4_1, DType.Q8_0, DType.Q6_K, DType.F32)) {
            weights.add(matrix(type, 33, 256, SourceBlocks.Kind.USUAL));
        }
        List<Answered> all = new ArrayList<>();
        for (int i = 0; i < AT_ONCE; i++) {
            all.add(new Answered(usual(1 + i % 5, 256), weights.get(i % weights.size())));
        }
        List<Throwable> failures = new CopyOnWriteArrayList<>();
        List<Thread> threads = new ArrayList<>();
        CountDownLatch ready = new CountDownLatch(AT_ONCE);
        for (Answered each : all) {
            Thread thread =
                    Thread.ofPlatform()
                            .unstarted(() -> {
                                try (Team team = new SerialTeam();
                                        Kernels own = create(team)) {
                                    ready.countDown();
                                    ready.await();
                                    for (int round = 0; round < ROUNDS; round++) {
                                        each.check(own, "round %d, %s".formatted(round, seed));
                                    }
                                } catch (Throwable t) {
                                    failures.add(t);
                                    ready.countDown();
                                }
                            });
            threads.add(thread);
            thread.start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failures).isEmpty();
        memory.verifyWalls("32 at once, " + seed);
    }

    /** What one thread asks for again and again, and what it must get. */
    private final class Answered {
        private final Tensor x;
        private final List<Product> products = new ArrayList<>();
        private final Tensor shares;
        private final Tensor ownShares;
        private final float sum;

        private record Product(BandMatrix w, Numerics numerics, Tensor expected, Tensor actual) {}

        Answered(Tensor x, BandMatrix w) {
            this.x = x;
            for (Numerics numerics : Numerics.values()) {
                Tensor expected = memory.tensor(x.rows(), w.rows());
                truth.project(x, List.of(w), List.of(expected), numerics);
                Tensor actual = memory.tensor(x.rows(), w.rows());
                products.add(new Product(w, numerics, expected, actual));
            }
            shares = memory.tensor(x.shape());
            ownShares = memory.tensor(x.shape());
            truth.softmax(x, shares);
            sum = truth.logSumExp(x, 0);
        }

        void check(Kernels kernels, String what) {
            for (Product each : products) {
                kernels.project(x, List.of(each.w), List.of(each.actual), each.numerics);
                Bits.assertSame(
                        "project %s %s, %s".formatted(each.w.type(), each.numerics, what),
                        each.actual,
                        each.expected);
            }
            kernels.softmax(x, ownShares);
            Bits.assertSame("softmax, " + what, ownShares, shares);
            Bits.assertSame("logSumExp, " + what, kernels.logSumExp(x, 0), sum);
        }
    }

    // --- refusals

    private void refused(Operation operation, Shape out) {
        for (Kernels kernels : rungs) {
            Tensor tensor = memory.tensor(out);
            assertThatThrownBy(() -> operation.run(kernels, tensor))
                    .isInstanceOf(InvalidArgumentException.class);
            Tensor untouched = memory.tensor(out);
            Bits.assertSame("output of a refused call", tensor, untouched);
        }
    }

    @Test
    void refusesShapesThatDoNotFit() {
        BandMatrix w = matrix(DType.F32, 5, 8, SourceBlocks.Kind.USUAL);
        Tensor x = usual(3, 8);
        Tensor other = usual(3, 7);
        RopeTable table = new RopeTable(new float[] {1f, 0.1f, 0.01f, 0.001f});
        table.ensure(10);
        int reach = table.cos().length / 4;
        Numerics exact = Numerics.EXACT;
        refused((k, out) -> k.embed(w, new int[] {5}, out), Shape.of(1, 8));
        refused((k, out) -> k.embed(w, new int[] {-1}, out), Shape.of(1, 8));
        refused((k, out) -> k.embed(w, new int[] {1}, out), Shape.of(2, 8));
        refused((k, out) -> k.project(other, List.of(w), List.of(out), exact), Shape.of(3, 5));
        refused((k, out) -> k.project(x, List.of(w), List.of(out), exact), Shape.of(3, 6));
        refused((k, out) -> k.project(x, List.of(w), List.of(out), exact), Shape.of(2, 5));
        refused((k, out) -> k.project(x, List.of(w, w), List.of(out), exact), Shape.of(3, 5));
        refused((k, out) -> k.rmsNorm(x, other, 0, out), Shape.of(3, 8));
        refused((k, out) -> k.rmsNorm(x, usual(1, 8), 0, out), Shape.of(2, 8));
        refused((k, out) -> k.layerNorm(x, other, usual(1, 8), 0, out), Shape.of(3, 8));
        refused((k, out) -> k.layerNorm(x, usual(1, 8), other, 0, out), Shape.of(3, 8));
        refused((k, out) -> k.layerNorm(x, usual(1, 8), usual(1, 8), 0, out), Shape.of(2, 8));
        refused((k, out) -> k.rope(out, table, new int[] {reach}), Shape.of(1, 8));
        refused((k, out) -> k.rope(out, table, new int[] {-1}), Shape.of(1, 8));
        refused((k, out) -> k.rope(out, table, new int[] {Integer.MAX_VALUE}), Shape.of(1, 8));
        refused((k, out) -> k.rope(out, table, new int[] {1 << 29}), Shape.of(1, 8));
        refused((k, out) -> k.swiGlu(x, other, out), Shape.of(3, 8));
        refused((k, out) -> k.gelu(other, out), Shape.of(3, 8));
        refused((k, out) -> k.relu(x, out), Shape.of(2, 8));
        refused((k, out) -> k.softmax(other, out), Shape.of(3, 8));
        refused((k, out) -> k.add(out, other), Shape.of(3, 8));
        refused((k, out) -> k.gather(x, new int[] {3}, out), Shape.of(1, 8));
        refused((k, out) -> k.gather(x, new int[] {-1}, out), Shape.of(1, 8));
        refused((k, out) -> k.logSumExp(out, 1), Shape.of(1, 8));
        refused((k, out) -> k.logSumExp(out, -1), Shape.of(1, 8));
        refused((k, out) -> k.topK(out, 0, 9, new int[9], new float[9]), Shape.of(1, 8));
        refused((k, out) -> k.topK(out, 1, 1, new int[1], new float[1]), Shape.of(1, 8));
        refused((k, out) -> k.topK(out, 0, 2, new int[1], new float[2]), Shape.of(1, 8));
    }

    @Test
    void refusesRowsThatDoNotFitTheCache() {
        KvLayout layout = new KvLayout(2, 2, 4, DType.F32);
        KvRows rows = cache(layout, List.of(new Run(3, 2)), false);
        Tensor one = usual(2, 8);
        refused((k, out) -> k.append(rows, 2, one, out), Shape.of(2, 8));
        refused((k, out) -> k.append(rows, -1, one, out), Shape.of(2, 8));
        refused((k, out) -> k.append(rows, 0, one, out), Shape.of(3, 8));
        refused((k, out) -> k.append(rows, 0, one, out), Shape.of(2, 9));
        refused((k, out) -> k.attend(rows, 2, one.split(2, 4), out), Shape.of(2, 8));
        refused((k, out) -> k.attend(rows, 0, one.split(1, 8), out), Shape.of(2, 8));
        refused((k, out) -> k.attend(rows, 0, usual(2, 12).split(3, 4), out), Shape.of(2, 12));
        refused((k, out) -> k.attend(rows, 0, one.split(2, 4), out), Shape.of(1, 8));
    }
}
