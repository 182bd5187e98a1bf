package dev.flagship.formats;

import dev.flagship.tensor.DType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A GGUF file, version 2 or 3, little-endian (ggml's docs/gguf.md; layout in the package's
 * documentation). Names and row order are those on disk: llama's query and key rows are still in
 * GGUF's RoPE order.
 */
public final class GgufFile implements ModelFile {
    private static final int MAX_DIMENSIONS = 4;
    private static final int MAX_NAME_BYTES = 1024;
    private static final int LEAST_PAIR = 8 + 1 + 4 + 1;
    private static final int LEAST_TENSOR = 8 + 1 + 4 + 8 + 4 + 8;
    private static final int DEFAULT_ALIGNMENT = 32;
    private static final String ALIGNMENT = "general.alignment";
    private static final String SPLIT_COUNT = "split.count";
    private static final String SPLIT_NUMBER = "split.no";
    private static final String TYPES_READ =
            "This version reads F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K to Q6_K, IQ1_S to IQ4_XS and MXFP4.";

    private final Path path;
    private final MappedTensors mapped;
    private final int version;
    private final GgufMetadata metadata;

    private GgufFile(Path path, MappedTensors mapped, int version, GgufMetadata metadata) {
        this.path = path;
        this.mapped = mapped;
        this.version = version;
        this.metadata = metadata;
    }

    /**
     * Maps a file, with its other parts if it is one of a split model, and reads the headers;
     * nothing stays open if that fails. Any part names the whole.
     *
     * @throws FormatException if a file breaks the format, a part is missing or of another model,
     *     or a tensor is of a type that this version does not read
     * @throws IOException if a file cannot be read
     */
    public static GgufFile open(Path path) throws IOException {
        MappedTensors mapped = new MappedTensors();
        try {
            return read(path, mapped);
        } catch (Throwable e) {
            mapped.close();
            throw e;
        }
    }

    private static GgufFile read(Path path, MappedTensors mapped) throws IOException {
        Head named = head(path, mapped, 0);
        long parts = named.metadata.findInteger(SPLIT_COUNT).orElse(1);
        if (parts == 0 || parts == 1) {
            mapped.index(named.tensors);
            return new GgufFile(path, mapped, named.version, named.metadata);
        }
        GgufSplit split = GgufSplit.of(path, parts);
        List<Head> heads = new ArrayList<>();
        int opened = 1;
        for (int i = 0; i < parts; i++) {
            Head head = i == split.number() ? named : head(split.part(i), mapped, opened++);
            checkPart(split, i, head);
            heads.add(head);
        }
        mapped.index(together(split, heads));
        return new GgufFile(path, mapped, heads.getFirst().version, heads.getFirst().metadata);
    }

    /** What one file says of itself. */
    private record Head(int version, GgufMetadata metadata, Map<String, TensorEntry> tensors) {}

    private static Head head(Path path, MappedTensors mapped, int index) throws IOException {
        MemorySegment bytes = mapped.map(path);
        if (Signature.of(bytes) != Signature.GGUF) {
            throw Signature.mismatch(path, "a GGUF file", bytes);
        }
        HeaderReader header = HeaderReader.of(path, bytes);
        header.skip(4);
        int version = version(header);
        header.place("tensor count");
        int tensors = header.count("tensors", LEAST_TENSOR, HeaderReader.MAX_TENSORS);
        header.place("metadata count");
        int pairs = header.count("metadata pairs", LEAST_PAIR, GgufMetadata.MAX_PAIRS);
        GgufMetadata metadata = GgufMetadata.read(header, pairs);
        long alignment = alignment(header, metadata);
        return new Head(
                version,
                metadata,
                new Tensors(header, bytes.byteSize(), alignment, index).read(tensors));
    }

    private static void checkPart(GgufSplit split, int number, Head head) {
        long count = head.metadata.findInteger(SPLIT_COUNT).orElse(1);
        long own = head.metadata.findInteger(SPLIT_NUMBER).orElse(-1);
        if (count != split.parts() || own != number) {
            throw new FormatException(
                    split.part(number),
                    "metadata keys split.no and split.count",
                    "%d of %d, expected %d of %d as its name says"
                            .formatted(own, count, number, split.parts()),
                    GgufSplit.FETCH_ALL);
        }
    }

    private static Map<String, TensorEntry> together(GgufSplit split, List<Head> heads) {
        Map<String, TensorEntry> all = new LinkedHashMap<>();
        for (int i = 0; i < heads.size(); i++) {
            for (TensorEntry entry : heads.get(i).tensors.values()) {
                if (all.put(entry.name(), entry) != null) {
                    throw new FormatException(
                            split.part(i),
                            "tensor " + FormatException.quote(entry.name()),
                            "another part has a tensor of that name",
                            GgufSplit.FETCH_ALL);
                }
            }
            if (all.size() > HeaderReader.MAX_TENSORS) {
                throw new FormatException(
                        split.part(i),
                        "tensors of all parts",
                        "more than " + HeaderReader.MAX_TENSORS,
                        HeaderReader.TOO_MANY);
            }
        }
        long promised =
                heads.getFirst().metadata.findInteger("split.tensors.count").orElse(all.size());
        if (promised != all.size()) {
            throw new FormatException(
                    split.part(0),
                    "metadata key split.tensors.count",
                    promised + " tensors, but all parts have " + all.size(),
                    GgufSplit.FETCH_ALL);
        }
        return all;
    }

