package dev.flagship.formats;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** Opens a model without being told its format. */
public final class ModelFiles {
    private ModelFiles() {}

    /**
     * Opens a GGUF, safetensors or PyTorch file, or a folder: one of Hugging Face's layout (see
     * {@link SafetensorsFile#open} and {@link TorchFile#open}; where both are, safetensors), one of
     * Meta's, or one with a single GGUF model in it.
     *
     * @throws FormatException if it is none of them, or a bad one
     * @throws IOException if it cannot be read
     */
    public static ModelFile open(Path path) throws IOException {
        if (Files.isDirectory(path)) {
            if (SafetensorsFile.isModelFolder(path)) {
                return SafetensorsFile.open(path);
            }
            return TorchFile.isModelFolder(path)
                    ? TorchFile.open(path)
                    : GgufFile.open(onlyGguf(path));
        }
        return switch (signature(path)) {
            case GGUF -> GgufFile.open(path);
            case SAFETENSORS -> SafetensorsFile.open(path);
            case PYTORCH -> TorchFile.open(path);
            case UNKNOWN -> byName(path);
        };
    }

    private static Signature signature(Path path) throws IOException {
        try (MappedTensors peek = new MappedTensors()) {
            MemorySegment bytes = peek.map(path);
            Signature signature = Signature.of(bytes);
            if (signature == Signature.UNKNOWN && !isNamed(path)) {
                throw Signature.mismatch(path, "a GGUF, safetensors or PyTorch file", bytes);
            }
            return signature;
        }
    }

    private static boolean isNamed(Path path) {
        return isNamed(path, ".gguf", ".safetensors", ".bin", ".pth", ".pt");
    }

    private static boolean isNamed(Path path, String... endings) {
        String name = path.getFileName().toString().toLowerCase(Locale.ROOT);
        return Arrays.stream(endings).anyMatch(name::endsWith);
    }

    /** Whoever reads such files says what is wrong with this one. */
    private static ModelFile byName(Path path) throws IOException {
        if (isNamed(path, ".gguf")) {
            return GgufFile.open(path);
        }
        return isNamed(path, ".safetensors") ? SafetensorsFile.open(path) : TorchFile.open(path);
    }

    static FormatException noModel(Path folder) {
        return new FormatException(
                folder,
                "folder",
                "no model.safetensors, pytorch_model.bin, index of either, consolidated.00.pth or GGUF file in it",
                "Name a folder with one of them, or a model file.");
    }

    private static Path onlyGguf(Path folder) throws IOException {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, "*.gguf")) {
            entries.forEach(found::add);
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        if (found.isEmpty()) {
            throw noModel(folder);
        }
        List<Path> models = GgufSplit.models(found);
        if (models.size() > 1) {
            throw new FormatException(
                    folder,
                    "folder",
                    models.size()
                            + " GGUF files: "
                            + models.stream()
                                    .limit(8)
                                    .map(file ->
                                            FormatException.quote(file.getFileName().toString()))
                                    .sorted()
                                    .collect(Collectors.joining(", ")),
                    "Name one of them.");
        }
        return models.getFirst();
    }
}
