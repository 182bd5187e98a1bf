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
import org.jspecify.annotations.Nullable;

/**
 * The files of a model whose tensors are shared out: each tensor in one of them, by an index of
 * Hugging Face's layout or by itself.
 */
final class Shards {
    /**
     * What one file has.
     *
     * @param tensors those that this version reads
     * @param withheld why each of the others is not read, by name
     */
    record Head(List<TensorEntry> tensors, Map<String, String> withheld) {}

    static final String FETCH_MISSING = "The download is incomplete: fetch what is missing.";

    /** As many names as a reader wants to see at once. */
    static final int MOST_NAMED = 8;

    /** Says of files that they are missing. */
    static String missing(List<String> names) {
        return missing(names, names.size());
    }

    /**
     * As {@link #missing(List)}, of more than are named.
     *
     * @param names the first of them, or all
     */
    static String missing(List<String> names, int all) {
        int more = all - MOST_NAMED;
        return String.join(", ", names.subList(0, Math.min(names.size(), MOST_NAMED)))
                + (more > 0 ? " and " + more + " more" : "")
                + (all == 1 ? " is missing" : " are missing");
    }

    /** Reads what a file has. */
    interface HeadReader {
        /**
         * Checks the file on the way.
         *
         * @param index of the file, for its entries
         */
        Head read(Path file, MemorySegment bytes, int index);
    }

    private final Path path;
    private final String ending;
    private final HeadReader reader;
    private final MappedTensors mapped;
    private final Map<String, String> withheld = new LinkedHashMap<>();

    /**
     * @param path what the user named
     * @param ending of the names of the files
     * @param mapped gets the files and the index of their tensors
     */
    Shards(Path path, String ending, MappedTensors mapped, HeadReader reader) {
        this.path = path;
        this.ending = ending;
        this.mapped = mapped;
        this.reader = reader;
    }

    /** Tensors that no file has in a type that is read, each with the reason. Unmodifiable. */
    Map<String, String> withheld() {
        return Collections.unmodifiableMap(withheld);
    }

    /** Leaves out tensors of a file that is read elsewhere. */
    void withhold(Map<String, String> reasons) {
        withheld.putAll(reasons);
    }

    /**
     * The tensor.
     *
     * @param types that are read of this format, for the message
     * @throws FormatException if no file has it, or has it in a type that is not read
     */
    TensorEntry tensor(String name, String types) {
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
                        : types);
    }

    /** Maps the files. */
    void read(List<Path> files) throws IOException {
        Map<String, TensorEntry> entries = new LinkedHashMap<>();
        for (int i = 0; i < files.size(); i++) {
            Path file = files.get(i);
            Head head = reader.read(file, mapped.map(file), i);
            for (TensorEntry entry : head.tensors()) {
                if (entries.put(entry.name(), entry) != null) {
                    throw twice(file, entry.name());
                }
            }
            head.withheld()
                    .forEach((name, reason) -> {
                        if (withheld.put(name, reason) != null) {
                            throw twice(file, name);
                        }
                    });
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

    /** Maps the files that an index names, which lie beside it, and compares them with it. */
    void readIndexed(Path index) throws IOException {
        Map<String, String> shardOf = weightMap(index);
        List<Path> files = new ArrayList<>();
        List<String> missing = new ArrayList<>();
        for (String shard : new TreeSet<>(shardOf.values())) {
            Path file = index.resolveSibling(shard);
            files.add(file);
            if (!Files.exists(file)) {
                missing.add(shard);
            }
        }
        if (!missing.isEmpty()) {
            throw new FormatException(
                    index,
                    "weight_map",
                    missing.size() == 1
                            ? "the shard " + missing.getFirst() + " is not in the folder"
                            : "of its shards " + missing(missing),
                    "The download is incomplete: fetch the missing shards.");
        }
        read(files);
        shardOf.forEach((name, shard) -> promised(index, files, name, shard));
    }

    /** Refuses a model that was named by a shard which its index does not name. */
    void requireNamed(Path index, Path named) {
        Path name = named.getFileName();
        boolean known =
                name.equals(index.getFileName())
                        || mapped.files().stream().anyMatch(file -> file.endsWith(name));
        if (!known) {
            throw new FormatException(
                    index,
                    "weight_map",
                    "it does not name the shard " + FormatException.quote(name.toString()),
                    "Index and shards are of different versions: fetch all of them again, or name the folder.");
        }
    }

    private void promised(Path index, List<Path> files, String name, String shard) {
        @Nullable TensorEntry entry = mapped.find(name);
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

    private Map<String, String> weightMap(Path index) throws IOException {
        byte[] bytes;
        try (MappedTensors whole = new MappedTensors()) {
            MemorySegment text = whole.map(index);
            if (text.byteSize() > SafetensorsHeader.MAX_HEADER) {
                throw new FormatException(
                        index,
                        "whole file",
                        text.byteSize() + " bytes, at most " + SafetensorsHeader.MAX_HEADER,
                        HeaderReader.DAMAGED);
            }
            bytes = text.toArray(ValueLayout.JAVA_BYTE);
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

    private void weightMap(JsonReader json, Map<String, String> shardOf) {
        // A shard's name comes from the file, so only plain names in the same folder pass, on
        // every system.
        Pattern plain =
                Pattern.compile("[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}" + Pattern.quote(ending));
        json.beginObject();
        for (String name = json.nextName(); name != null; name = json.nextName()) {
            json.place("weight_map of tensor", name);
            if (shardOf.size() == HeaderReader.MAX_TENSORS) {
                throw json.tooMany("tensors", HeaderReader.MAX_TENSORS);
            }
            String shard = json.string();
            if (!plain.matcher(shard).matches()) {
                throw json.bad(
                        FormatException.quote(shard)
                                + " is not a plain file name that ends in "
                                + ending);
            }
            shardOf.put(name, shard);
        }
    }
}
