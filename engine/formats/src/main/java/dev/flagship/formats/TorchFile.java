package dev.flagship.formats;

import dev.flagship.base.Check;
import dev.flagship.base.Quoted;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * A model saved by PyTorch (layout in the package's documentation): one file, a folder of Hugging
 * Face's layout with one file or with an index and its shards, or a folder of Meta's layout, {@code
 * consolidated.00.pth} and so on, where every file has a part of each tensor.
 *
 * <p>Tensors in F32, F16 and BF16 are read. Others, and empty ones, are left out of {@link
 * #tensors}; asking for one by {@link #tensor} says why.
 */
public final class TorchFile implements ModelFile {
    private static final String SINGLE = "pytorch_model.bin";
    private static final String INDEX = "pytorch_model.bin.index.json";
    private static final String FIRST_PART = "consolidated.00.pth";
    private static final String PARTS = "consolidated.[0-9][0-9].pth";
    private static final Pattern PART = Pattern.compile("consolidated\\.[0-9]{2}\\.pth");

    /** Names have two digits. */
    private static final int MOST_PARTS = 100;

    private static final String TYPES_READ =
            "This version reads float32, float16 and bfloat16 here.";

    private final Path path;
    private final MappedTensors mapped = new MappedTensors();
    private final Shards shards;

    /** For each file of Meta's layout what it has; empty for the other layouts. */
    private final List<Map<String, TensorEntry>> parts = new ArrayList<>();

    private TorchFile(Path path) {
        this.path = path;
        this.shards = new Shards(path, ".bin", mapped, TorchHeader::read);
    }

    /**
     * Maps the file, or all parts beside a part of Meta's, or a folder's {@code pytorch_model.bin},
     * or the shards that its {@code pytorch_model.bin.index.json} names, or its {@code
     * consolidated.NN.pth}; nothing stays open if that fails.
     *
     * @throws FormatException if a file breaks the format or holds anything but tensors, if a shard
     *     is missing, or if parts do not have the same names
     * @throws IOException if a file cannot be read
     */
    public static TorchFile open(Path fileOrFolder) throws IOException {
        TorchFile model = new TorchFile(fileOrFolder);
        try {
            boolean folder = Files.isDirectory(fileOrFolder);
            if (!folder && PART.matcher(fileOrFolder.getFileName().toString()).matches()) {
                model.readParts(partsIn(ModelFiles.folderOf(fileOrFolder)));
            } else if (!folder) {
                model.shards.read(List.of(fileOrFolder));
            } else if (Files.exists(fileOrFolder.resolve(SINGLE))) {
                model.shards.read(List.of(fileOrFolder.resolve(SINGLE)));
            } else if (Files.exists(fileOrFolder.resolve(INDEX))) {
                model.shards.readIndexed(fileOrFolder.resolve(INDEX));
            } else if (!partsIn(fileOrFolder).isEmpty()) {
                model.readParts(partsIn(fileOrFolder));
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
    static TorchFile openIndexed(Path index, Path named) throws IOException {
        TorchFile model = new TorchFile(ModelFiles.folderOf(index));
        try {
            model.shards.readIndexed(index);
            model.shards.requireNamed(index, named);
            return model;
        } catch (Throwable e) {
            model.close();
            throw e;
        }
    }

    static boolean isModelFolder(Path folder) throws IOException {
        return Files.exists(folder.resolve(SINGLE))
                || Files.exists(folder.resolve(INDEX))
                || !partsIn(folder).isEmpty();
    }

    /** The parts in a folder, in order. */
    private static List<Path> partsIn(Path folder) throws IOException {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, PARTS)) {
            entries.forEach(found::add);
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        found.sort(null);
        return found;
    }

    /** The name of a part, counted from 0. */
    private static String partName(int index) {
        return FIRST_PART.replace("00", String.format(Locale.ROOT, "%02d", index));
    }

    /** Of parts before the last one that is there; whether others follow, only their sizes tell. */
    private static void checkGaps(List<Path> files) {
        Set<String> names = new LinkedHashSet<>();
        files.forEach(file -> names.add(file.getFileName().toString()));
        List<String> missing = new ArrayList<>();
        for (int i = 0; i < MOST_PARTS && !names.isEmpty(); i++) {
            if (!names.remove(partName(i))) {
                missing.add(partName(i));
            }
        }
        if (!missing.isEmpty()) {
            throw partsMissing(files.getLast(), Shards.missing(missing));
        }
    }

    private static FormatException partsMissing(Path beside, String problem) {
        return new FormatException(
                ModelFiles.folderOf(beside), "folder", problem, Shards.FETCH_MISSING);
    }

    /**
     * Refuses a model of Meta's layout that has fewer parts than it was made of.
     *
     * @param count as the sizes of the whole and of a part tell it; names have two digits
     * @throws FormatException that names those that are missing
     */
    public void requireParts(int count) {
        List<String> missing = new ArrayList<>();
        for (int i = parts.size(); i < count && i < MOST_PARTS; i++) {
            missing.add(partName(i));
        }
        if (!missing.isEmpty()) {
            throw partsMissing(
                    files().getLast(), Shards.missing(missing) + ", of " + count + " parts");
        }
    }

    private void readParts(List<Path> files) throws IOException {
        checkGaps(files);
        for (int i = 0; i < files.size(); i++) {
            Path file = files.get(i);
            Map<String, TensorEntry> part = new LinkedHashMap<>();
            Shards.Head head = TorchHeader.read(file, mapped.map(file), i);
            head.tensors().forEach(entry -> part.put(entry.name(), entry));
            shards.withhold(head.withheld());
            if (!parts.isEmpty() && !part.keySet().equals(parts.getFirst().keySet())) {
                throw new FormatException(
                        file,
                        "names of the tensors",
                        "they are not those of " + FIRST_PART,
                        "The parts are of different models: fetch all of them again.");
            }
            parts.add(part);
        }
        mapped.index(parts.getFirst());
    }

    /** Whether every file has a part of each tensor, as Meta's do; one file has the whole. */
    public boolean consolidated() {
        return !parts.isEmpty();
    }

    /**
     * Where a tensor's parts lie: one for each file of Meta's layout, in their order, else the
     * tensor itself. {@link #tensors} has the first of each.
     *
     * @throws FormatException as {@link #tensor}
     */
    public List<TensorEntry> parts(String name) {
        TensorEntry first = tensor(name);
        List<TensorEntry> all = new ArrayList<>();
        for (Map<String, TensorEntry> part : parts) {
            TensorEntry entry = part.get(name);
            if (entry != null) {
                all.add(entry);
            }
        }
        return all.isEmpty() ? List.of(first) : List.copyOf(all);
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
        return shards.tensor(name, TYPES_READ);
    }

    /** Also of an entry out of {@link #parts}. */
    @Override
    public MemorySegment data(TensorEntry entry) {
        if (parts.isEmpty()) {
            return mapped.data(entry);
        }
        Check.check(
                entry.file() < parts.size()
                        && entry.equals(parts.get(entry.file()).get(entry.name())),
                "tensor %s is not one of this model's entries",
                Quoted.of(entry.name()));
        return mapped.bytes(entry);
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
