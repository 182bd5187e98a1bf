package dev.flagship.formats;

import dev.flagship.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The header of one safetensors file.
 *
 * @param tensors those that this version reads, in the order of their data
 * @param withheld why each of the others is not read, by name
 * @param metadata the file's own strings
 */
record SafetensorsHeader(
        List<TensorEntry> tensors, Map<String, String> withheld, Map<String, String> metadata) {
    /** The reference implementation's own limit. */
    static final int MAX_HEADER = 100_000_000;

    /** The format sets none; eight is twice what any published model uses. */
    static final int MAX_DIMENSIONS = 8;

    private static final ValueLayout.OfLong LENGTH =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    static SafetensorsHeader read(Path file, MemorySegment bytes, int fileIndex) {
        if (Signature.of(bytes) != Signature.SAFETENSORS) {
            throw Signature.mismatch(file, "a safetensors file", bytes);
        }
        long length = bytes.get(LENGTH, 0);
        long most = Math.min(MAX_HEADER, bytes.byteSize() - Long.BYTES);
        if (length < 2 || length > most) {
            throw new FormatException(
                    file,
                    "header length (byte 0)",
                    Long.toUnsignedString(length) + " bytes, expected 2 to " + most,
                    HeaderReader.DAMAGED);
        }
        byte[] json = bytes.asSlice(Long.BYTES, length).toArray(ValueLayout.JAVA_BYTE);
        long dataStart = Long.BYTES + length;
        Parse parse = new Parse(file, fileIndex, dataStart, bytes.byteSize() - dataStart);
        parse.header(json);
        return parse.result();
    }

    private static final class Parse {
        private final Path file;
        private final int fileIndex;
        private final long dataStart;
        private final long dataBytes;
        private final List<Span> spans = new ArrayList<>();
        private final Map<String, String> withheld = new LinkedHashMap<>();
        private final Map<String, String> metadata = new LinkedHashMap<>();

        /** What the header says of a tensor; the entry is null if it is withheld. */
        private record Span(String name, long begin, long end, @Nullable TensorEntry entry) {}

        Parse(Path file, int fileIndex, long dataStart, long dataBytes) {
            this.file = file;
            this.fileIndex = fileIndex;
            this.dataStart = dataStart;
            this.dataBytes = dataBytes;
        }

        void header(byte[] utf8) {
            try (JsonReader json = new JsonReader(file, "header", utf8)) {
                json.beginObject();
                for (String name = json.nextName(); name != null; name = json.nextName()) {
                    if (name.equals("__metadata__")) {
                        json.place("__metadata__");
                        metadata(json);
                    } else {
                        json.place("tensor", name);
                        if (spans.size() == HeaderReader.MAX_TENSORS) {
                            throw json.tooMany("tensors", HeaderReader.MAX_TENSORS);
                        }
                        tensor(json, name);
                    }
                    json.place("header");
                }
                json.end();
            }
        }

        private void metadata(JsonReader json) {
            json.beginObject();
            for (String key = json.nextName(); key != null; key = json.nextName()) {
                metadata.put(key, json.string());
            }
        }

        private void tensor(JsonReader json, String name) {
            String type = null;
            List<Long> shape = null;
            List<Long> offsets = null;
            json.beginObject();
            for (String field = json.nextName(); field != null; field = json.nextName()) {
                switch (field) {
                    case "dtype" -> type = json.string();
                    case "shape" -> shape = json.naturals(MAX_DIMENSIONS);
                    case "data_offsets" -> offsets = json.naturals(2);
                    default -> throw json.bad("unknown field " + FormatException.quote(field));
                }
            }
            if (type == null || shape == null || offsets == null || offsets.size() != 2) {
                throw json.bad("needs dtype, shape and data_offsets [begin, end]");
            }
            spans.add(span(json, name, type, shape, offsets.getFirst(), offsets.getLast()));
        }

        private Span span(
                JsonReader json, String name, String type, List<Long> shape, long begin, long end) {
            if (begin > end || end > dataBytes) {
                throw json.bad(
                        "data_offsets ["
                                + begin
                                + ", "
                                + end
                                + "] do not lie in the file's "
                                + dataBytes
                                + " bytes of data");
            }
            DType known =
                    switch (type) {
                        case "F32" -> DType.F32;
                        case "F16" -> DType.F16;
                        case "BF16" -> DType.BF16;
                        default -> null;
                    };
            if (known == null) {
                withheld.put(name, "its type is " + FormatException.quote(type));
                return new Span(name, begin, end, null);
            }
            if (shape.contains(0L) && begin == end) {
                withheld.put(name, "its shape " + shape + " has no elements");
                return new Span(name, begin, end, null);
            }
            long bytes = TensorEntry.byteSize(known, shape);
            if (bytes != end - begin) {
                throw json.bad(
                        "data_offsets give "
                                + (end - begin)
                                + " bytes, but shape "
                                + shape
                                + " of "
                                + type
                                + (bytes < 0 ? " has no valid size" : " takes " + bytes));
            }
            return new Span(
                    name,
                    begin,
                    end,
                    new TensorEntry(name, known, shape, fileIndex, dataStart + begin));
        }

        /** The format allows neither overlap nor hole nor rest: nothing hides in a file. */
        SafetensorsHeader result() {
            spans.sort(Comparator.comparingLong(Span::begin).thenComparingLong(Span::end));
            long at = 0;
            List<TensorEntry> tensors = new ArrayList<>();
            for (Span span : spans) {
                if (span.begin != at) {
                    throw new FormatException(
                            file,
                            place(span.name),
                            "data begins at "
                                    + span.begin
                                    + (span.begin < at
                                            ? " and overlaps"
                                            : " and leaves a hole after")
                                    + " the data that ends at "
                                    + at,
                            HeaderReader.DAMAGED);
                }
                at = span.end;
                if (span.entry != null) {
                    tensors.add(span.entry);
                }
            }
            if (at != dataBytes) {
                throw new FormatException(
                        file,
                        "data section",
                        "tensors cover " + at + " bytes of " + dataBytes,
                        HeaderReader.DAMAGED);
            }
            return new SafetensorsHeader(tensors, withheld, metadata);
        }

        private static String place(String name) {
            return "tensor " + FormatException.quote(name);
        }
    }
}
