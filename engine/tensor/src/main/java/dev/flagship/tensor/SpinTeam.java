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
 */
public final class SpinTeam implements Team {
    private static final long SPIN_NANOS = 100_000;
    private static final VarHandle INTS = MethodHandles.arrayElementVarHandle(int[].class);

    // Numbers of the generation at hand and of workers that are not done with it, each on a cache
    // line of its own (and the next, which processors fetch along): whoever waits for one of them
    // would be disturbed by every write to the other.
    private static final int GENERATION = 32;
    private static final int PENDING = 64;

    private final int size;
    private final Worker[] workers;
    private final int[] numbers = new int[PENDING + 32];
    private volatile boolean closed;
    private volatile @Nullable Throwable failure;
    private @Nullable Task task; // published by the write to the generation
    private volatile @Nullable Thread waiting;

    public SpinTeam(int size) {
        check(size >= 1, "a team of %s threads", size);
        this.size = size;
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
        INTS.setVolatile(numbers, PENDING, size - 1);
        INTS.setVolatile(numbers, GENERATION, number(GENERATION) + 1); // only the owner does
        for (Worker worker : workers) {
            if (worker.parked) {
                LockSupport.unpark(worker);
            }
        }
        Throwable mine = null;
        try {
            next.run(0, size);
        } catch (Throwable t) { // the others must be done before anybody hears of it
            mine = t;
        }
        await();
        Throwable theirs = failure;
        failure = null;
        task = null;
        rethrow(mine != null ? mine : theirs);
    }

    private int number(int which) {
        return (int) INTS.getVolatile(numbers, which);
    }

    private void await() {
        if (number(PENDING) == 0) {
            return;
        }
        long deadline = System.nanoTime() + SPIN_NANOS;
        while (number(PENDING) != 0) {
            if (System.nanoTime() < deadline) {
                Thread.onSpinWait();
                continue;
            }
            waiting = Thread.currentThread();
            if (number(PENDING) != 0) {
                LockSupport.park(this);
            }
            waiting = null;
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
                Task current = task;
                try {
                    if (current != null) {
                        current.run(index, size);
                    }
                } catch (Throwable t) {
                    failure = t;
                } finally {
                    if ((int) INTS.getAndAdd(numbers, PENDING, -1) == 1) {
                        Thread owner = waiting;
                        if (owner != null) {
                            LockSupport.unpark(owner);
                        }
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
