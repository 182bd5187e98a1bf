package dev.flagship.launch;

import java.util.List;

/**
 * A model that is to be in the store, and where it may come from.
 *
 * @param origin with the revision, as a manifest tells it
 * @param sources tried in order for each file
 * @param helps what else a person may do if none has it, a line for each
 */
record Wanted(
        String name,
        String title,
        String origin,
        Licence licence,
        List<RemoteFile> files,
        List<Source> sources,
        List<String> helps) {
    Wanted {
        files = List.copyOf(files);
        sources = List.copyOf(sources);
        helps = List.copyOf(helps);
    }

    Wanted named(String other) {
        return new Wanted(other, title, origin, licence, files, sources, helps);
    }

    /** Size of its files, as far as it is known. */
    long bytes() {
        return files.stream().mapToLong(file -> Math.max(0, file.bytes())).sum();
    }

    /** What a person calls one of the files. */
    String titleOf(RemoteFile file) {
        return files.size() == 1 ? title : title + ", " + file.path();
    }
}
