package dev.flagship.kernels.x86;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Names of emitted code for profilers: lines "address size name", as Linux's perf reads them from
 * {@code /tmp/perf-PID.map} (tools/perf/Documentation/jit-interface.txt).
 */
final class PerfMap {
    /**
     * System property that asks for the map: the file to append to; empty or {@code true} for the
     * place where perf looks.
     */
    static final String PROPERTY = "flagship.perf-map";

    private final Path file;

    PerfMap(Path file) {
        this.file = file;
    }

    /** The map that was asked for, if one was. */
    static Optional<PerfMap> wanted() {
        return Optional.ofNullable(System.getProperty(PROPERTY))
                .filter(value -> !value.equals("false"))
                .map(value ->
                        value.isEmpty() || value.equals("true")
                                ? Path.of("/tmp", "perf-" + ProcessHandle.current().pid() + ".map")
                                : Path.of(value))
                .map(PerfMap::new);
    }

    /**
     * Adds kernels. A file that is older than this process is one of an earlier process of the same
     * number and begins anew. Links are not followed, for anybody may write to /tmp.
     */
    void add(List<KernelLibrary.Symbol> symbols) throws IOException {
        var lines = new StringBuilder();
        for (KernelLibrary.Symbol symbol : symbols) {
            lines.append(
                    String.format(
                            Locale.ROOT,
                            "%x %x flagship::%s\n",
                            symbol.address(),
                            symbol.bytes(),
                            symbol.name()));
        }
        if (Files.exists(file, LinkOption.NOFOLLOW_LINKS) && older(file)) {
            Files.delete(file);
        }
        Files.writeString(
                file,
                lines,
                StandardCharsets.US_ASCII,
                StandardOpenOption.CREATE,
                StandardOpenOption.APPEND,
                LinkOption.NOFOLLOW_LINKS);
    }

    private static boolean older(Path file) throws IOException {
        FileTime written = Files.getLastModifiedTime(file, LinkOption.NOFOLLOW_LINKS);
        Instant began = ProcessHandle.current().info().startInstant().orElse(Instant.EPOCH);
        return written.toInstant().isBefore(began);
    }

    @Override
    public String toString() {
        return file.toString();
    }
}
