package dev.flagship.kernels.x86;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * A file that says "this process is trying these kernels", written before the first of them runs
 * and removed after. An illegal instruction ends the process and cannot be caught: a marker whose
 * process is gone tells that they died of the trial, and bars it. A process that is told to end
 * (Ctrl-C, a closed terminal) still removes its own.
 */
final class TrialMarker implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(TrialMarker.class.getName());

    private final Optional<Path> file;

    private TrialMarker(Optional<Path> file) {
        this.file = file;
    }

    /** Where markers are by default: {@code kernels} in the folder of the model store. */
    static Path defaultFolder(Map<String, String> environment) {
        String home = environment.getOrDefault("FLAGSHIP_HOME", "");
        if (!home.isEmpty()) {
            return Path.of(home, "kernels");
        }
        String data = environment.getOrDefault("XDG_DATA_HOME", "");
        return data.isEmpty()
                ? Path.of(
                        environment.getOrDefault("HOME", System.getProperty("user.home")),
                        ".flagship",
                        "kernels")
                : Path.of(data, "flagship", "kernels");
    }

    /**
     * The marker that a dead process left, if there is one.
     *
     * @param variant kernels, their version and the processor, fit for a file name
     */
    static Optional<Path> leftBehind(Path folder, String variant) {
        if (!Files.isDirectory(folder)) {
            return Optional.empty();
        }
        try (DirectoryStream<Path> markers =
                Files.newDirectoryStream(folder, prefix(variant) + "*")) {
            for (Path marker : markers) {
                if (!writerLives(marker)) {
                    return Optional.of(marker);
                }
            }
            return Optional.empty();
        } catch (IOException e) {
            return Optional.empty(); // a folder that cannot be read tells nothing
        }
    }

    private static String prefix(String variant) {
        return "trying-" + variant + "-";
    }

    /** Another process may be in its trial right now. */
    private static boolean writerLives(Path marker) throws IOException {
        String text = Files.readString(marker).strip();
        String name = marker.getFileName().toString();
        try {
            long pid = Long.parseLong(name.substring(name.lastIndexOf('-') + 1));
            return ProcessHandle.of(pid)
                    .filter(process -> text.isEmpty() || text.equals(started(process)))
                    .isPresent();
        } catch (NumberFormatException e) {
            return false;
        }
    }

    private static String started(ProcessHandle process) {
        return process.info().startInstant().map(Object::toString).orElse("unknown");
    }

    /** Writes the marker; where the folder is read-only the trial goes without. */
    static TrialMarker write(Path folder, String variant) {
        ProcessHandle self = ProcessHandle.current();
        try {
            Files.createDirectories(folder);
            Path file = folder.resolve(prefix(variant) + self.pid());
            file.toFile().deleteOnExit();
            Files.writeString(file, started(self), StandardCharsets.UTF_8);
            return new TrialMarker(Optional.of(file));
        } catch (IOException | IllegalStateException e) { // or the process is ending
            return new TrialMarker(Optional.empty());
        }
    }

    /** The trial is over and this process lives. */
    @Override
    public void close() {
        if (file.isPresent()) {
            try {
                Files.deleteIfExists(file.get());
            } catch (IOException e) {
                LOG.log(
                        Level.WARNING,
                        "The marker %s cannot be removed, so the x86 kernels stay off at the next start; remove it."
                                .formatted(file.get()),
                        e);
            }
        }
    }
}