    private static int version(HeaderReader header) {
        header.place("version");
        int version = header.int32();
        if (version == 2 || version == 3) {
            return version;
        }
        if (version == 1) {
            throw header.bad(
                    "GGUF version 1, expected 2 or 3",
                    "Version 1 was replaced in 2023: convert the model again.");
        }
        int swapped = Integer.reverseBytes(version);
        if (swapped > 0 && swapped < 1 << 16) {
            throw header.bad(
                    "big-endian GGUF (version " + swapped + ")",
                    "Only little-endian files are read: convert it with gguf-py's gguf_convert_endian.py.");
        }
        throw header.bad(
                "GGUF version " + Integer.toUnsignedString(version) + ", expected 2 or 3",
                "Use a newer Flagship or a file in version 3.");
    }

    private static long alignment(HeaderReader header, GgufMetadata metadata) {
        long alignment = metadata.findInteger(ALIGNMENT).orElse(DEFAULT_ALIGNMENT);
        if (alignment < 8 || alignment > 1 << 30 || Long.bitCount(alignment) != 1) {
            header.place("metadata key", ALIGNMENT);
            throw header.bad(
                    "alignment " + alignment + ", expected a power of two from 8 to 2^30",
                    HeaderReader.DAMAGED);
        }
        return alignment;
    }

    /** Version of the format: 2 or 3. */
    public int version() {
        return version;
    }

    public GgufMetadata metadata() {
        return metadata;
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public Map<String, TensorEntry> tensors() {
        return mapped.tensors();
    }

    /** None: a file with another type is refused whole. */
    @Override
    public Map<String, String> withheld() {
        return Map.of();
    }

    @Override
    public TensorEntry tensor(String name) {
        TensorEntry entry = mapped.find(name);
        if (entry == null) {
            throw new FormatException(
                    path,
                    "tensor " + FormatException.quote(name),
                    "the file does not have it",
                    "It may be of another architecture, or incomplete: use another file.");
        }
        return entry;
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

    /**
     * The tensor table: read in order, placed once the header's end is known, then checked against
     * each other.
     */
    private record Tensors(HeaderReader header, long fileBytes, long alignment, int file) {
        private record Declared(String name, DType type, List<Long> shape, long offset) {}

        Map<String, TensorEntry> read(int count) {
            List<Declared> infos = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                header.place("tensor info after", i == 0 ? "the metadata" : infos.getLast().name);
                infos.add(info());
            }
            long dataStart = Math.ceilDiv(header.position(), alignment) * alignment;
            Map<String, TensorEntry> entries = new LinkedHashMap<>();
            for (Declared info : infos) {
                header.place("tensor", info.name);
                if (entries.put(info.name, entry(info, dataStart)) != null) {
                    throw header.bad("the name occurs twice", HeaderReader.DAMAGED);
                }
            }
            refuseOverlap(entries);
            return entries;
        }

        private Declared info() {
            String name = header.string(MAX_NAME_BYTES);
            if (name.isEmpty()) {
                throw header.bad("the tensor's name is empty", HeaderReader.DAMAGED);
            }
            header.place("tensor", name);
            int dimensions = header.int32();
            if (dimensions < 1 || dimensions > MAX_DIMENSIONS) {
                throw header.bad(
                        Integer.toUnsignedString(dimensions) + " dimensions, expected 1 to 4",
                        HeaderReader.DAMAGED);
            }
            List<Long> shape = new ArrayList<>();
            for (int i = 0; i < dimensions; i++) {
                shape.addFirst(header.int64());
            }
            DType type = type(header.int32());
            return new Declared(name, type, shape, header.int64());
        }

        private DType type(int number) {
            return GgmlTypes.of(number)
                    .orElseThrow(() ->
                            header.bad(
                                    "ggml type %s (%s)"
                                            .formatted(
                                                    Integer.toUnsignedString(number),
                                                    GgmlTypes.unread(number).orElse("unknown")),
                                    TYPES_READ));
        }

        private TensorEntry entry(Declared info, long dataStart) {
            long bytes = TensorEntry.byteSize(info.type, info.shape);
            if (bytes < 0) {
                throw header.bad(
                        "shape "
                                + info.shape
                                + " of "
                                + info.type
                                + ": dimensions must be at least 1, the last a multiple of "
                                + info.type.blockElements()
                                + ", and the size below 2^63",
                        HeaderReader.DAMAGED);
            }
            if (info.offset < 0 || info.offset % alignment != 0) {
                throw header.bad(
                        "offset "
                                + Long.toUnsignedString(info.offset)
                                + " is not aligned to "
                                + alignment,
                        HeaderReader.DAMAGED);
            }
            long room = fileBytes - dataStart;
            if (info.offset > room || bytes > room - info.offset) {
                throw header.bad(
                        bytes
                                + " bytes at offset "
                                + info.offset
                                + ", but the data section has "
                                + Math.max(0, room),
                        HeaderReader.DAMAGED);
            }
            return new TensorEntry(info.name, info.type, info.shape, file, dataStart + info.offset);
        }

        private void refuseOverlap(Map<String, TensorEntry> entries) {
            List<TensorEntry> byOffset = new ArrayList<>(entries.values());
            byOffset.sort(Comparator.comparingLong(TensorEntry::offset));
            for (int i = 1; i < byOffset.size(); i++) {
                TensorEntry before = byOffset.get(i - 1);
                TensorEntry entry = byOffset.get(i);
                if (before.offset() + before.byteSize() > entry.offset()) {
                    header.place("tensor", entry.name());
                    throw header.bad(
                            "its data overlaps that of " + FormatException.quote(before.name()),
                            HeaderReader.DAMAGED);
                }
            }
        }
    }
}
