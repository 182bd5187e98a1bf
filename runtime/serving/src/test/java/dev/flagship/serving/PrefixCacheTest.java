package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.nn.PagedKvCache;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.KvLayout;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Which sequences are kept, for whom, and when they go. One page holds 16 tokens. */
class PrefixCacheTest {
    private static final int PAGES = 40;

    private final PagedKvCache cache = new PagedKvCache(new KvLayout(1, 1, 2, DType.F32), PAGES);

    @AfterEach
    void free() {
        cache.close();
    }

    private PagedKvCache.Sequence stored(int tokens, int reserved) {
        PagedKvCache.Sequence sequence = cache.sequence();
        assertThat(sequence.reserve(reserved)).isTrue();
        sequence.advance(tokens);
        return sequence;
    }

    private static int[] ids(int from, int to) {
        return IntStream.range(from, to).toArray();
    }

    private static int ready(PrefixCache prefixes, int[] prompt) {
        try (PagedKvCache.Sequence opening = prefixes.opening(prompt)) {
            return opening.length();
        }
    }

    /** Ids [0, same), then others. */
    private static int[] like(int same, int length) {
        return IntStream.range(0, length).map(i -> i < same ? i : 1000 + i).toArray();
    }

    @Test
    void givesBackRoomThatWasReservedAndNotFilled() {
        try (PrefixCache prefixes = new PrefixCache(cache)) {
            prefixes.keep(ids(0, 40), stored(40, 400));
            assertThat(cache.freePages()).isEqualTo(PAGES - 3);
        }
        assertThat(cache.freePages()).isEqualTo(PAGES);
    }

    @Test
    void neverHasTheLastTokenOfAPromptReady() {
        try (PrefixCache prefixes = new PrefixCache(cache)) {
            prefixes.keep(ids(0, 40), stored(40, 40));
            assertThat(ready(prefixes, ids(0, 60))).isEqualTo(40);
            assertThat(ready(prefixes, ids(0, 40))).isEqualTo(39);
            assertThat(ready(prefixes, ids(0, 30))).isEqualTo(29);
            assertThat(ready(prefixes, like(20, 60))).isEqualTo(20);
            assertThat(ready(prefixes, ids(0, 16))).as("less than a page").isZero();
            assertThat(ready(prefixes, ids(1, 60))).isZero();
            assertThat(ready(prefixes, new int[] {0})).isZero();
        }
    }

    @Test
    void sharesItsPagesUntilTheyAreEvicted() {
        try (PrefixCache prefixes = new PrefixCache(cache)) {
            prefixes.keep(ids(0, 40), stored(40, 40));
            try (PagedKvCache.Sequence next = prefixes.opening(ids(0, 60));
                    PagedKvCache.Sequence branch = prefixes.opening(like(20, 60))) {
                assertThat(next.length()).isEqualTo(40);
                assertThat(branch.length()).isEqualTo(20);
                assertThat(cache.freePages()).as("shared").isEqualTo(PAGES - 3);
                assertThat(next.reserve(48)).isTrue();
                assertThat(cache.freePages()).as("a copy of the last").isEqualTo(PAGES - 4);
                assertThat(prefixes.evict()).isTrue();
                assertThat(cache.freePages()).isEqualTo(PAGES - 3);
                assertThat(branch.reserve(48)).isTrue();
                assertThat(cache.freePages()).isEqualTo(PAGES - 5);
            }
            assertThat(cache.freePages()).isEqualTo(PAGES);
        }
    }

    @Test
    void evictsNothingInVain() {
        try (PrefixCache prefixes = new PrefixCache(cache);
                PagedKvCache.Sequence running = stored(40, 20 * 16)) {
            prefixes.keep(ids(0, 100), stored(100, 100)); // 7 pages
            prefixes.keep(ids(500, 600), stored(100, 100));
            try (PagedKvCache.Sequence next = prefixes.opening(ids(0, 120));
                    PagedKvCache.Sequence twin = running.fork()) {
                assertThat(prefixes.reserve(next, 21 * 16)).as("20 is all there is").isFalse();
                assertThat(ready(prefixes, ids(500, 620))).isEqualTo(100);
                assertThat(prefixes.reserve(twin, 18 * 16)).as("14 and a copy").isFalse();
                assertThat(ready(prefixes, ids(500, 620))).isEqualTo(100);
                assertThat(prefixes.reserve(next, 20 * 16)).isTrue();
                assertThat(next.length()).isEqualTo(100);
                assertThat(cache.freePages()).isZero();
            }
        }
        assertThat(cache.freePages()).isEqualTo(PAGES);
    }

    @Test
    void keepsTheLongerOfTwoThatBeginAlike() {
        try (PrefixCache prefixes = new PrefixCache(cache)) {
            prefixes.keep(ids(0, 32), stored(32, 32));
            prefixes.keep(ids(0, 64), stored(64, 64));
            assertThat(cache.freePages()).as("the shorter is gone").isEqualTo(PAGES - 4);
            prefixes.keep(ids(0, 48), stored(48, 48));
            assertThat(cache.freePages()).as("the shorter is not kept").isEqualTo(PAGES - 4);
            assertThat(ready(prefixes, ids(0, 99))).isEqualTo(64);
        }
    }

    @Test
    void evictsWhatNobodyAskedForTheLongest() {
        try (PrefixCache prefixes = new PrefixCache(cache)) {
            for (int i = 0; i < 3; i++) {
                prefixes.keep(ids(100 * i, 100 * i + 32), stored(32, 32));
            }
            assertThat(ready(prefixes, ids(0, 99))).isEqualTo(32);
            assertThat(prefixes.evict()).isTrue();
            assertThat(ready(prefixes, ids(100, 199))).as("the oldest not asked for").isZero();
            assertThat(ready(prefixes, ids(0, 99))).isEqualTo(32);
            assertThat(prefixes.evict()).isTrue();
            assertThat(prefixes.evict()).isTrue();
            assertThat(prefixes.evict()).isFalse();
            assertThat(cache.freePages()).isEqualTo(PAGES);
        }
    }

    @Test
    void keepsNoMoreThanItMay() {
        try (PrefixCache prefixes = new PrefixCache(cache, 2)) {
            for (int i = 0; i < 4; i++) {
                prefixes.keep(ids(100 * i, 100 * i + 32), stored(32, 32));
                prefixes.keep(ids(100 * i + 50, 100 * i + 60), stored(10, 32)); // too short
            }
            assertThat(cache.freePages()).isEqualTo(PAGES - 4);
        }
        try (PrefixCache none = new PrefixCache(cache, 0)) {
            none.keep(ids(0, 32), stored(32, 32));
            assertThat(cache.freePages()).isEqualTo(PAGES);
        }
    }
}
