package dev.flagship.tensor;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A whole file, mapped read-only. The mapping lives until {@link #close}; the descriptor is closed
 * at once.
 *
 * <p>Segments cut from {@link #bytes} die with it. May be read from any thread.
 */
public final class MappedFile implements AutoCloseable {
    private final Path path;
    private final OffHeap mapping;

    private MappedFile(Path path, OffHeap mapping) {
        this.path = path;
        this.mapping = mapping;
    }

    /**
     * Maps a file.
     *
     * @throws IOException if it cannot be opened or mapped; nothing stays open then
     */
    public static MappedFile open(Path path) throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            return new MappedFile(path, OffHeap.map(channel));
        }
    }

    public Path path() {
        return path;
    }

    public MemorySegment bytes() {
        return mapping.segment();
    }

    @Override
    public void close() {
        mapping.close();
    }
}
