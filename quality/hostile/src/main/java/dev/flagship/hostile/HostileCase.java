package dev.flagship.hostile;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A model made to hurt whoever reads it.
 *
 * @param lie what is wrong with it
 * @param covers the class of vulnerabilities that it belongs to
 * @param files contents by name; a folder's worth
 * @param links symbolic links by name, with their targets
 * @param opened name of what is opened; empty for the folder
 * @param words that the error must contain
 */
public record HostileCase(
        Format format,
        String lie,
        CveClass covers,
        Map<String, byte[]> files,
        Map<String, String> links,
        String opened,
        String words) {

    public HostileCase {
        files = Map.copyOf(files);
        links = Map.copyOf(links);
    }

    HostileCase(
            Format format,
            String lie,
            CveClass covers,
            Map<String, byte[]> files,
            String opened,
            String words) {
        this(format, lie, covers, files, Map.of(), opened, words);
    }

    /** As another class. */
    HostileCase as(CveClass other) {
        return new HostileCase(format, lie, other, files, links, opened, words);
    }

    /** With a link in place of a file. */
    HostileCase link(String name, String target) {
        Map<String, byte[]> others = new LinkedHashMap<>(files);
        others.remove(name);
        return new HostileCase(format, lie, covers, others, Map.of(name, target), opened, words);
    }

    /**
     * Writes it into a folder, which is made.
     *
     * @return what is to be opened
     */
    public Path write(Path folder) throws IOException {
        Files.createDirectories(folder);
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            Files.write(folder.resolve(file.getKey()), file.getValue());
        }
        for (Map.Entry<String, String> link : links.entrySet()) {
            Files.createSymbolicLink(folder.resolve(link.getKey()), Path.of(link.getValue()));
        }
        return opened.isEmpty() ? folder : folder.resolve(opened);
    }

    /** Bytes of all files. */
    public long bytes() {
        return files.values().stream().mapToLong(content -> content.length).sum();
    }

    @Override
    public String toString() {
        return format.title() + ": " + lie;
    }
}
