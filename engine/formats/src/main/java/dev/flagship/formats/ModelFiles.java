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
import java.util.Optional;
import java.util.stream.Collectors;

/** Opens a model without being told its format. */
public final class ModelFiles {
    private static final String GGUF = "*.gguf";
    private static final String INDEX = ".index.json";

    /** Files that say of a whole folder what it is. */
    private static final List<String> DESCRIPTIONS = List.of("config.json", "params.json");

    /** As many as a reader wants to see at once. */
    private static final int MOST_NAMED = 8;

    private ModelFiles() {}

    /**
     * Opens a GGUF, safetensors or PyTorch file, or a folder: one of Hugging Face's layout (see
     * {@link SafetensorsFile#open} and {@link TorchFile#open}; where both are, safetensors), one of
     * Meta's, one with a single GGUF model in it, or a model of Hugging Face's cache, by its main
     * or only snapshot. One of several shards or parts, their index, {@code config.json} and {@code
     * params.json} stand for the model whose they are.
     *
     * @throws FormatException if it is none of them, or a bad one
     * @throws IOException if it cannot be read
     */
    public static ModelFile open(Path path) throws IOException {
        if (Files.isDirectory(path)) {
            return openFolder(path);
        }
        if (Files.isRegularFile(path)) {
            if (Adapter.isNamed(path)) {
                throw Adapter.refusal(folderOf(path));
            }
            if (DESCRIPTIONS.contains(path.getFileName().toString())) {
                return openFolder(folderOf(path));
            }
            if (isNamed(path, ".safetensors" + INDEX, ".bin" + INDEX)) {
                return openIndexed(path, path);
            }
        }
        Signature signature = signature(path);
        boolean shared = signature == Signature.SAFETENSORS || signature == Signature.PYTORCH;
        Optional<ShardName> shard = shared ? ShardName.of(path) : Optional.empty();
        if (shard.isPresent() && Files.exists(shard.get().index())) {
            return openIndexed(shard.get().index(), path);
        }
        if (shard.isPresent() && shard.get().count() > 1) { // an only one has everything
            throw shard.get().withoutIndex();
        }
        return switch (signature) {
            case GGUF -> GgufFile.open(path);
            case SAFETENSORS -> SafetensorsFile.open(path);
            case PYTORCH -> TorchFile.open(path);
            case UNKNOWN -> byName(path);
        };
    }

    /** The folder in which a file lies. */
    static Path folderOf(Path file) {
        return file.toAbsolutePath().resolveSibling("");
    }

    /**
     * @param named the index or one of its shards
     */
    private static ModelFile openIndexed(Path index, Path named) throws IOException {
        return isNamed(index, ".bin" + INDEX)
                ? TorchFile.openIndexed(index, named)
                : SafetensorsFile.openIndexed(index, named);
    }

    private static ModelFile openFolder(Path folder) throws IOException {
        if (!isModelFolder(folder)) {
            Optional<HubCache> cache = HubCache.of(folder);
            if (cache.isPresent()) {
                return openModelFolder(cache.get().snapshot());
            }
        }
        return openModelFolder(folder);
    }

    private static boolean isModelFolder(Path folder) throws IOException {
        return SafetensorsFile.isModelFolder(folder)
                || TorchFile.isModelFolder(folder)
                || !found(folder, GGUF).isEmpty();
    }

    private static ModelFile openModelFolder(Path folder) throws IOException {
        if (SafetensorsFile.isModelFolder(folder)) {
            return SafetensorsFile.open(folder);
        }
        return TorchFile.isModelFolder(folder)
                ? TorchFile.open(folder)
                : GgufFile.open(onlyGguf(folder));
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

    /** The error for a folder without a model, which says what it is where that is plain to see. */
    static FormatException noModel(Path folder) throws IOException {
        if (Adapter.isIn(folder)) {
            return Adapter.refusal(folder);
        }
        for (Path file : found(folder, "*-of-*")) {
            Optional<ShardName> shard = ShardName.of(file);
            if (shard.isPresent()) {
                return shard.get().withoutIndex();
            }
        }
        if (found(folder, "*").isEmpty()) {
            return new FormatException(
                    folder,
                    "folder",
                    "it is empty",
                    "Download a model into it, or name a folder that holds one.");
        }
        return new FormatException(
                folder,
                "folder",
                "no model.safetensors, pytorch_model.bin, index of either, consolidated.00.pth or GGUF file in it",
                "Name a folder with one of them, or a model file.");
    }

    /** Files of a folder, in the order of their names. */
    static List<Path> found(Path folder, String pattern) throws IOException {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, pattern)) {
            entries.forEach(found::add);
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        found.sort(null);
        return found;
    }

    private static Path onlyGguf(Path folder) throws IOException {
        List<Path> found = found(folder, GGUF);
        if (found.isEmpty()) {
            throw noModel(folder);
        }
        List<Path> models = GgufSplit.models(found);
        if (models.size() > 1) {
            throw new FormatException(
                    folder,
                    "folder",
                    models.size() + " GGUF files: " + names(models),
                    "Name one of them.");
        }
        return models.getFirst();
    }

    /** Names of some files or folders, quoted, for a message. */
    static String names(List<Path> files) {
        int more = files.size() - MOST_NAMED;
        return files.stream()
                .sorted()
                .limit(MOST_NAMED)
                .map(file -> FormatException.quote(file.getFileName().toString()))
                .collect(Collectors.joining(", ", "", more > 0 ? " and " + more + " more" : ""));
    }
}
