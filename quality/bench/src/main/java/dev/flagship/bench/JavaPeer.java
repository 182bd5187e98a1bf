package dev.flagship.bench;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.jspecify.annotations.Nullable;

/**
 * Compiles our driver for a peer that is written in Java: with its one file, or against its jars.
 */
final class JavaPeer {
    /**
     * What fills a folder with Jlama's jars. With {@link #JLAMA_NATIVE} it takes its native code
     * too.
     */
    static final String JLAMA_JARS =
            "./mvnw -f tools/bench/jlama-pom.xml dependency:copy-dependencies -DoutputDirectory=FOLDER";

    static final String JLAMA_NATIVE = "-Djlama.native=linux-x86_64";

    private static final String SEPARATOR = System.getProperty("path.separator");

    private static final List<String> VECTORS = List.of("--add-modules", "jdk.incubator.vector");

    /** One wrong file gives dozens that follow from the first. */
    private static final int MOST_ERRORS = 3;

    /** Both peers ask for it. */
    private static final String NO_VECTOR_CHECKS =
            "-Djdk.incubator.vector.VECTOR_ACCESS_OOB_CHECK=0";

    private JavaPeer() {}

    /** Whether the folder holds the jar that needs the others. */
    static boolean hasJlama(Path folder) {
        return Files.isDirectory(folder)
                && jars(folder).stream()
                        .anyMatch(f -> f.getFileName().toString().startsWith("jlama-core-"));
    }

    private static List<Path> jars(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(f -> f.toString().endsWith(".jar")).sorted().toList();
        } catch (IOException e) {
            throw failed("its folder cannot be read: " + e.getMessage(), e);
        }
    }

    /**
     * The command that starts llama3.java, with the flags that its own file and Makefile name.
     *
     * @param source the file Llama3.java
     * @param driver our driver's text
     * @param scratch a folder without classes of it
     * @throws BenchException {@code peer_failed} if it does not compile
     */
    static List<String> llama3(Path source, String driver, Path scratch) {
        if (!Files.isRegularFile(source)) {
            throw failed(source + " is not there; name its file with --peer-path", null);
        }
        Path classes =
                compiled(
                        "Llama3Peer",
                        driver,
                        scratch,
                        List.of("--enable-preview", source.toString()));
        var command = new ArrayList<String>(List.of(java(), "--enable-preview"));
        command.addAll(VECTORS);
        command.addAll(
                List.of(
                        "--sun-misc-unsafe-memory-access=allow",
                        NO_VECTOR_CHECKS,
                        "-cp",
                        classes.toString(),
                        "com.llama4j.Llama3Peer"));
        return command;
    }

    /**
     * The command that starts Jlama, with those flags of its own start script that change what it
     * can do. Its hints for inlining left its speed as it was.
     *
     * @param folder the one that {@link #JLAMA_JARS} fills
     * @param driver our driver's text
     * @param scratch a folder without classes of it; weights that it quantises go there too
     * @throws BenchException {@code peer_failed} if it does not compile
     */
    static List<String> jlama(Path folder, String driver, Path scratch) {
        // Only the launcher of javac knows what FOLDER/* means.
        String all =
                jars(folder).stream().map(Path::toString).collect(Collectors.joining(SEPARATOR));
        Path classes = compiled("JlamaPeer", driver, scratch, List.of("-cp", all));
        var command = new ArrayList<String>(List.of(java()));
        command.addAll(VECTORS);
        command.addAll(
                List.of(
                        "--enable-native-access=ALL-UNNAMED",
                        "--sun-misc-unsafe-memory-access=allow",
                        NO_VECTOR_CHECKS,
                        "-Djava.io.tmpdir=" + scratch,
                        "-cp",
                        classes + SEPARATOR + all,
                        "com.github.tjake.jlama.model.JlamaPeer"));
        return command;
    }

    private static String java() {
        return Path.of(System.getProperty("java.home"), "bin", "java").toString();
    }

    private static Path compiled(String name, String driver, Path scratch, List<String> arguments) {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        if (compiler == null) {
            throw failed("this Java has no compiler", null);
        }
        try {
            Path file = Files.writeString(scratch.resolve(name + ".java"), driver);
            Path classes = Files.createDirectory(scratch.resolve(name + ".classes"));
            var all = new ArrayList<String>(List.of("-nowarn", "-proc:none", "--release"));
            all.add(String.valueOf(Runtime.version().feature()));
            all.addAll(VECTORS);
            all.addAll(List.of("-d", classes.toString(), file.toString()));
            all.addAll(arguments);
            var messages = new ByteArrayOutputStream();
            if (compiler.run(null, messages, messages, all.toArray(new String[0])) != 0) {
                throw failed(
                        "it does not compile: "
                                + messages.toString(StandardCharsets.UTF_8)
                                        .lines()
                                        .filter(line -> line.contains("error:"))
                                        .limit(MOST_ERRORS)
                                        .collect(Collectors.joining("; ")),
                        null);
            }
            return classes;
        } catch (IOException e) {
            throw failed("its driver cannot be written: " + e.getMessage(), e);
        }
    }

    private static BenchException failed(String what, @Nullable Throwable cause) {
        return new BenchException("peer_failed", "The peer failed: " + what + ".", cause);
    }
}
