package dev.flagship.embedded;

import dev.flagship.serving.LoadListener;

/** Gives warnings to a logger. */
final class LoggingListener implements LoadListener {
    private final System.Logger logger;

    LoggingListener(System.Logger logger) {
        this.logger = logger;
    }

    @Override
    public void progress(String stage, long done, long total) {
        // long fetches are for who listens; a library says nothing unasked
    }

    @Override
    public void warning(String message) {
        logger.log(System.Logger.Level.WARNING, message);
    }
}
