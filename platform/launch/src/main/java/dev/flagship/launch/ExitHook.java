package dev.flagship.launch;

/** Something to do if the process is told to end (Ctrl-C, SIGTERM) before this is closed. */
public record ExitHook(Thread hook) implements AutoCloseable {
    /** Runs {@code action} at the process's end, once. */
    public static ExitHook of(Runnable action) {
        var hook = new Thread(action, "flagship-exit");
        Runtime.getRuntime().addShutdownHook(hook);
        return new ExitHook(hook);
    }

    @Override
    public void close() {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            return; // the process is ending, and the hook runs
        }
    }
}
