package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.nn.PagedKvCache;
import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.Sampling;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.KvLayout;
import java.util.List;
import java.util.Objects;
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
        var request =
                new ChatRequest(
                        new Prompt.Tokens(List.of(4)),
                        Sampling.greedy(),
                        OptionalInt.of(3),
                        List.of(),
                        OptionalInt.empty());
        return new Job(request, new int[] {4}, 3, false, shared);
    }

    @Test
    void aChoiceThatCannotBeginIsCountedOnce() {
        Job broken = choice();
        assertThatThrownBy(() -> shared.begin(broken, noCache()))
                .isInstanceOf(NullPointerException.class);
        assertThat(broken.sequence).isNull();
        shared.ended(broken);
        Job computing = choice();
        shared.begin(computing, prefixes);
        assertThat(shared.underWay()).as("one more waits for the prompt").isTrue();
    }

    private static PagedKvCache.Sequence sequence(Job job) {
        return Objects.requireNonNull(job.sequence);
    }

    @SuppressWarnings("NullAway") // any failure will do, and a cache has none to give
    private static PrefixCache noCache() {
        return null;
    }

    @Test
    void theLastChoiceThatBeginsTakesThePromptWithIt() {
        Job first = choice();
        shared.begin(first, prefixes);
        PagedKvCache.Sequence sequence = sequence(first);
        assertThat(sequence.reserve(40)).isTrue();
        sequence.advance(33);
        shared.computed(first, sequence);
        assertThat(shared.ready()).isEqualTo(32);
        Job second = choice();
        shared.begin(second, prefixes);
        Job third = choice();
        shared.begin(third, prefixes);
        assertThat(shared.ready()).isZero();
        for (Job each : List.of(first, second, third)) {
            sequence(each).close();
            shared.ended(each);
        }
        assertThat(cache.freePages()).isEqualTo(8);
    }
}
