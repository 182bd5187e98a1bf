package dev.flagship.formats;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * An open model: an index of tensors over mapped files. Nothing is copied; everything it hands out
 * dies with {@link #close}. May be read from any thread, but not while it is being closed.
 */
public sealed interface ModelFile extends AutoCloseable
        permits GgufFile, SafetensorsFile, TorchFile {
    /** The file or folder that was opened. */
    Path path();

    /**
     * The tensors that this version can read, by their names on disk, in the order of the file.
     * Unmodifiable.
     */
    Map<String, TensorEntry> tensors();

    /**
     * Tensors left out of {@link #tensors} because this version does not read their type, each with
     * the reason. Unmodifiable.
     */
    Map<String, String> withheld();

    /**
     * A tensor that the caller cannot do without.
     *
     * @throws FormatException if the file has no such tensor, or has it in a type that this version
     *     does not read
     */
    TensorEntry tensor(String name);

    /**
     * The bytes of one tensor, from its first element to its last: read-only, exactly {@link
     * TensorEntry#span} long, aligned to nothing.
     *
     * @throws dev.flagship.base.InvalidArgumentException if the entry is not one of {@link
     *     #tensors}
     */
    MemorySegment data(TensorEntry entry);

    /** Every weight file that was mapped. Unmodifiable. */
    List<Path> files();

    /** Unmaps the files. Further calls do nothing. */
    @Override
    void close();
}
