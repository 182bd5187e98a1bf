package dev.flagship.serving;

import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * Lets so many threads at a time do what keeps a processor busy; the others wait, in order of
 * arrival, until they are interrupted, lose patience, or nobody needs the work any more.
 */
final class Turns {
    /** More than can wait. */
    private static final int ALL = 1 << 24;

    private final Semaphore free;

    Turns(int atOnce) {
        free = new Semaphore(atOnce, true);
    }

    /**
     * Waits for a turn. Who got one ends it.
     *
     * @return whether there was one in time
     */
    boolean begin(Duration patience) throws InterruptedException {
        return free.tryAcquire(patience.toNanos(), TimeUnit.NANOSECONDS);
    }

    void end() {
        free.release();
    }

    /** Threads that wait. */
    int waiting() {
        return free.getQueueLength();
    }

    /** From now on nobody waits; each finds out in its turn that there is nothing left to do. */
    void open() {
        free.release(ALL);
    }
}
