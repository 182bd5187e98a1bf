package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class TurnsTest {
    private static final Duration LONG = Duration.ofHours(1);
    private static final Duration SHORT = Duration.ofMillis(1);

    private final Turns turns = new Turns(2);

    @Test
    void soManyHaveTheirTurnAtOnceAndPatienceEnds() throws Exception {
        assertThat(turns.begin(LONG)).isTrue();
        assertThat(turns.begin(LONG)).isTrue();
        assertThat(turns.begin(SHORT)).isFalse();
        turns.end();
        assertThat(turns.begin(SHORT)).isTrue();
        assertThat(turns.begin(SHORT)).isFalse();
    }

    @Test
    void anInterruptEndsTheWait() throws Exception {
        turns.begin(LONG);
        turns.begin(LONG);
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Boolean> waiter = threads.submit(() -> turns.begin(LONG));
            await(1);
            waiter.cancel(true);
            await(0);
        }
        turns.end();
        assertThat(turns.begin(SHORT)).as("the waiter took no turn along").isTrue();
        Thread.currentThread().interrupt();
        assertThatThrownBy(() -> turns.begin(LONG)).isInstanceOf(InterruptedException.class);
    }

    @Test
    void nobodyWaitsOnceTheyAreOpen() throws Exception {
        turns.begin(LONG);
        turns.begin(LONG);
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Boolean>> waiters = new ArrayList<>();
            for (int i = 0; i < 5; i++) {
                waiters.add(threads.submit(() -> turns.begin(LONG)));
            }
            await(5);
            turns.open();
            for (Future<Boolean> waiter : waiters) {
                assertThat(waiter.get()).isTrue();
            }
        }
        turns.open(); // closing twice is allowed
        assertThat(turns.begin(SHORT)).isTrue();
    }

    private void await(int waiting) throws InterruptedException {
        while (turns.waiting() != waiting) {
            Thread.sleep(1);
        }
    }
}
