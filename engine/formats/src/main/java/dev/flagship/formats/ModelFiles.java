package dev.flagship.formats;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** Opens a model without being told its format. */
public final class ModelFiles {
    private ModelFiles() {}

    /**
     * Opens a GGUF file, a safetensors file, or a folder: one of Hugging Face's layout (see {@link
     * SafetensorsFile#open}) or one with a single {@code .gguf} in it.
     *
     * @throws FormatException if it is none of them, or a bad one
     * @throws IOException if it cannot be read
     */
    public static ModelFile open(Path path) throws IOException {
        if (Files.isDirectory(path)) {
            return SafetensorsFile.isModelFolder(path)
                    ? SafetensorsFile.open(path)
                    : GgufFile.open(onlyGguf(path));
        }
        String name = path.getFileName().toString().toLowerCase(Locale.ROOT);
        Signature signature;
        try (MappedTensors peek = new MappedTensors()) {
            MemorySegment bytes = peek.map(path);
            signature = Signature.of(bytes);
            boolean named = name.endsWith(".gguf") || name.endsWith(".safetensors");
            if (signature == Signature.UNKNOWN && !named) {
                throw Signature.mismatch(path, "a GGUF or safetensors file", bytes);
            }
        }
        return signature == Signature.GGUF
                        || (signature == Signature.UNKNOWN && name.endsWith(".gguf"))
                ? GgufFile.open(path)
                : SafetensorsFile.open(path);
    }

    private static Path onlyGguf(Path folder) throws IOException {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, "*.gguf")) {
            entries.forEach(found::add);
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        if (found.isEmpty()) {
            throw SafetensorsFile.noModel(folder);
        }
        if (found.size() > 1) {
            throw new FormatException(
                    folder,
                    "folder",
                    found.size()
                            + " GGUF files: "
                            + found.stream()
                                    .limit(8)
                                    .map(file ->
                                            FormatException.quote(file.getFileName().toString()))
                                    .sorted()
                                    .collect(Collectors.joining(", ")),
                    "Name one of them.");
        }
        return found.getFirst();
    }
}
