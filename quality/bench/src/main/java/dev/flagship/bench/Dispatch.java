package dev.flagship.bench;

import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.SpinTeam;
import dev.flagship.tensor.Team;

/** What it costs to hand an operation to the team and wait for all of it. One thread. */
final class Dispatch implements AutoCloseable {
    private static final int CALLS = 20_000;

    private final Team team;
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
            team.run((_, _) -> {});
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
