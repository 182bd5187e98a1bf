package dev.flagship.formats;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.hostile.Meter;
import dev.flagship.hostile.TinyFiles;
import dev.flagship.tensor.MemoryLedger;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Opens a file, reads all that it offers, and checks what the attempt cost and left behind. */
final class OpenedModels {
    private OpenedModels() {}

    /** Opens and reads valid files, so that loading classes is not taken for the cost of a file. */
    static void loadClasses(Path folder) throws IOException {
        for (byte[] valid :
                new byte[][] {
                    TinyFiles.gguf(3),
                    TinyFiles.safetensors(),
                    TinyFiles.archive(),
                    TinyFiles.stream()
                }) {
            try (ModelFile model = ModelFiles.open(Files.write(folder.resolve("valid"), valid))) {
                assertThat(readAll(model)).isNull();
            }
        }
    }

    /**
     * The error that opening or reading gave, or null if all went well. Any error but {@link
     * FormatException} is thrown, and so is an assertion error for a mapping or descriptor that
     * stayed open or an allocation out of proportion.
     */
    static @Nullable FormatException readAll(Path path) throws IOException {
        long arenas = MemoryLedger.arenas();
        long bytes = MemoryLedger.bytes();
        AtomicReference<@Nullable FormatException> error = new AtomicReference<>();
        Meter.Cost cost =
                Meter.of(() -> {
                    try (ModelFile model = ModelFiles.open(path)) {
                        error.set(readAll(model));
                    } catch (FormatException e) {
                        error.set(e);
                    }
                });
        assertThat(MemoryLedger.arenas()).as("open arenas").isEqualTo(arenas);
        assertThat(MemoryLedger.bytes()).as("mapped bytes").isEqualTo(bytes);
        cost.requireBytes(size(path));
        cost.requireTime(Duration.ofSeconds(2));
        return error.get();
    }

    private static @Nullable FormatException readAll(ModelFile model) {
        FormatException error = null;
        for (TensorEntry entry : model.tensors().values()) {
            MemorySegment data = model.data(entry);
            assertThat(data.byteSize()).isEqualTo(entry.span()).isPositive();
            assertThat(data.isReadOnly()).isTrue();
            var _ = data.get(ValueLayout.JAVA_BYTE, data.byteSize() - 1);
        }
        if (model instanceof GgufFile gguf) {
            for (String key : gguf.metadata().keys()) {
                FormatException found = readAll(gguf.metadata(), key);
                error = found == null ? error : found;
            }
        }
        return error;
    }

    /** A well-formed value can be read by exactly one getter, apart from int32 beside integer. */
    private static @Nullable FormatException readAll(GgufMetadata metadata, String key) {
        FormatException error = null;
        int read = 0;
        for (Runnable getter :
                new Runnable[] {
                    () -> metadata.string(key),
                    () -> metadata.integer(key),
                    () -> metadata.real(key),
                    () -> metadata.bool(key),
                    () -> metadata.strings(key),
                    () -> metadata.ints(key),
                    () -> metadata.floats(key)
                }) {
            try {
                getter.run();
                read++;
            } catch (FormatException e) {
                if (!String.valueOf(e.getMessage())
                        .contains("found a")) { // not of this getter's type
                    error = e;
                }
            }
        }
        assertThat(read).isLessThanOrEqualTo(1);
        return error;
    }

    private static long size(Path path) throws IOException {
        if (!Files.isDirectory(path)) {
            return Files.size(path);
        }
        try (Stream<Path> files = Files.list(path)) {
            return files.mapToLong(file -> file.toFile().length()).sum();
        }
    }

    /** Open descriptors of this process, or −1 where the system does not show them. */
    static long descriptors() throws IOException {
        Path own = Path.of("/proc/self/fd");
        if (!Files.isDirectory(own)) {
            return -1;
        }
        try (Stream<Path> open = Files.list(own)) {
            return open.count();
        }
    }
}
