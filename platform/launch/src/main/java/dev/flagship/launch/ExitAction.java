package dev.flagship.launch;

/** Something to do if the process ends (Ctrl-C) before this is closed. */
record ExitAction(Thread hook) implements AutoCloseable {
    static ExitAction of(Runnable action) {
        var hook = new Thread(action, "fetch-exit");
        Runtime.getRuntime().addShutdownHook(hook);
        return new ExitAction(hook);
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
