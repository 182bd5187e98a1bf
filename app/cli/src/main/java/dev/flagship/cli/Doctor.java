package dev.flagship.cli;

import dev.flagship.base.Bytes;
import dev.flagship.serving.FreeMemory;
import dev.flagship.serving.HostJava;
import dev.flagship.serving.LoadException;
import dev.flagship.serving.Rungs;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/** The checks of {@code flagship doctor}. They change nothing that a start would not. */
final class Doctor {
    /** The default model with its packed weights, a long chat, and the heap. */
    private static final long MEMORY = 1L << 30;

    /** The default model twice (as it came, and packed), and room to replace it. */
    private static final long DISK = 500L << 20;

    private static final int HUB_PATIENCE_MILLIS = 3_000;

    private static final String CPU = "cpu";

    private static final String FLAGS = "java flags";
    private static final String HUB = "hub";
    private static final String JAVA = "java";
    private static final String KERNELS = "kernels";
    private static final String PORT = "port";
    private static final String RAM = "memory";
    private static final String STORE = "store";

    private Doctor() {}

    /** All checks, in the order in which one would repair. */
    static List<Finding> examine(String kernels, Path store, String hub, int port) {
        var findings = new ArrayList<Finding>();
        findings.add(java(Runtime.version()));
        findings.addAll(flags(HostJava.flags(), ModuleLayer.boot()));
        findings.addAll(kernels(kernels));
        findings.add(memory(FreeMemory.ofThisProcess()));
        findings.add(store(store));
        findings.add(hub(hub));
        findings.add(port(port));
        return findings;
    }

    static Finding java(Runtime.Version version) {
        String what =
                "%s from %s in %s"
                        .formatted(
                                version,
                                System.getProperty("java.vendor"),
                                System.getProperty("java.home"));
        return HostJava.flaw(version)
                .map(flaw -> Finding.failed(JAVA, what + ": " + flaw + "; install a newer one"))
                .orElse(Finding.ok(JAVA, what));
    }

    /** Flags that make Java slow or wrong, wherever they came from. */
    static List<Finding> flags(List<String> arguments, ModuleLayer modules) {
        var reasons = new LinkedHashMap<String, String>();
        for (String argument : arguments) {
            if (argument.equals("-Xint")) {
                reasons.put(argument, "compiles nothing");
            } else if (argument.matches("-XX:TieredStopAtLevel=[0-3]")) {
                reasons.put(argument, "leaves out the compiler that knows vectors");
            } else if (argument.matches("-XX:UseAVX=[01]")) {
                reasons.put(argument, "hides the processor's wide registers from the Vector API");
            } else if (argument.equals("-XX:-EnableVectorSupport")) {
                reasons.put(argument, "turns every vector into an array");
            }
        }
        var flaws = new ArrayList<String>();
        reasons.forEach((flag, reason) -> flaws.add(flag + " " + reason));
        HostJava.flaw(arguments).ifPresent(flaws::add);
        var findings = new ArrayList<Finding>();
        for (String flaw : flaws) {
            findings.add(
                    Finding.failed(
                            FLAGS,
                            flaw
                                    + "; take it out of FLAGSHIP_JAVA_OPTS, JAVA_TOOL_OPTIONS or JDK_JAVA_OPTIONS"));
        }
        if (modules.findModule("jdk.incubator.vector").isEmpty()) {
            findings.add(
                    Finding.failed(
                            FLAGS,
                            "the module jdk.incubator.vector is not loaded; start by ./flagship, or with --add-modules jdk.incubator.vector"));
        }
        return findings.isEmpty()
                ? List.of(Finding.ok(FLAGS, "the Vector API is there, and nothing slows Java down"))
                : findings;
    }

    private static List<Finding> kernels(String name) {
        var findings = new ArrayList<Finding>();
        try {
            Rungs.Examination examination = Rungs.examine(name);
            findings.add(
                    Finding.ok(
                            CPU,
                            Rungs.physicalCores()
                                    + " cores for this process; "
                                    + String.join("; ", examination.hosts())));
            for (String shortfall : examination.shortfalls()) {
                findings.add(Finding.failed(KERNELS, shortfall));
            }
            if (examination.shortfalls().isEmpty()) {
                findings.add(
                        Finding.ok(
                                KERNELS,
                                examination.rung()
                                        + ", the best for this processor; they agree with the definition"));
            }
        } catch (LoadException e) {
            findings.add(Finding.failed(KERNELS, e.getMessage()));
        }
        return findings;
    }

