package dev.flagship.kernels.x86;

import static dev.flagship.testing.AllocationCheck.allocatesNothing;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.tensor.DType;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.KvRows;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.SpinTeam;
import dev.flagship.tensor.Team;
import dev.flagship.tensor.Tensor;
import dev.flagship.testing.Bits;
import dev.flagship.testing.GuardedMemory;
import dev.flagship.testing.KvPages;
import dev.flagship.testing.Seed;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

@OnLinuxX86
class AttentionTest {
    private static final Set<DType> TYPES = Set.copyOf(AttentionSelfTest.TYPES);
    private static final int NEVER = Integer.MAX_VALUE;
    private static final int ALWAYS = 1;

    private final Seed seed = Seed.given();
    private final Random random = seed.random();
    private KernelLibrary library = Libraries.load(isa());
    private GuardedMemory memory = new GuardedMemory(1, random);

    /** Subclasses test the other length of registers. */
    Isa isa() {
        return Isa.AVX512_VNNI;
    }

    @BeforeEach
    void open() {
        library.close();
        memory.close();
        library = Libraries.load(isa());
        memory = new GuardedMemory(24 << 20, random);
    }

    @AfterEach
    void close() {
        memory.close();
        library.close();
    }

    /** The next size that the type allows. */
    private static int size(int size, DType type) {
        return KvLayout.takes(size, type) ? size : size + 16;
    }

    private MemorySegment pool(KvLayout layout, int pages) {
        MemorySegment pool = memory.take(pages * layout.pageBytes());
        KvPages.fill(layout, pool, false, random);
        return pool;
    }

    /** A sequence's rows, the last at {@code last}; its pages lie anywhere in the pool. */
    private void add(KvRows rows, int last, int count) {
        int pages = Math.toIntExact(rows.pool().byteSize() / rows.layout().pageBytes());
        int[] table = random.ints(last / KvLayout.PAGE + 1, 0, pages).toArray();
        for (int i = last - count + 1; i <= last; i++) {
            rows.add(table, i);
        }
    }

    private Tensor queries(KvRows rows, int group) {
        KvLayout kv = rows.layout();
        Tensor q = memory.tensor(rows.count(), kv.kvHeads() * group * kv.headSize());
        for (int row = 0; row < q.rows(); row++) {
            for (int i = 0; i < q.rowSize(); i++) {
                q.set(row, i, (float) random.nextGaussian());
            }
        }
        return q.split(kv.kvHeads() * group, kv.headSize());
    }

    private static void truth(KvRows rows, Tensor q, Tensor out) {
        try (SerialTeam team = new SerialTeam();
                ScalarKernels scalar = new ScalarKernels(team)) {
            scalar.attend(rows, 0, q, out);
        }
    }

    /** Widened or not, by how many threads, in tiles of every width and strips of every width. */
    @Test
    void everyForcedWayGivesTheSameBits() {
        int[] sizes = {16, 32, 48, 64, 112, 128, 256};
        int turn = random.nextInt(sizes.length);
        for (DType type : AttentionSelfTest.TYPES) {
            for (int group = 1; group <= 13; group++) {
                int size = size(sizes[turn++ % sizes.length], type);
                KvLayout layout = new KvLayout(1, 1 + turn % 2, size, type);
                KvRows rows = new KvRows(layout, pool(layout, 40));
                add(rows, random.nextInt(600), 1);
                add(rows, 63 + random.nextInt(20), 1 + random.nextInt(8));
                add(rows, 512 + random.nextInt(9), 5);
                Tensor q = queries(rows, group);
                Tensor expected = memory.tensor(q.rows(), q.rowSize());
                truth(rows, q, expected);
                for (int threads = 1; threads <= 3; threads++) {
                    for (int widenQueries : new int[] {NEVER, 9, ALWAYS}) {
                        Tensor out = memory.tensor(q.rows(), q.rowSize());
                        try (Team team = new SpinTeam(threads);
                                Attention attention =
                                        new Attention(team, library, TYPES, widenQueries)) {
                            attention.attend(rows, 0, q, out);
                        }
                        String what =
                                "%s, %d queries a KV head, widened from %d, %d threads, %s"
                                        .formatted(layout, group, widenQueries, threads, seed);
                        Bits.assertSame(what, out, expected);
                    }
                }
                memory.reset(layout + ", " + seed);
            }
        }
    }

    /** What a query does not see may be anything: stale pages hold NaN as well. */
    @Test
    void whatLiesBehindARowCannotReachIt() {
        for (DType type : AttentionSelfTest.TYPES) {
            KvLayout layout = new KvLayout(1, 1, 64, type);
            MemorySegment pool = pool(layout, 3);
            KvRows rows = new KvRows(layout, pool);
            int[] table = {2, 0, 1};
            for (int i = 28; i < 37; i++) {
                rows.add(table, i);
            }
            Tensor q = queries(rows, 3);
            Tensor before = memory.tensor(q.rows(), q.rowSize());
            Tensor after = memory.tensor(q.rows(), q.rowSize());
            try (SerialTeam team = new SerialTeam();
                    Attention attention = new Attention(team, library, TYPES)) {
                attention.attend(rows, 0, q, before);
                poison(layout, pool, 1, 5); // positions from 37 on
                attention.attend(rows, 0, q, after);
                Bits.assertSame(type + ", all rows, " + seed, after, before);
                poison(layout, pool, 0, 13); // positions 29 to 31: the first row sees none of them
                attention.attend(rows, 0, q, after);
            }
            Bits.assertSameRow(type + ", first row, " + seed, after, 0, before, 0);
            assertThat(after.get(1, 0)).isNaN();
        }
    }

