package dev.flagship.tensor;

/** The threads that share one operation. Only the owner calls {@link #run}, one task at a time. */
public interface Team extends AutoCloseable {

    /**
     * Part of an operation. Must not block, but for files that loading reads, and must not depend
     * on which thread runs it.
     */
    interface Task {
        /** Does the share of thread {@code thread} of {@code threads}. */
        void run(int thread, int threads);
    }

    /** Threads, the caller's included. */
    int size();

    /**
     * Runs the share of every thread of the team, each once, and returns when all are done. A share
     * may be done by another thread than the one it is named after.
     *
     * @throws RuntimeException or Error what a thread threw, if one did
     */
    void run(Task task);

    @Override
    void close();
}