    /** Memory that a new process could have. */
    static Finding memory(FreeMemory memory) {
        OptionalLong bytes = memory.bytes();
        return bytes.isEmpty()
                ? Finding.ok(RAM, "how much is free is not told by this system")
                : judged(
                        RAM,
                        Bytes.human(bytes.getAsLong()) + " free",
                        bytes.getAsLong() < MEMORY,
                        "end other programs, or choose a smaller model or --context");
    }

    private static Finding judged(String check, String what, boolean little, String remedy) {
        return little
                ? Finding.warning(check, what + ", which is little; " + remedy)
                : Finding.ok(check, what);
    }

    static Finding store(Path store) {
        Optional<Path> nearest = nearest(store);
        if (nearest.isEmpty()
                || !Files.isDirectory(nearest.get())
                || !Files.isWritable(nearest.get())) {
            return Finding.warning(
                    STORE,
                    store
                            + " cannot be written, so nothing can be fetched, and weights not packed yet are packed at each start; set FLAGSHIP_HOME to another folder");
        }
        try {
            long free = Files.getFileStore(nearest.get()).getUsableSpace();
            String what =
                    "%s, %s free; models take %s, their packed weights %s"
                            .formatted(
                                    store,
                                    Bytes.human(free),
                                    Bytes.human(
                                            size(store.resolve("blobs"))
                                                    + size(store.resolve("models"))),
                                    Bytes.human(size(store.resolve("packed"))));
            return judged(
                    STORE, what, free < DISK, "make room, or set FLAGSHIP_HOME to another folder");
        } catch (IOException | UncheckedIOException e) {
            return Finding.warning(STORE, "%s cannot be looked at: %s".formatted(store, e));
        }
    }

    /** Bytes of all files in a folder; 0 if there is none. */
    private static long size(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return 0;
        }
        try (var files = Files.walk(folder)) {
            return files.filter(file -> Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS))
                    .map(Path::toFile)
                    .mapToLong(File::length)
                    .sum();
        }
    }

    /** The store, or the folder in which it would be made. */
    private static Optional<Path> nearest(Path store) {
        for (Path at = store.toAbsolutePath(); at != null; at = at.getParent()) {
            if (Files.exists(at)) {
                return Optional.of(at);
            }
        }
        return Optional.empty();
    }

    /** Whether anything listens there; nothing is asked. */
    static Finding hub(String hub) {
        URI uri = URI.create(hub);
        int usual = "http".equals(uri.getScheme()) ? 80 : 443;
        try (var socket = new Socket()) {
            socket.connect(
                    new InetSocketAddress(uri.getHost(), uri.getPort() < 0 ? usual : uri.getPort()),
                    HUB_PATIENCE_MILLIS);
            return Finding.ok(HUB, hub + " can be reached");
        } catch (IOException e) {
            return Finding.warning(
                    HUB,
                    "%s cannot be reached from here (%s); models that are here run, others need a mirror (FLAGSHIP_HUB) or files by hand"
                            .formatted(
                                    hub,
                                    e instanceof UnknownHostException
                                            ? "its name is unknown"
                                            : e.getMessage()));
        }
    }

    static Finding port(int port) {
        try (var socket = new ServerSocket()) {
            socket.bind(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), port));
            return Finding.ok(PORT, port + " is free");
        } catch (IOException e) {
            return Finding.warning(
                    PORT,
                    "%d cannot be had (%s), perhaps because a server runs; `serve --port N` takes another"
                            .formatted(port, e.getMessage()));
        }
    }

    /** Whether everything is as good as it can be on this machine, warnings aside. */
    static boolean healthy(List<Finding> findings) {
        return findings.stream().noneMatch(f -> f.verdict() == Finding.Verdict.FAILED);
    }
}
