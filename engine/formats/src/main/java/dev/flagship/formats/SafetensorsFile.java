package dev.flagship.formats;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A safetensors model: one file, or a folder of Hugging Face's layout with one file or with an
 * index and its shards (layout in the package's documentation).
 *
 * <p>Tensors in F32, F16 and BF16 are read. Tensors of other types, and empty ones, are checked for
 * their place but left out of {@link #tensors}: published models carry stray buffers that no one
 * needs. Asking for one by {@link #tensor} says why.
 */
public final class SafetensorsFile implements ModelFile {
    private static final String SINGLE = "model.safetensors";
    private static final String INDEX = "model.safetensors.index.json";

    private final Path path;
    private final MappedTensors mapped = new MappedTensors();
    private final Map<String, String> metadata = new LinkedHashMap<>();
    private final Shards shards;

    private SafetensorsFile(Path path) {
        this.path = path;
        this.shards = new Shards(path, ".safetensors", mapped, this::head);
    }

    /**
     * Maps the file, or the folder's {@code model.safetensors}, or else the shards that its {@code
     * model.safetensors.index.json} names; nothing stays open if that fails.
     *
     * @throws FormatException if a file breaks the format, a shard is missing, or a name occurs in
     *     two shards
     * @throws IOException if a file cannot be read
     */
    public static SafetensorsFile open(Path fileOrFolder) throws IOException {
        SafetensorsFile model = new SafetensorsFile(fileOrFolder);
        try {
            if (!Files.isDirectory(fileOrFolder)) {
                model.shards.read(List.of(fileOrFolder));
            } else if (Files.exists(fileOrFolder.resolve(SINGLE))) {
                model.shards.read(List.of(fileOrFolder.resolve(SINGLE)));
            } else if (Files.exists(fileOrFolder.resolve(INDEX))) {
                model.shards.readIndexed(fileOrFolder.resolve(INDEX));
            } else {
                throw ModelFiles.noModel(fileOrFolder);
            }
            return model;
        } catch (Throwable e) {
            model.close();
            throw e;
        }
    }

    /**
     * Maps the shards that an index names, as for its folder.
     *
     * @param named the index or one of them
     * @throws FormatException as {@link #open}, or if the index does not name the shard
     */
    static SafetensorsFile openIndexed(Path index, Path named) throws IOException {
        SafetensorsFile model = new SafetensorsFile(ModelFiles.folderOf(index));
        try {
            model.shards.readIndexed(index);
            model.shards.requireNamed(index, named);
            return model;
        } catch (Throwable e) {
            model.close();
            throw e;
        }
    }

    static boolean isModelFolder(Path folder) {
        return Files.exists(folder.resolve(SINGLE)) || Files.exists(folder.resolve(INDEX));
    }

    private Shards.Head head(Path file, MemorySegment bytes, int index) {
        SafetensorsHeader header = SafetensorsHeader.read(file, bytes, index);
        header.metadata().forEach(metadata::putIfAbsent);
        return new Shards.Head(header.tensors(), header.withheld());
    }

    /**
     * The {@code __metadata__} strings; of several shards, the first one's word stands.
     * Unmodifiable.
     */
    public Map<String, String> metadata() {
        return Collections.unmodifiableMap(metadata);
    }

    @Override
    public Map<String, String> withheld() {
        return shards.withheld();
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public Map<String, TensorEntry> tensors() {
        return mapped.tensors();
    }

    @Override
    public TensorEntry tensor(String name) {
        return shards.tensor(name, "This version reads F32, F16 and BF16 here.");
    }

    @Override
    public MemorySegment data(TensorEntry entry) {
        return mapped.data(entry);
    }

    @Override
    public List<Path> files() {
        return mapped.files();
    }

    @Override
    public void close() {
        mapped.close();
    }
}
