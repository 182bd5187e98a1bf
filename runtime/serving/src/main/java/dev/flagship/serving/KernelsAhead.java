package dev.flagship.serving;

import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.Team;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/**
 * Kernels in the making, on a thread of their own: assembling and trying them and reading a
 * tokenizer take a third of a start each.
 */
final class KernelsAhead implements AutoCloseable {
    private final List<String> warnings = new ArrayList<>();
    private final FutureTask<Kernels> making;
    private final Thread maker;
    private boolean taken;

    private KernelsAhead(String name, Team team) {
        this.making = new FutureTask<>(() -> Rungs.create(name, team, warnings::add));
        this.maker = Thread.ofPlatform().name("flagship-kernels").daemon().unstarted(making);
    }

    /** Begins to make them. The team must not be used or closed before they are taken or closed. */
    static KernelsAhead start(String name, Team team) {
        var ahead = new KernelsAhead(name, team);
        ahead.maker.start();
        return ahead;
    }

    /**
     * Waits for them; the caller closes them.
     *
     * @param listener hears now of what was found wanting
     * @throws LoadException as {@link Rungs#create}
     */
    Kernels take(LoadListener listener) {
        taken = true;
        Kernels kernels = await();
        warnings.forEach(listener::warning);
        return kernels;
    }

    private Kernels await() {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    maker.join(); // the result may be there before its thread is gone
                    return making.get();
                } catch (InterruptedException e) {
                    interrupted = true; // they are done in a moment
                } catch (ExecutionException e) {
                    switch (e.getCause()) {
                        case RuntimeException known -> throw known;
                        case Error error -> throw error;
                        case null, default -> throw new IllegalStateException("making kernels", e);
                    }
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Closes them unless somebody took them. */
    @Override
    public void close() {
        if (!taken) {
            taken = true;
            try {
                await().close();
            } catch (LoadException e) {
                // the load fails for another reason, which came first
            }
        }
    }
}