    private static void poison(KvLayout layout, MemorySegment pool, int page, int fromSlot) {
        for (int slot = fromSlot; slot < KvLayout.PAGE; slot++) {
            KvPages.poison(layout, pool, page, slot);
        }
    }

    /**
     * Every operand ends where nobody may read or write, outputs begin so as well: a step too far
     * ends the test's JVM. The rows see one page, some of a segment, several segments, and so much
     * that pieces are merged.
     */
    @Test
    void nothingIsReadOrWrittenBeyondAnEnd() {
        for (DType type : AttentionSelfTest.TYPES) {
            for (int size : new int[] {16, 64, 80}) {
                KvLayout layout = new KvLayout(1, 2, size(size, type), type);
                int last = 37 * KvLayout.PAGE + 6;
                MemorySegment given = pool(layout, last / KvLayout.PAGE + 1);
                try (GuardPages guarded = new GuardPages();
                        SerialTeam team = new SerialTeam();
                        Attention attention = new Attention(team, library, TYPES)) {
                    KvRows rows = new KvRows(layout, guarded.copy(given));
                    addToTheEnd(rows, 15, 7);
                    addToTheEnd(rows, 3, 1);
                    addToTheEnd(rows, 40, 2);
                    addToTheEnd(rows, 150, 5);
                    addToTheEnd(rows, last, 3);
                    Tensor some = queries(rows, 3);
                    Tensor q = Tensor.of(some.shape(), guarded.copy(some.data()));
                    Tensor expected = memory.tensor(q.rows(), q.rowSize());
                    truth(rows, q, expected);
                    for (MemorySegment space : guarded.both(4L * some.shape().elements())) {
                        Tensor out = Tensor.of(some.shape(), space);
                        attention.attend(rows, 0, q, out);
                        Bits.assertSame(layout + ", " + seed, out.join(), expected);
                    }
                }
                memory.reset(layout + ", " + seed);
            }
        }
    }

    /** As {@link #add}, but its last page is the pool's last, and those before are in order. */
    private static void addToTheEnd(KvRows rows, int last, int count) {
        int pages = Math.toIntExact(rows.pool().byteSize() / rows.layout().pageBytes());
        int used = last / KvLayout.PAGE + 1;
        int[] table = IntStream.range(pages - used, pages).toArray();
        for (int i = last - count + 1; i <= last; i++) {
            rows.add(table, i);
        }
    }

    @Test
    void closedMemoryAndForeignPagesAreRefusedBeforeCodeRuns() {
        KvLayout layout = new KvLayout(1, 1, 64, DType.F16);
        try (SerialTeam team = new SerialTeam();
                Attention attention = new Attention(team, library, TYPES)) {
            KvRows rows = new KvRows(layout, pool(layout, 2));
            rows.add(new int[] {0, 2}, 20);
            Tensor q = queries(rows, 2);
            Tensor out = memory.tensor(1, 128);
            assertThatThrownBy(() -> attention.attend(rows, 0, q, out))
                    .isInstanceOf(IndexOutOfBoundsException.class)
                    .hasMessageContaining("page 2 of a pool of 2");
            OffHeap gone = OffHeap.allocate(2 * layout.pageBytes());
            KvRows stale = new KvRows(layout, gone.segment());
            stale.add(new int[] {0}, 3);
            gone.close();
            assertThatThrownBy(() -> attention.attend(stale, 0, q, out))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("closed");
        }
    }

    @Test
    void whatItHasNoKernelForIsLeftToTheOtherRung() {
        try (SerialTeam team = new SerialTeam();
                Attention attention = new Attention(team, library, Set.of(DType.F16))) {
            assertThat(takes(attention, DType.F16, 64, memory.take(1 << 16))).isTrue();
            assertThat(takes(attention, DType.F16, 72, memory.take(1 << 16))).isFalse();
            assertThat(takes(attention, DType.F32, 64, memory.take(1 << 16))).isFalse();
            MemorySegment heap = MemorySegment.ofArray(new byte[1 << 16]);
            assertThat(takes(attention, DType.F16, 64, heap)).isFalse();
        }
    }

    private boolean takes(Attention attention, DType type, int size, MemorySegment pool) {
        KvRows rows = new KvRows(new KvLayout(1, 1, size, type), pool);
        rows.add(new int[] {0}, 3);
        Tensor q = queries(rows, 2);
        return attention.takes(rows, q, Tensor.of(Shape.of(1, 2 * size), q.data()));
    }

    @Test
    void aCallAllocatesNothing() {
        try (SpinTeam team = new SpinTeam(2);
                Attention attention = new Attention(team, library, TYPES)) {
            for (DType type : AttentionSelfTest.TYPES) {
                KvLayout layout = new KvLayout(1, 2, 64, type);
                MemorySegment pool = pool(layout, 20);
                for (int last : new int[] {30, 100, 1100}) {
                    for (int count : new int[] {1, 16}) {
                        KvRows rows = new KvRows(layout, pool);
                        add(rows, last, count);
                        Tensor q = queries(rows, 2);
                        Tensor out = memory.tensor(q.rows(), q.rowSize());
                        allocatesNothing(
                                "attend %s, %d rows at %d".formatted(type, count, last),
                                () -> attention.attend(rows, 0, q, out));
                    }
                }
                memory.reset(type + ", " + seed);
            }
        }
    }

    @Test
    void wrongNumbersDisableTheirTypeOnly() {
        assertThat(AttentionSelfTest.passing(library)).isEqualTo(TYPES);
        try (KernelLibrary damaged = Libraries.load(CorruptingPages.widening(isa()), isa())) {
            assertThat(AttentionSelfTest.passing(damaged)).isEqualTo(Set.of(DType.F32, DType.Q8_0));
        }
    }
}
