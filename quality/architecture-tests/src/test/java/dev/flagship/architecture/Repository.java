package dev.flagship.architecture;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The working tree: sources and documents as they lie in it. */
record Repository(Path root) {

    /** The tree that is being tested; the parent pom passes its place. */
    static Repository here() {
        @Nullable String root = System.getProperty("flagship.root");
        if (root == null) {
            throw new IllegalStateException("flagship.root is not set: run by Maven");
        }
        return new Repository(Path.of(root));
    }

    String read(String file) {
        try {
            return Files.readString(root.resolve(file));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    boolean exists(String file) {
        return Files.exists(root.resolve(file));
    }

    /** Files below a folder with that ending, relative to the root; none if there is no folder. */
    List<Path> files(String folder, String ending) {
        Path start = root.resolve(folder);
        if (!Files.isDirectory(start)) {
            return List.of();
        }
        try (Stream<Path> files = Files.walk(start)) {
            return files.filter(file -> file.toString().endsWith(ending))
                    .map(root::relativize)
                    .filter(file -> !file.toString().contains("target/"))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
