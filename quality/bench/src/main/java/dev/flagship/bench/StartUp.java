package dev.flagship.bench;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * How long a person waits: from starting a process to the first byte on its stdout.
 *
 * @param command what is started
 */
record StartUp(List<String> command) {
    private static final String CLI = "dev.flagship.cli.Main";
    private static final int MOST_SECONDS = 120;

    /**
     * One start.
     *
     * @param seconds to its first byte
     * @param aotCache whether Java had its AOT cache (JEP 483) mapped, which it leaves without a
     *     word if it does not fit; empty where the system does not tell
     */
    record Start(double seconds, Optional<Boolean> aotCache) {}

    StartUp {
        command = List.copyOf(command);
    }

    /**
     * An answer of one token: by the script that started us (it sets FLAGSHIP_SCRIPT), else by Java
     * with our own flags if the command line is on our class path; empty if neither.
     */
    static Optional<StartUp> firstToken(String model, boolean chat) {
        var arguments =
                new ArrayList<>(
                        List.of("run", model, "--max-tokens", "1", "--temperature", "0", "Hello"));
        if (!chat) {
            arguments.add("--raw");
        }
        return program().map(program -> new StartUp(joined(program, arguments)));
    }

    /** The script's {@code --version}; empty if no script started us. */
    static Optional<StartUp> version() {
        return script().map(script -> new StartUp(List.of(script, "--version")));
    }

    private static Optional<String> script() {
        return Optional.ofNullable(System.getenv("FLAGSHIP_SCRIPT")).filter(s -> !s.isBlank());
    }

    private static Optional<List<String>> program() {
        Optional<String> script = script();
        if (script.isPresent()) {
            return script.map(List::of);
        }
        String resource = CLI.replace('.', '/') + ".class";
        if (StartUp.class.getClassLoader().getResource(resource) == null) {
            return Optional.empty();
        }
        var java = new ArrayList<String>();
        java.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        java.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
        java.addAll(List.of("-cp", System.getProperty("java.class.path"), CLI));
        return Optional.of(java);
    }

    private static List<String> joined(List<String> program, List<String> arguments) {
        var all = new ArrayList<>(program);
        all.addAll(arguments);
        return all;
    }

    /**
     * As {@link #once}.
     *
     * @return seconds to its first byte
     */
    double seconds() {
        return once().seconds();
    }

    /**
     * Starts it once, and waits until it has ended.
     *
     * @throws BenchException {@code start_failed} if it prints nothing or fails
     */
    Start once() {
        try {
            long started = System.nanoTime();
            Process process =
                    new ProcessBuilder(command)
                            .redirectInput(ProcessBuilder.Redirect.from(nothing()))
                            .redirectError(ProcessBuilder.Redirect.DISCARD)
                            .start();
            // Ends a process that says nothing; one that has ended already does not mind.
            CompletableFuture.delayedExecutor(MOST_SECONDS, TimeUnit.SECONDS)
                    .execute(process::destroyForcibly);
            int first;
            double seconds;
            Optional<Boolean> aotCache;
            try (InputStream out = process.getInputStream()) {
                first = out.read();
                seconds = (System.nanoTime() - started) / 1e9;
                aotCache = mapsAotCache(process.pid());
                out.transferTo(OutputStream.nullOutputStream());
            }
            int code = process.waitFor();
            if (first < 0 || code != 0) {
                throw failed("ended with exit code %d".formatted(code));
            }
            return new Start(seconds, aotCache);
        } catch (IOException e) {
            throw failed("could not be started (" + e.getMessage() + ")");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw failed("was interrupted");
        }
    }

    /** By Linux's list of what a process has mapped, which is empty once the process has ended. */
    private static Optional<Boolean> mapsAotCache(long pid) {
        try {
            List<String> maps =
                    Files.readAllLines(
                            Path.of("/proc", Long.toString(pid), "maps"),
                            StandardCharsets.ISO_8859_1); // paths may be of any charset
            return maps.isEmpty()
                    ? Optional.empty()
                    : Optional.of(maps.stream().anyMatch(line -> line.endsWith(".aot")));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static File nothing() {
        return new File(System.getProperty("os.name").startsWith("Windows") ? "NUL" : "/dev/null");
    }

    private BenchException failed(String how) {
        return new BenchException(
                "start_failed", String.join(" ", command) + " " + how + ".", null);
    }
}
