package dev.flagship.formats;

import dev.flagship.base.Check;
import dev.flagship.base.Quoted;
import dev.flagship.tensor.MappedFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Owner of the mapped files behind a {@link ModelFile}. */
final class MappedTensors implements AutoCloseable {
    private final List<MappedFile> mapped = new ArrayList<>();
    private Map<String, TensorEntry> tensors = Map.of();
    private boolean closed;

    /**
     * Maps one more file.
     *
     * @throws FormatException if it is a folder, a pipe or a device: opening those could block or
     *     never end
     */
    MemorySegment map(Path file) throws IOException {
        if (!Files.exists(file)) {
            throw new NoSuchFileException(file.toString());
        }
        if (!Files.isRegularFile(file)) {
            throw new FormatException(
                    file, "whole file", "it is not a regular file", "Name a model file.");
        }
        MappedFile opened = MappedFile.open(file);
        mapped.add(opened);
        return opened.bytes();
    }

    /** Hands over the index; entries count files in the order of {@link #map}. */
    void index(Map<String, TensorEntry> index) {
        tensors = Collections.unmodifiableMap(index);
    }

    Map<String, TensorEntry> tensors() {
        return tensors;
    }

    @Nullable TensorEntry find(String name) {
        return tensors.get(name);
    }

    MemorySegment data(TensorEntry entry) {
        Check.check(
                entry.equals(tensors.get(entry.name())),
                "tensor %s is not one of this model's entries",
                Quoted.of(entry.name()));
        return bytes(entry);
    }

    /** The bytes of an entry whose file is known to have them. */
    MemorySegment bytes(TensorEntry entry) {
        return mapped.get(entry.file()).bytes().asSlice(entry.offset(), entry.span());
    }

    List<Path> files() {
        return mapped.stream().map(MappedFile::path).toList();
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            mapped.forEach(MappedFile::close);
        }
    }
}
