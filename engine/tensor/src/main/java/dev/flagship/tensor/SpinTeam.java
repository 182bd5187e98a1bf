package dev.flagship.tensor;

import static dev.flagship.base.Check.check;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.base.Joining;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The caller and {@code size − 1} daemon threads. A thread that waits spins for about 100 µs and
 * then parks: the next operation of a step usually comes sooner, and an idle process uses no
 * processor.
 *
 * <p>A share belongs to its thread until the caller has done its own: what nobody began by then the
 * caller does as well. So a thread that sleeps, or that the system has taken off its processor for
 * others' work, holds nobody up unless it had begun; the caller waits for shares that were begun
 * alone.
 */
public final class SpinTeam implements Team {
    private static final long SPIN_NANOS = 100_000;
    private static final VarHandle INTS = MethodHandles.arrayElementVarHandle(int[].class);

    // The number of the generation at hand, and for each thread how far its share of one is, each
    // on a cache line of its own (and the next, which processors fetch along): whoever waits for
    // one of them would be disturbed by every write to another.
    private static final int STRIDE = 32;
    private static final int GENERATION = STRIDE;

    private final int size;
    private final Worker[] workers;
    private final int[] numbers;
    private volatile boolean closed;
    private volatile @Nullable Throwable failure;
    private @Nullable Task task; // published by the write to the generation
    private @Nullable Thread owner; // published by the write of whom it waits for
    private volatile int waitedFor; // a thread's number, 0 for none

    public SpinTeam(int size) {
        check(size >= 1, "a team of %s threads", size);
        this.size = size;
        this.numbers = new int[(size + 2) * STRIDE];
        for (int thread = 1; thread < size; thread++) {
            end(thread, 0);
        }
        this.workers = new Worker[size - 1];
        for (int i = 0; i < workers.length; i++) {
            workers[i] = new Worker(i + 1);
            workers[i].start();
        }
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public void run(Task next) {
        if (size == 1) {
            next.run(0, 1);
            return;
        }
        if (closed) {
            throw new InvalidArgumentException("the team is closed");
        }
        task = next;
        int generation = number(GENERATION) + 1; // only the owner writes it
        INTS.setVolatile(numbers, GENERATION, generation);
        for (Worker worker : workers) {
            if (worker.parked) {
                LockSupport.unpark(worker);
            }
        }
        Throwable mine = share(next, 0, null); // the others must be done before anybody hears of it
        for (int thread = 1; thread < size; thread++) {
            if (begin(thread, generation)) {
                mine = share(next, thread, mine);
                end(thread, generation);
            }
        }
        for (int thread = 1; thread < size; thread++) {
            await(thread, generation);
        }
        Throwable theirs = failure;
        failure = null;
        task = null;
        rethrow(mine != null ? mine : theirs);
    }

    /** The first failure, if there was one. */
    private @Nullable Throwable share(Task task, int thread, @Nullable Throwable before) {
        try {
            task.run(thread, size);
            return before;
        } catch (Throwable t) {
            return before != null ? before : t;
        }
    }

    // A thread's number is twice the generation while its share is done, and one more after that.

    private static int place(int thread) {
        return GENERATION + thread * STRIDE;
    }

    /** Whether a thread's share of a generation is the calling thread's to do. */
    private boolean begin(int thread, int generation) {
        int before = 2 * generation - 1;
        return number(place(thread)) == before
                && INTS.compareAndSet(numbers, place(thread), before, 2 * generation);
    }

    private void end(int thread, int generation) {
        INTS.setVolatile(numbers, place(thread), 2 * generation + 1);
    }

    private boolean ended(int thread, int generation) {
        return number(place(thread)) == 2 * generation + 1;
    }

    private int number(int which) {
        return (int) INTS.getVolatile(numbers, which);
    }

    private void await(int thread, int generation) {
        if (ended(thread, generation)) {
            return;
        }
        long deadline = System.nanoTime() + SPIN_NANOS;
        while (!ended(thread, generation)) {
            if (System.nanoTime() < deadline) {
                Thread.onSpinWait();
                continue;
            }
            owner = Thread.currentThread();
            waitedFor = thread;
            if (!ended(thread, generation)) {
                LockSupport.park(this);
            }
            waitedFor = 0;
        }
    }

    private static void rethrow(@Nullable Throwable t) {
        switch (t) {
            case null -> {}
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new IllegalStateException(t);
        }
    }

    @Override
    public void close() {
        closed = true;
        for (Worker worker : workers) {
            LockSupport.unpark(worker);
        }
        for (Worker worker : workers) {
            Joining.join(worker);
        }
    }

    private final class Worker extends Thread {
        private final int index;
        private volatile boolean parked;

        Worker(int index) {
            super("flagship-team-" + index);
            this.index = index;
            setDaemon(true);
        }

        @Override
        public void run() {
            int seen = 0;
            while (awaitWork(seen)) {
                seen = number(GENERATION);
                if (!begin(index, seen)) {
                    continue; // it was done without this thread
                }
                Task current = task; // stays until this share is done
                try {
                    if (current != null) {
                        current.run(index, size);
                    }
                } catch (Throwable t) {
                    failure = t;
                } finally {
                    end(index, seen);
                    if (waitedFor == index) {
                        LockSupport.unpark(owner);
                    }
                }
            }
        }

        private boolean awaitWork(int seen) {
            long deadline = System.nanoTime() + SPIN_NANOS;
            while (number(GENERATION) == seen) {
                if (closed) {
                    return false;
                }
                if (System.nanoTime() < deadline) {
                    Thread.onSpinWait();
                    continue;
                }
                parked = true;
                if (number(GENERATION) == seen && !closed) {
                    LockSupport.park(SpinTeam.this);
                }
                parked = false;
            }
            return true;
        }
    }
}
