package dev.flagship.base;

/** Waiting for threads that are sure to end. */
public final class Joining {
    private Joining() {}

    /** Returns when the thread has ended; an interrupt meanwhile is kept for the caller. */
    public static void join(Thread thread) {
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
