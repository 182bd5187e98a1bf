package dev.flagship.tensor;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A whole file, mapped read-only. The mapping lives until {@link #close}; the descriptor is closed at once.
 *
 * <p>Segments cut from {@link #bytes} die with it. May be read from any thread.
 */
public final class MappedFile implements AutoCloseable {
    private final Path path;
    private final Arena arena;
    private final MemorySegment bytes;

    private MappedFile(Path path, Arena arena, MemorySegment bytes) {
        this.path = path;
        this.arena = arena;
        this.bytes = bytes;
    }

    /**
     * Maps a file.
     *
     * @throws IOException if it cannot be opened or mapped; nothing stays open then
     */
    public static MappedFile open(Path path) throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            long size = channel.size();
            Arena arena = MemoryLedger.open(size);
            try {
                MemorySegment bytes =
                        channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
                return new MappedFile(path, arena, bytes);
            } catch (IOException | RuntimeException e) {
                MemoryLedger.close(arena, size);
                throw e;
            }
        }
    }

    public Path path() {
        return path;
    }

    public MemorySegment bytes() {
        return bytes;
    }

    @Override
    public void close() {
        MemoryLedger.close(arena, bytes.byteSize());
    }
}
