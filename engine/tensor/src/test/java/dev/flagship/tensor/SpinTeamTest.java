package dev.flagship.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.InvalidArgumentException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class SpinTeamTest {

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void everyThreadDoesItsShareOnce(int size) {
        try (SpinTeam team = new SpinTeam(size)) {
            assertThat(team.size()).isEqualTo(size);
            for (int round = 0; round < 100; round++) {
                AtomicIntegerArray seen = new AtomicIntegerArray(size);
                team.run((thread, threads) -> {
                    assertThat(threads).isEqualTo(size);
                    seen.incrementAndGet(thread);
                });
                for (int i = 0; i < size; i++) {
                    assertThat(seen.get(i)).isEqualTo(1);
                }
            }
        }
    }

    /** Holds the caller until every other share was begun, so that threads do their own. */
    private static final class Everybody implements Team.Task {
        private final AtomicInteger begun = new AtomicInteger();
        private final Team.Task task;

        Everybody(Team.Task task) {
            this.task = task;
        }

        @Override
        public void run(int thread, int threads) {
            begun.incrementAndGet();
            while (thread == 0 && begun.get() < threads) {
                Thread.onSpinWait();
            }
            task.run(thread, threads);
        }
    }

    @ParameterizedTest
    @CsvSource({"2, 100000", "3, 5000"}) // three threads may be more than there are processors
    void manyRunsLoseNoneAndPublishPlainWrites(int size, int rounds) {
        long[] slots = new long[size * 16]; // plain memory: the team alone makes it visible
        try (SpinTeam team = new SpinTeam(size)) {
            for (int round = 1; round <= rounds; round++) {
                Team.Task task = (thread, _) -> slots[thread * 16]++;
                team.run(round % 2 == 0 ? task : new Everybody(task));
                if (slots[(round % size) * 16] != round) {
                    assertThat(slots[(round % size) * 16]).isEqualTo(round);
                }
            }
        }
    }

    @Test
    void worksAfterItsThreadsHaveParked() {
        AtomicLong runs = new AtomicLong();
        try (SpinTeam team = new SpinTeam(3)) {
            for (int round = 0; round < 50; round++) {
                // Around the time when they park.
                LockSupport.parkNanos(50_000 + round * 10_000);
                team.run(new Everybody((_, _) -> runs.incrementAndGet()));
            }
        }
        assertThat(runs).hasValue(150);
    }

    /** A thread that has parked takes longer to wake than such a share takes. */
    @Test
    void whoSleepsHoldsNobodyUp() {
        Thread caller = Thread.currentThread();
        List<Thread> did = new ArrayList<>();
        try (SpinTeam team = new SpinTeam(2)) {
            for (int round = 0; round < 1000 && !did.contains(caller); round++) {
                LockSupport.parkNanos(1_000_000); // the other thread parks
                team.run((thread, _) -> {
                    if (thread == 1) {
                        did.add(Thread.currentThread());
                    }
                });
                assertThat(did).hasSize(round + 1);
            }
        }
        assertThat(did).contains(caller);
    }

    @Test
    void anExceptionOfAShareThatTheCallerTookOverReachesIt() {
        Thread caller = Thread.currentThread();
        boolean taken = false;
        try (SpinTeam team = new SpinTeam(2)) {
            for (int round = 0; round < 1000 && !taken; round++) {
                LockSupport.parkNanos(1_000_000); // the other thread parks
                AtomicReference<Thread> who = new AtomicReference<>();
                assertThatThrownBy(() ->
                                team.run((thread, _) -> {
                                    if (thread == 1) {
                                        who.set(Thread.currentThread());
                                        throw new IllegalStateException("share 1");
                                    }
                                }))
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessage("share 1");
                taken = who.get() == caller;
            }
        }
        assertThat(taken).isTrue();
    }

    /** More threads than any machine has free: most of them sleep when a run begins. */
    @Test
    void whatNobodyBeganTheCallerDoes() {
        int size = 64;
        AtomicIntegerArray seen = new AtomicIntegerArray(size);
        AtomicLong byCaller = new AtomicLong();
        Thread caller = Thread.currentThread();
        try (SpinTeam team = new SpinTeam(size)) {
            for (int round = 1; round <= 2000; round++) {
                team.run((thread, _) -> {
                    seen.incrementAndGet(thread);
                    if (thread > 0 && Thread.currentThread() == caller) {
                        byCaller.incrementAndGet();
                    }
                });
                for (int i = 0; i < size; i++) {
                    assertThat(seen.get(i)).isEqualTo(round);
                }
            }
        }
        assertThat(byCaller.get()).isPositive();
    }

    @Test
    void waitsForTheSlowest() {
        long[] done = new long[32];
        try (SpinTeam team = new SpinTeam(2)) {
            for (int slow = 0; slow < 2; slow++) {
                int sleeper = slow;
                team.run((thread, _) -> {
                    if (thread == sleeper) {
                        long end = System.nanoTime() + 20_000_000; // longer than the caller spins
                        while (System.nanoTime() < end) {
                            Thread.onSpinWait();
                        }
                    }
                    done[thread * 16]++;
                });
                assertThat(done[0]).isEqualTo(slow + 1);
                assertThat(done[16]).isEqualTo(slow + 1);
            }
        }
    }

    @Test
    void anExceptionOfAnyThreadReachesTheCallerAndTheTeamWorksOn() {
        try (SpinTeam team = new SpinTeam(3)) {
            for (int thrower = 0; thrower < 3; thrower++) {
                int who = thrower;
                AtomicLong others = new AtomicLong();
                assertThatThrownBy(() ->
                                team.run(
                                        new Everybody((thread, _) -> {
                                            if (thread == who) {
                                                throw new IllegalStateException("thread " + who);
                                            }
                                            others.incrementAndGet();
                                        })))
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessage("thread " + who);
                assertThat(others).hasValue(2);
                AtomicLong after = new AtomicLong();
                team.run((_, _) -> after.incrementAndGet());
                assertThat(after).hasValue(3);
            }
            assertThatThrownBy(() ->
                            team.run((_, _) -> {
                                throw new AssertionError("all of them");
                            }))
                    .isInstanceOf(AssertionError.class);
        }
    }

    @Test
    void anInterruptedCallerStillGetsItsAnswer() {
        AtomicLong runs = new AtomicLong();
        try (SpinTeam team = new SpinTeam(2)) {
            Thread.currentThread().interrupt();
            team.run((_, _) -> runs.incrementAndGet());
            assertThat(runs).hasValue(2);
        }
        assertThat(Thread.interrupted()).as("the interrupt is kept").isTrue();
    }

    @Test
    void closeJoinsItsThreads() {
        SpinTeam team = new SpinTeam(3);
        team.run((_, _) -> {});
        assertThat(teamThreads()).isGreaterThanOrEqualTo(2);
        long before = teamThreads();
        team.close();
        assertThat(teamThreads()).isEqualTo(before - 2);
        team.close();
        assertThatThrownBy(() -> team.run((_, _) -> {}))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("closed");
    }

    private static long teamThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(t -> t.getName().startsWith("flagship-team-"))
                .count();
    }

    @Test
    void aTeamNeedsAThread() {
        assertThatThrownBy(() -> new SpinTeam(0)).isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void theSerialTeamIsTheCallerAlone() {
        try (Team team = new SerialTeam()) {
            Thread caller = Thread.currentThread();
            team.run((thread, threads) -> {
                assertThat(thread).isZero();
                assertThat(threads).isEqualTo(1);
                assertThat(Thread.currentThread()).isSameAs(caller);
            });
        }
    }
}
