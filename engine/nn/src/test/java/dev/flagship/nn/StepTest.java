package dev.flagship.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.Scratch;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Tensor;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class StepTest {
    private final PagedKvCache cache = new PagedKvCache(new KvLayout(1, 1, 2, DType.F32), 20);
    private final Step step =
            new Step(new Scratch(new ScalarKernels(new SerialTeam()), Numerics.EXACT), cache);

    @AfterEach
    void close() {
        step.close();
        cache.close();
    }

    private PagedKvCache.Sequence sequence(int length) {
        PagedKvCache.Sequence sequence = cache.sequence();
        sequence.reserve(length + 16);
        sequence.advance(length);
        return sequence;
    }

    @Test
    void packsRowsOfManySequences() {
        PagedKvCache.Sequence a = sequence(0);
        PagedKvCache.Sequence b = sequence(18);
        step.add(a, new int[] {7, 8, 9, 10}, 1, 3, Step.Wanted.LAST);
        step.add(b, new int[] {4}, 0, 1, Step.Wanted.NONE);
        step.add(sequence(2), new int[] {5, 6}, 0, 2, Step.Wanted.ALL);
        assertThat(step.rows()).isEqualTo(6);
        assertThat(Arrays.copyOf(step.tokens(), 6)).containsExactly(8, 9, 10, 4, 5, 6);
        assertThat(Arrays.copyOf(step.positions(), 6)).containsExactly(0, 1, 2, 18, 2, 3);
        assertThat(step.lastPosition()).isEqualTo(18);
        assertThat(step.outputs()).isEqualTo(3);
        assertThat(step.rowsInCache().count()).isEqualTo(6);
        assertThat(step.rowsInCache().page(3, 18)).isEqualTo(b.pages()[1]);
    }

    @Test
    void outputRowsAreThoseWantedInOrder() {
        step.add(sequence(0), new int[] {1, 2, 3}, 0, 3, Step.Wanted.LAST);
        step.add(sequence(0), new int[] {4, 5}, 0, 2, Step.Wanted.ALL);
        Tensor x = step.scratch().take(5, 1);
        x.put(0, new float[] {10, 11, 12, 13, 14});
        Tensor out = step.outputRows(x);
        assertThat(out.rows()).isEqualTo(3);
        assertThat(new float[] {out.get(0, 0), out.get(1, 0), out.get(2, 0)})
                .containsExactly(12, 13, 14);
    }

    @Test
    void allRowsWantedAreNotCopied() {
        step.add(sequence(0), new int[] {1, 2}, 0, 2, Step.Wanted.ALL);
        Tensor x = step.scratch().take(2, 3);
        assertThat(step.outputRows(x)).isSameAs(x);
    }

    @Test
    void noRowsMayBeWanted() {
        step.add(sequence(0), new int[] {1, 2}, 0, 2, Step.Wanted.NONE);
        assertThat(step.outputRows(step.scratch().take(2, 3)).rows()).isZero();
    }

    @Test
    void clearForgetsTheLastPass() {
        step.add(sequence(0), new int[] {1, 2}, 0, 2, Step.Wanted.ALL);
        step.clear();
        assertThat(step.rows()).isZero();
        assertThat(step.outputs()).isZero();
        assertThat(step.lastPosition()).isEqualTo(-1);
    }

    @Test
    void manyRowsFit() {
        PagedKvCache.Sequence a = cache.sequence();
        a.reserve(256);
        step.add(a, new int[200], 0, 200, Step.Wanted.ALL);
        step.add(sequence(0), new int[1], 0, 1, Step.Wanted.ALL);
        assertThat(step.rows()).isEqualTo(201);
        assertThat(step.outputs()).isEqualTo(201);
        assertThat(step.positions()[199]).isEqualTo(199);
    }

    @Test
    void tokensWithoutRoomAreRefused() {
        PagedKvCache.Sequence a = sequence(3);
        for (int count : new int[] {30, Integer.MAX_VALUE, -1}) {
            assertThatThrownBy(() -> step.add(a, new int[30], 0, count, Step.Wanted.ALL))
                    .isInstanceOf(InvalidArgumentException.class);
        }
        assertThat(step.rows()).isZero();
    }

    @Test
    void aRowThatWouldBeWrittenToASharedPageIsRefused() {
        PagedKvCache.Sequence parent = cache.sequence();
        parent.reserve(40);
        parent.advance(20); // the second page holds four tokens
        PagedKvCache.Sequence fork = parent.fork();
        assertThatThrownBy(() -> step.add(parent, new int[1], 0, 1, Step.Wanted.ALL))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContainingAll("token 20", "page 1", "2 sequences");
        assertThat(step.rows()).isZero();
        assertThat(fork.reserve(21)).isTrue();
        step.add(fork, new int[1], 0, 1, Step.Wanted.ALL);
        step.add(parent, new int[8], 0, 8, Step.Wanted.ALL); // the only reader again
        parent.truncate(16); // a fork at the end of a page shares nothing that is written
        parent.reserve(17);
        fork.close();
        PagedKvCache.Sequence aligned = parent.fork();
        step.add(parent, new int[1], 0, 1, Step.Wanted.ALL);
        assertThat(aligned.length()).isEqualTo(16);
    }

    @Test
    void sequencesOfAnotherCacheAreRefused() {
        try (PagedKvCache other = new PagedKvCache(cache.layout(), 2)) {
            PagedKvCache.Sequence foreign = other.sequence();
            foreign.reserve(5);
            assertThatThrownBy(() -> step.add(foreign, new int[1], 0, 1, Step.Wanted.ALL))
                    .isInstanceOf(InvalidArgumentException.class);
        }
    }
}
