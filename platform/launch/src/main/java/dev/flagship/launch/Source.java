package dev.flagship.launch;

import java.io.IOException;

/** A place that a model's files can come from. */
sealed interface Source permits FolderSource, HubSource, WheelSource {
    /** For the final error: what it is and exactly where. */
    String describe(RemoteFile file);

    /** For a line of progress. */
    String label();

    /**
     * Writes the file, of the right size and digest, to the given path, and nothing else but in the
     * scratch folder.
     *
     * @param title what people call it
     * @return its SHA-256
     * @throws SourceException if this source cannot give it
     * @throws IOException if the part cannot be written
     * @throws InterruptedException if the thread was interrupted; whatever was started has ended
     */
    String fetch(String title, RemoteFile file, PartFile part, Progress progress)
            throws SourceException, IOException, InterruptedException;
}
