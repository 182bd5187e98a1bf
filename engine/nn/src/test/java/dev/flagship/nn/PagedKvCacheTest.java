package dev.flagship.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.nn.PagedKvCache.Sequence;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.MemoryLedger;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PagedKvCacheTest {
    private static final KvLayout LAYOUT = new KvLayout(1, 1, 2, DType.F32);

    private static PagedKvCache cache(int pages) {
        return new PagedKvCache(LAYOUT, pages);
    }

    /** Stores a mark for a position where a kernel would store its key. */
    private static void write(PagedKvCache cache, Sequence sequence, int position, float mark) {
        cache.pool().set(ValueLayout.JAVA_FLOAT_UNALIGNED, place(sequence, position), mark);
    }

    private static float read(PagedKvCache cache, Sequence sequence, int position) {
        return cache.pool().get(ValueLayout.JAVA_FLOAT_UNALIGNED, place(sequence, position));
    }

    private static long place(Sequence sequence, int position) {
        int page = sequence.pages()[position / KvLayout.PAGE];
        return LAYOUT.keys(page, 0, 0) + position % KvLayout.PAGE * 4L;
    }

    /** Appends tokens as a step does; whether there was room. */
    private static boolean append(PagedKvCache cache, Sequence sequence, float... marks) {
        int from = sequence.length();
        if (!sequence.reserve(from + marks.length)) {
            return false;
        }
        for (int i = 0; i < marks.length; i++) {
            write(cache, sequence, from + i, marks[i]);
        }
        sequence.advance(marks.length);
        return true;
    }

    private static float[] marks(int count, float first) {
        float[] marks = new float[count];
        for (int i = 0; i < count; i++) {
            marks[i] = first + i;
        }
        return marks;
    }

    @Test
    void pagesAreTakenAsTokensComeAndGivenBack() {
        try (PagedKvCache cache = cache(4)) {
            Sequence s = cache.sequence();
            assertThat(s.capacity()).isZero();
            assertThat(append(cache, s, marks(16, 0))).isTrue();
            assertThat(cache.freePages()).isEqualTo(3);
            assertThat(append(cache, s, 16)).isTrue();
            assertThat(cache.freePages()).isEqualTo(2);
            s.truncate(16);
            assertThat(cache.freePages()).isEqualTo(3);
            assertThat(s.length()).isEqualTo(16);
            s.close();
            assertThat(cache.freePages()).isEqualTo(4);
        }
    }

    @Test
    void aForkSharesPagesUntilOneOfThemWrites() {
        try (PagedKvCache cache = cache(8)) {
            Sequence a = cache.sequence();
            append(cache, a, marks(20, 0));
            Sequence b = a.fork();
            assertThat(cache.freePages()).isEqualTo(6);
            append(cache, b, 100);
            assertThat(cache.freePages()).as("the partly filled page was copied").isEqualTo(5);
            append(cache, a, 200);
            assertThat(cache.freePages()).as("its other owner now has it alone").isEqualTo(5);
            for (int i = 0; i < 20; i++) {
                assertThat(read(cache, a, i)).isEqualTo(i);
                assertThat(read(cache, b, i)).isEqualTo(i);
            }
            assertThat(read(cache, a, 20)).isEqualTo(200);
            assertThat(read(cache, b, 20)).isEqualTo(100);
            assertThat(a.pages()[0]).isEqualTo(b.pages()[0]);
            a.close();
            b.close();
            assertThat(cache.freePages()).isEqualTo(8);
        }
    }

    @Test
    void aForkDoesNotShareRoomThatWasOnlyReserved() {
        try (PagedKvCache cache = cache(8)) {
            Sequence a = cache.sequence();
            append(cache, a, marks(16, 0));
            a.reserve(32);
            Sequence b = a.fork();
            assertThat(b.capacity()).isEqualTo(16);
            append(cache, a, 1);
            append(cache, b, 2);
            assertThat(read(cache, a, 16)).isEqualTo(1);
            assertThat(read(cache, b, 16)).isEqualTo(2);
        }
    }

    @Test
    void cuttingIntoASharedPageCopiesItBeforeTheNextWrite() {
        try (PagedKvCache cache = cache(8)) {
            Sequence a = cache.sequence();
            append(cache, a, marks(32, 0));
            Sequence b = a.fork();
            b.truncate(10);
            append(cache, b, 500);
            assertThat(read(cache, a, 10)).isEqualTo(10);
            assertThat(read(cache, b, 10)).isEqualTo(500);
            assertThat(read(cache, b, 9)).isEqualTo(9);
        }
    }

    @Test
    void exhaustionChangesNothing() {
        try (PagedKvCache cache = cache(3)) {
            Sequence a = cache.sequence();
            append(cache, a, marks(20, 0));
            Sequence b = a.fork();
            int[] before = b.pages().clone();
            // One page is free: enough for the copy or for the new page, not for both.
            assertThat(b.reserve(40)).isFalse();
            assertThat(b.reserve(Integer.MAX_VALUE)).isFalse();
            assertThat(b.pages()).isEqualTo(before);
            assertThat(b.capacity()).isEqualTo(32);
            assertThat(b.length()).isEqualTo(20);
            assertThat(cache.freePages()).isEqualTo(1);
            assertThat(b.reserve(32)).isTrue();
            assertThat(cache.freePages()).isZero();
            assertThat(cache.sequence().reserve(1)).isFalse();
        }
    }

    @Test
    void lengthsOutOfRangeAreRefused() {
        try (PagedKvCache cache = cache(2)) {
            Sequence a = cache.sequence();
            a.reserve(16);
            a.advance(10);
            assertThatThrownBy(() -> a.advance(7)).isInstanceOf(InvalidArgumentException.class);
            assertThatThrownBy(() -> a.advance(-1)).isInstanceOf(InvalidArgumentException.class);
            assertThatThrownBy(() -> a.advance(Integer.MAX_VALUE))
                    .isInstanceOf(InvalidArgumentException.class);
            assertThatThrownBy(() -> a.truncate(11)).isInstanceOf(InvalidArgumentException.class);
            assertThatThrownBy(() -> a.truncate(-1)).isInstanceOf(InvalidArgumentException.class);
            assertThat(a.length()).isEqualTo(10);
            assertThatThrownBy(() -> cache(0)).isInstanceOf(InvalidArgumentException.class);
        }
    }

    @Test
    void closeGivesThePoolBack() {
        long bytes = MemoryLedger.bytes();
        try (PagedKvCache cache = cache(5)) {
            assertThat(cache.bytes()).isEqualTo(5 * LAYOUT.pageBytes());
            assertThat(MemoryLedger.bytes()).isEqualTo(bytes + cache.bytes());
        }
        assertThat(MemoryLedger.bytes()).isEqualTo(bytes);
    }

    /**
     * 10,000 random operations against lists of numbers: every sequence reads back exactly what it
     * was given, whatever happens to its relatives, and the pool neither leaks nor shares by error.
     */
    @Test
    void behavesLikeListsOfNumbers() {
        String given = System.getProperty("tests.seed", "random");
        long seed = given.equals("random") ? new Random().nextInt() : Long.parseLong(given);
        Random random = new Random(seed);
        int pages = 40;
        try (PagedKvCache cache = cache(pages)) {
            List<Sequence> sequences = new ArrayList<>();
            List<List<Float>> model = new ArrayList<>();
            float mark = 0;
            int refused = 0;
            for (int operation = 0; operation < 10_000; operation++) {
                String at = "operation %d, -Dtests.seed=%d".formatted(operation, seed);
                int who = sequences.isEmpty() ? -1 : random.nextInt(sequences.size());
                int what = random.nextInt(100);
                if (who < 0 || (what < 8 && sequences.size() < 12)) {
                    sequences.add(cache.sequence());
                    model.add(new ArrayList<>());
                } else if (what < 20 && sequences.size() < 12) {
                    sequences.add(sequences.get(who).fork());
                    model.add(new ArrayList<>(model.get(who)));
                } else if (what < 28) {
                    sequences.remove(who).close();
                    model.remove(who);
                } else if (what < 40) {
                    int keep = random.nextInt(model.get(who).size() + 1);
                    sequences.get(who).truncate(keep);
                    model.get(who).subList(keep, model.get(who).size()).clear();
                } else if (what < 45) {
                    sequences.get(who).reserve(random.nextInt(200)); // room only
                } else {
                    int before = cache.freePages();
                    float[] marks =
                            marks(1 + random.nextInt(random.nextInt(10) == 0 ? 60 : 5), mark);
                    if (append(cache, sequences.get(who), marks)) {
                        for (float m : marks) {
                            model.get(who).add(m);
                        }
                        mark = (mark + marks.length) % 10_000_000;
                    } else {
                        refused++;
                        assertThat(cache.freePages()).as(at).isEqualTo(before);
                    }
                }
                verify(cache, sequences, model, at);
            }
            assertThat(refused).as("the pool was full at times").isPositive();
            sequences.forEach(Sequence::close);
            assertThat(cache.freePages()).isEqualTo(pages);
        }
    }

    /** Asked before; then the others are closed indeed. */
    @Test
    void foretellsWhatClosingOthersGives() {
        String given = System.getProperty("tests.seed", "random");
        long seed = given.equals("random") ? new Random().nextInt() : Long.parseLong(given);
        Random random = new Random(seed);
        int[] outcomes = new int[2];
        for (int round = 0; round < 2_000; round++) {
            try (PagedKvCache cache = cache(12)) {
                List<Sequence> sequences = new ArrayList<>(List.of(cache.sequence()));
                for (int i = 0; i < 8; i++) {
                    Sequence one = sequences.get(random.nextInt(sequences.size()));
                    Sequence next = random.nextBoolean() ? one.fork() : cache.sequence();
                    next.truncate(random.nextInt(next.length() + 1));
                    append(cache, next, marks(random.nextInt(40), 0));
                    sequences.add(next);
                }
                Sequence own = sequences.remove(random.nextInt(sequences.size()));
                List<Sequence> others = sequences.subList(0, random.nextInt(sequences.size() + 1));
                int tokens = own.length() + random.nextInt(150);
                boolean foretold = own.fitsWithout(others, tokens);
                others.forEach(Sequence::close);
                assertThat(own.reserve(tokens))
                        .as("round %d, -Dtests.seed=%d", round, seed)
                        .isEqualTo(foretold);
                outcomes[foretold ? 1 : 0]++;
                sequences.forEach(Sequence::close);
                own.close();
            }
        }
        assertThat(outcomes[0]).isGreaterThan(100);
        assertThat(outcomes[1]).isGreaterThan(100);
    }

    private static void verify(
            PagedKvCache cache, List<Sequence> sequences, List<List<Float>> model, String at) {
        int[] owners = new int[cache.pages()];
        for (int i = 0; i < sequences.size(); i++) {
            Sequence s = sequences.get(i);
            List<Float> expected = model.get(i);
            assertThat(s.length()).as(at).isEqualTo(expected.size());
            for (int p = 0; p < expected.size(); p++) {
                if (read(cache, s, p) != expected.get(p)) {
                    assertThat(read(cache, s, p))
                            .as("position %d of sequence %d, %s", p, i, at)
                            .isEqualTo(expected.get(p));
                }
            }
            for (int p = 0; p < s.capacity() / KvLayout.PAGE; p++) {
                owners[s.pages()[p]]++;
            }
        }
        int free = 0;
        for (int count : owners) {
            free += count == 0 ? 1 : 0;
        }
        assertThat(cache.freePages()).as(at).isEqualTo(free);
    }
}
