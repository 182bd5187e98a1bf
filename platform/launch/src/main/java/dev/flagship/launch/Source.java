package dev.flagship.launch;

/** A place that a model's file can come from. */
sealed interface Source permits FolderSource, HubSource, WheelSource {
    /** For the final error: what it is and exactly where. */
    String describe(CatalogueModel model);

    /** For a line of progress. */
    String label(CatalogueModel model);

    /**
     * Writes the file, of the right size and digest, to the given path, and nothing outside its
     * folder.
     *
     * @throws SourceException if this source cannot give it
     * @throws InterruptedException if the thread was interrupted; whatever was started has ended
     */
    void fetch(CatalogueModel model, PartFile part, Progress progress)
            throws SourceException, InterruptedException;
}
