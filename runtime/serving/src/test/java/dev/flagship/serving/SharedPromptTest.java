package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.nn.PagedKvCache;
import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.Sampling;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.KvLayout;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SharedPromptTest {
    private final PagedKvCache cache = new PagedKvCache(new KvLayout(1, 1, 1, DType.F32), 8);
    private final PrefixCache prefixes = new PrefixCache(cache, 0);
    private final SharedPrompt shared = new SharedPrompt(3);

    @AfterEach
    void free() {
        cache.close();
    }

    private Job choice() {
        return choice(new int[] {4});
    }

    private Job choice(int[] prompt) {
        var request =
                new ChatRequest(
                        new Prompt.Tokens(List.of(4)),
                        Sampling.greedy(),
                        OptionalInt.of(3),
                        List.of(),
                        OptionalInt.empty());
        return new Job(request, prompt, 3, false, shared);
    }

    private PagedKvCache.Sequence begin(Job job) {
        PagedKvCache.Sequence opening = shared.opening(job, prefixes);
        shared.begun(job, opening);
        return opening;
    }

    @Test
    void aChoiceThatCannotBeginIsCountedOnce() {
        Job broken = choice();
        shared.opening(broken, prefixes).close();
        shared.ended(broken);
        begin(choice());
        assertThat(shared.underWay()).as("one more waits for the prompt").isTrue();
    }

    @Test
    void theLastChoiceThatBeginsTakesThePromptWithIt() {
        Job first = choice();
        PagedKvCache.Sequence sequence = begin(first);
        assertThat(sequence.reserve(40)).isTrue();
        sequence.advance(33);
        shared.computed(first, sequence, prefixes);
        assertThat(shared.ready()).isEqualTo(32);
        Job second = choice();
        PagedKvCache.Sequence another = begin(second);
        Job third = choice();
        PagedKvCache.Sequence last = begin(third);
        assertThat(shared.ready()).isZero();
        for (PagedKvCache.Sequence each : List.of(sequence, another, last)) {
            each.close();
        }
        List.of(first, second, third).forEach(shared::ended);
        assertThat(cache.freePages()).isEqualTo(8);
    }

    @Test
    void allChoicesTellOfTheSamePrefix() {
        int[] prompt = new int[40];
        PagedKvCache.Sequence earlier = cache.sequence();
        assertThat(earlier.reserve(32)).isTrue();
        earlier.advance(20);
        try (PrefixCache keeping = new PrefixCache(cache, 1)) {
            keeping.keep(new int[20], earlier);
            Job first = choice(prompt);
            PagedKvCache.Sequence sequence = shared.opening(first, keeping);
            shared.begun(first, sequence);
            assertThat(sequence.reserve(48)).isTrue();
            sequence.advance(20);
            shared.computed(first, sequence, keeping);
            Job second = choice(prompt);
            try (PagedKvCache.Sequence another = shared.opening(second, keeping)) {
                assertThat(another.length()).isEqualTo(39);
                shared.begun(second, another);
            }
            assertThat(first.cached).isEqualTo(20);
            assertThat(second.cached).isEqualTo(20);
            sequence.close();
            shared.ended(second);
        }
    }
}
