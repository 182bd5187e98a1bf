package dev.flagship.bench;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.jspecify.annotations.Nullable;

/** Compiles a peer that is a Java file together with our driver for it. */
final class JavaPeer {
    private static final String MAIN = "com.llama4j.Llama3Peer";

    private JavaPeer() {}

    /**
     * The command that starts it, with the flags that its own file and Makefile name.
     *
     * @param source the peer's file
     * @param name of our driver's file
     * @param driver its text
     * @param scratch an empty folder
     * @throws BenchException {@code peer_failed} if it does not compile
     */
    static List<String> command(Path source, String name, String driver, Path scratch) {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        if (compiler == null) {
            throw failed("this Java has no compiler", null);
        }
        if (!Files.isRegularFile(source)) {
            throw failed(source + " is not there; name its file with --peer-path", null);
        }
        try {
            Path file = Files.writeString(scratch.resolve(name), driver);
            Path classes = Files.createDirectory(scratch.resolve("classes"));
            var messages = new ByteArrayOutputStream();
            int code =
                    compiler.run(
                            null,
                            messages,
                            messages,
                            "-nowarn",
                            "--release",
                            String.valueOf(Runtime.version().feature()),
                            "--enable-preview",
                            "--add-modules",
                            "jdk.incubator.vector",
                            "-d",
                            classes.toString(),
                            source.toString(),
                            file.toString());
            if (code != 0) {
                throw failed(
                        "it does not compile: " + messages.toString(StandardCharsets.UTF_8), null);
            }
            return List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "--enable-preview",
                    "--add-modules",
                    "jdk.incubator.vector",
                    "--sun-misc-unsafe-memory-access=allow",
                    "-Djdk.incubator.vector.VECTOR_ACCESS_OOB_CHECK=0",
                    "-cp",
                    classes.toString(),
                    MAIN);
        } catch (IOException e) {
            throw failed("its driver cannot be written: " + e.getMessage(), e);
        }
    }

    private static BenchException failed(String what, @Nullable Throwable cause) {
        return new BenchException("peer_failed", "The peer failed: " + what + ".", cause);
    }
}
