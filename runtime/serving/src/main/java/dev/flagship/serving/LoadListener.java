package dev.flagship.serving;

/** Hears what loading does, for people who wait. Called on the loading thread. */
public interface LoadListener {

    /** Hears nothing. */
    LoadListener SILENT =
            new LoadListener() {
                @Override
                public void progress(String stage, long done, long total) {}

                @Override
                public void warning(String message) {}
            };

    /**
     * A stage moved on.
     *
     * @param done bytes done, out of {@code total}
     */
    void progress(String stage, long done, long total);

    /** Something is not as good as it could be; said once. */
    void warning(String message);

    /** A chat template fails on an ordinary conversation, and every such request will say so. */
    default void templateWarning(String message) {
        warning(message);
    }
}
