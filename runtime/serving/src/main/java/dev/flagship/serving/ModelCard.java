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

    /**
     * From the front matter of README.md, as Hugging Face has it, else a licence's own file. A
     * licence that Hugging Face has no identifier for is {@code other} there, with a name.
     */
    static ModelCard of(ModelFolder folder) throws IOException {
        List<String> lines = frontMatter(folder.path().resolve("README.md"));
        Optional<String> stated = value(lines, "license:");
        if (stated.isPresent() && stated.get().equals("other")) {
            stated = value(lines, "license_name:").or(() -> Optional.of("other"));
        }
        return new ModelCard(
                Optional.empty(), stated.isPresent() ? stated : ownFile(folder.path()));
    }

    private static List<String> frontMatter(Path readme) throws IOException {
        if (!Files.isRegularFile(readme)) {
            return List.of();
        }
        byte[] start;
        try (InputStream in = Files.newInputStream(readme)) {
            start = in.readNBytes(LARGEST_README);
        }
        List<String> lines = new String(start, StandardCharsets.UTF_8).lines().toList();
        if (lines.isEmpty() || !lines.getFirst().equals(FRONT_MATTER)) {
            return List.of();
        }
        return lines.stream().skip(1).takeWhile(line -> !line.equals(FRONT_MATTER)).toList();
    }

    /** A value of YAML on its key's line, without the quotes that YAML may have. */
    private static Optional<String> value(List<String> lines, String key) {
        return lines.stream()
                .filter(line -> line.startsWith(key))
                .map(line -> line.substring(key.length()).strip())
                .map(value -> value.replaceFirst("^(['\"])(.*)\\1$", "$2"))
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
