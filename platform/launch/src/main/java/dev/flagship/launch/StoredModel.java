package dev.flagship.launch;

import java.nio.file.Path;
import java.time.Instant;
import java.util.List;

/**
 * A model in the store.
 *
 * @param name what people type and what it is served as
 * @param title the maker's name for it
 * @param origin where it came from: a repository with its revision, an address, a path
 * @param licence its terms
 * @param bytes size of its files together; other names may share them
 * @param fetched when it came
 * @param path what loads it: its file, or the folder of its files
 * @param files the files themselves
 * @param complete whether all of them are here with their sizes
 */
public record StoredModel(
        String name,
        String title,
        String origin,
        Licence licence,
        long bytes,
        Instant fetched,
        Path path,
        List<Path> files,
        boolean complete) {
    public StoredModel {
        files = List.copyOf(files);
    }
}
