package dev.flagship.bench;

import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.SpinTeam;
import dev.flagship.tensor.Team;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What it costs to hand an operation to every thread of the team and to wait for all of them. The
 * caller holds its own share until the others have begun theirs, or it would do these, too. One
 * thread.
 */
final class Dispatch implements AutoCloseable {
    private static final int CALLS = 20_000;

    private final Team team;
    private final AtomicInteger begun = new AtomicInteger();
    private final Samples micros = new Samples();

    /**
     * @param threads of the team, the caller's included
     */
    Dispatch(int threads) {
        team = threads == 1 ? new SerialTeam() : new SpinTeam(threads);
        calls(); // Java's compilers
    }

    void read() {
        long started = System.nanoTime();
        calls();
        micros.add((System.nanoTime() - started) / 1e3 / CALLS);
    }

    private void calls() {
        for (int i = 0; i < CALLS; i++) {
            begun.set(0);
            team.run(this::share);
        }
    }

    private void share(int thread, int threads) {
        if (thread > 0) {
            begun.incrementAndGet();
            return;
        }
        while (begun.get() < threads - 1) {
            Thread.onSpinWait();
        }
    }

    /** Of one call. */
    Samples micros() {
        return micros;
    }

    @Override
    public void close() {
        team.close();
    }
}
