package dev.flagship.formats;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;

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

    /**
     * A shard's name comes from the file, so only plain names in the same folder pass, on every
     * system.
     */
    private static final Pattern SHARD =
            Pattern.compile("[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}\\.safetensors");

    private final Path path;
    private final MappedTensors mapped;
    private final Map<String, String> withheld = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();

    private SafetensorsFile(Path path, MappedTensors mapped) {
        this.path = path;
        this.mapped = mapped;
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
        MappedTensors mapped = new MappedTensors();
        SafetensorsFile model = new SafetensorsFile(fileOrFolder, mapped);
        try {
            if (!Files.isDirectory(fileOrFolder)) {
                model.read(List.of(fileOrFolder));
            } else if (Files.exists(fileOrFolder.resolve(SINGLE))) {
                model.read(List.of(fileOrFolder.resolve(SINGLE)));
            } else if (Files.exists(fileOrFolder.resolve(INDEX))) {
                model.readIndexed(fileOrFolder.resolve(INDEX));
            } else {
                throw noModel(fileOrFolder);
            }
            return model;
        } catch (Throwable e) {
            mapped.close();
            throw e;
        }
    }

    static boolean isModelFolder(Path folder) {
        return Files.exists(folder.resolve(SINGLE)) || Files.exists(folder.resolve(INDEX));
    }

    static FormatException noModel(Path folder) {
        String remedy =
                Files.exists(folder.resolve("pytorch_model.bin"))
                        ? "Its pytorch_model.bin is not read by this version: convert it to safetensors."
                        : "Name a folder with one of them, or a model file.";
        return new FormatException(
                folder,
                "folder",
                "neither " + SINGLE + " nor " + INDEX + " nor a GGUF file",
                remedy);
    }

    private void read(List<Path> files) throws IOException {
        Map<String, TensorEntry> entries = new LinkedHashMap<>();
        for (int i = 0; i < files.size(); i++) {
            Path file = files.get(i);
            SafetensorsHeader header = SafetensorsHeader.read(file, mapped.map(file), i);
            for (TensorEntry entry : header.tensors()) {
                if (entries.put(entry.name(), entry) != null) {
                    throw twice(file, entry.name());
                }
            }
            header.withheld()
                    .forEach((name, reason) -> {
                        if (withheld.put(name, reason) != null) {
                            throw twice(file, name);
                        }
                    });
            header.metadata().forEach(metadata::putIfAbsent);
            if (entries.size() + withheld.size() > HeaderReader.MAX_TENSORS) {
                throw new FormatException(
                        file,
                        "shard " + (i + 1) + " of " + files.size(),
                        (entries.size() + withheld.size())
                                + " tensors up to here, at most "
                                + HeaderReader.MAX_TENSORS
                                + " are allowed",
                        HeaderReader.TOO_MANY);
            }
        }
        for (String name : withheld.keySet()) {
            if (entries.containsKey(name)) {
                throw twice(path, name);
            }
        }
        mapped.index(entries);
    }

    private static FormatException twice(Path file, String name) {
        return new FormatException(
                file,
                "tensor " + FormatException.quote(name),
                "another shard has a tensor of that name",
                HeaderReader.DAMAGED);
    }

    private void readIndexed(Path index) throws IOException {
        Map<String, String> shardOf = weightMap(index);
        List<Path> files = new ArrayList<>();
        for (String shard : new TreeSet<>(shardOf.values())) {
            Path file = index.resolveSibling(shard);
            if (!Files.exists(file)) {
                throw new FormatException(
                        index,
                        "weight_map",
                        "the shard " + shard + " is not in the folder",
                        "The download is incomplete: fetch the missing shards.");
            }
            files.add(file);
        }
        read(files);
        shardOf.forEach((name, shard) -> promised(index, files, name, shard));
    }

    private void promised(Path index, List<Path> files, String name, String shard) {
        TensorEntry entry = mapped.find(name);
        boolean there =
                entry == null
                        ? withheld.containsKey(name)
                        : files.get(entry.file()).endsWith(shard);
        if (!there) {
            throw new FormatException(
                    index,
                    "tensor " + FormatException.quote(name),
                    "the index places it in " + shard + ", which does not have it",
                    "Index and shards are of different versions: fetch all of them again.");
        }
    }

    private static Map<String, String> weightMap(Path index) throws IOException {
        byte[] bytes;
        try (MappedTensors mapped = new MappedTensors()) {
            MemorySegment whole = mapped.map(index);
            if (whole.byteSize() > SafetensorsHeader.MAX_HEADER) {
                throw new FormatException(
                        index,
                        "whole file",
                        whole.byteSize() + " bytes, at most " + SafetensorsHeader.MAX_HEADER,
                        HeaderReader.DAMAGED);
            }
            bytes = whole.toArray(ValueLayout.JAVA_BYTE);
        }
        Map<String, String> shardOf = new TreeMap<>();
        try (JsonReader json = new JsonReader(index, "index", bytes)) {
            json.beginObject();
            for (String field = json.nextName(); field != null; field = json.nextName()) {
                if (field.equals("weight_map")) {
                    json.place("weight_map");
                    weightMap(json, shardOf);
                    json.place("index");
                } else {
                    json.skipValue();
                }
            }
            json.end();
            if (shardOf.isEmpty()) {
                throw json.bad("weight_map is missing or empty");
            }
        }
        return shardOf;
    }

    private static void weightMap(JsonReader json, Map<String, String> shardOf) {
        json.beginObject();
        for (String name = json.nextName(); name != null; name = json.nextName()) {
            json.place("weight_map of tensor", name);
            if (shardOf.size() == HeaderReader.MAX_TENSORS) {
                throw json.tooMany("tensors", HeaderReader.MAX_TENSORS);
            }
            String shard = json.string();
            if (!SHARD.matcher(shard).matches()) {
                throw json.bad(
                        FormatException.quote(shard)
                                + " is not a plain file name that ends in .safetensors");
            }
            shardOf.put(name, shard);
        }
    }

    /**
     * The {@code __metadata__} strings; of several shards, the first one's word stands.
     * Unmodifiable.
     */
    public Map<String, String> metadata() {
        return Collections.unmodifiableMap(metadata);
    }

    /** Tensors left out of {@link #tensors}, each with the reason. Unmodifiable. */
    public Map<String, String> withheld() {
        return Collections.unmodifiableMap(withheld);
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
        TensorEntry entry = mapped.find(name);
        if (entry != null) {
            return entry;
        }
        String reason = withheld.get(name);
        throw new FormatException(
                path,
                "tensor " + FormatException.quote(name),
                reason == null ? "the model does not have it" : reason,
                reason == null
                        ? "It may be of another architecture, or incomplete: use another model."
                        : "This version reads F32, F16 and BF16 here.");
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
