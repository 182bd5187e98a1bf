package dev.flagship.formats;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The names of a split model's parts, as llama.cpp's llama-gguf-split gives them: {@code
 * NAME-00001-of-00003.gguf}.
 *
 * @param named one of them
 * @param number of that one, from 0
 * @param parts how many there are
 */
record GgufSplit(Path named, int number, int parts) {
    static final String FETCH_ALL = "Fetch all parts of one version again.";

    private static final Pattern NAME = Pattern.compile("(.*)-([0-9]{5})-of-([0-9]{5})\\.gguf");

    /**
     * Reads the name of a part.
     *
     * @param parts as many as its metadata promise
     * @throws FormatException if it is not named as a part of so many
     */
    static GgufSplit of(Path path, long parts) {
        Matcher name = NAME.matcher(path.getFileName().toString());
        if (name.matches()) {
            int number = Integer.parseInt(name.group(2));
            if (number >= 1 && number <= parts && Integer.parseInt(name.group(3)) == parts) {
                return new GgufSplit(path, number - 1, (int) parts);
            }
        }
        throw new FormatException(
                path,
                "metadata key split.count",
                "it is one of " + Long.toUnsignedString(parts) + " parts, and not named so",
                "Give the parts their names back, as NAME-00001-of-00003.gguf, or join them with `llama-gguf-split --merge`.");
    }

    /**
     * A part, which lies beside the named one.
     *
     * @throws FormatException if it is not there
     */
    Path part(int index) {
        Matcher name = NAME.matcher(named.getFileName().toString());
        String prefix = name.matches() ? name.group(1) : "";
        Path part =
                named.resolveSibling("%s-%05d-of-%05d.gguf".formatted(prefix, index + 1, parts));
        if (!Files.exists(part)) {
            throw new FormatException(
                    named,
                    "split model",
                    "its part " + part.getFileName() + " is not in the folder",
                    "The download is incomplete: fetch the missing part.");
        }
        return part;
    }

    /** The files that name a model each: parts but the first are left out, if that is there. */
    static List<Path> models(List<Path> files) {
        List<Path> models =
                files.stream()
                        .filter(file -> {
                            Matcher name = NAME.matcher(file.getFileName().toString());
                            return !name.matches() || name.group(2).equals("00001");
                        })
                        .toList();
        return models.isEmpty() ? files.stream().sorted().limit(1).toList() : models;
    }
}
