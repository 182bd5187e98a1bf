package dev.flagship.serving;

import dev.flagship.formats.FormatException;
import dev.flagship.formats.GgufMetadata;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What a model's makers call it and allow; nothing of it is needed to run the model.
 *
 * @param licence its identifier, or the file that has it
 */
record ModelCard(Optional<String> name, Optional<String> licence) {
    private static final int LARGEST_README = 64 << 10;
    private static final String FRONT_MATTER = "---";

    static ModelCard of(GgufMetadata meta) {
        return new ModelCard(text(meta, "general.name"), text(meta, "general.license"));
    }

    /** A file runs whatever its makers put here, so what is no text is as if it were not there. */
    private static Optional<String> text(GgufMetadata meta, String key) {
        try {
            return meta.findString(key);
        } catch (FormatException e) {
            return Optional.empty();
        }
    }

    /** From the front matter of README.md, as Hugging Face has it, else a licence's own file. */
    static ModelCard of(ModelFolder folder) throws IOException {
        Optional<String> stated = frontMatter(folder.path().resolve("README.md"), "license:");
        return new ModelCard(Optional.empty(), stated.or(() -> ownFile(folder.path())));
    }

    private static Optional<String> frontMatter(Path readme, String key) throws IOException {
        if (!Files.isRegularFile(readme)) {
            return Optional.empty();
        }
        byte[] start;
        try (InputStream in = Files.newInputStream(readme)) {
            start = in.readNBytes(LARGEST_README);
        }
        List<String> lines = new String(start, StandardCharsets.UTF_8).lines().toList();
        if (lines.isEmpty() || !lines.getFirst().equals(FRONT_MATTER)) {
            return Optional.empty();
        }
        return lines.stream()
                .skip(1)
                .takeWhile(line -> !line.equals(FRONT_MATTER))
                .filter(line -> line.startsWith(key))
                .map(line -> line.substring(key.length()).strip())
                .filter(value -> !value.isEmpty())
                .findFirst();
    }

    private static Optional<String> ownFile(Path folder) {
        return List.of("LICENSE", "LICENSE.txt", "LICENSE.md").stream()
                .filter(name -> Files.exists(folder.resolve(name)))
                .map(name -> "see " + name)
                .findFirst();
    }
}
