package dev.flagship.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.DataInputStream;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** What the launcher makes of picocli's jar, so that Java's AOT cache takes it. */
class NewerClassesTest {
    private static final int JAVA_8 = 52;

    @TempDir private Path folder = Path.of("");

    @Test
    void everyClassIsOfJava8AndPassesTheVerifier()
            throws IOException, InterruptedException, ReflectiveOperationException {
        Path from =
                Path.of(
                        CommandLine.class
                                .getProtectionDomain()
                                .getCodeSource()
                                .getLocation()
                                .getPath());
        Path to = folder.resolve("newer.jar");
        Path program = Path.of("../../tools/build/NewerClasses.java"); // from the module's folder
        Process process =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                program.toString(),
                                from.toString(),
                                to.toString())
                        .inheritIO()
                        .start();
        assertThat(process.waitFor()).isZero();
        assertThat(folder).as("nothing half written stays").isDirectoryContaining(to::equals);
        assertThat(names(to)).isEqualTo(names(from));
        int verified = 0;
        try (var jar = new JarFile(to.toFile());
                var loader =
                        new URLClassLoader(
                                new URL[] {to.toUri().toURL()},
                                ClassLoader.getPlatformClassLoader())) {
            for (JarEntry entry : jar.stream().toList()) {
                if (!entry.getName().endsWith(".class")
                        || entry.getName().contains("module-info")) {
                    continue;
                }
                try (var in = new DataInputStream(jar.getInputStream(entry))) {
                    in.skipNBytes(6);
                    assertThat(in.readUnsignedShort()).as(entry.getName()).isEqualTo(JAVA_8);
                }
                String name = entry.getName().replace('/', '.').replace(".class", "");
                if (!name.contains("groovy")) { // which extends what is not here
                    // Asking for methods links a class, and linking verifies it.
                    verified += loader.loadClass(name).getDeclaredMethods().length;
                }
            }
            Class<?> version = loader.loadClass("picocli.CommandLine");
            assertThat(version.getField("VERSION").get(null)).isEqualTo(CommandLine.VERSION);
        }
        assertThat(verified).isGreaterThan(1000);
    }

    private static List<String> names(Path jar) throws IOException {
        try (var file = new JarFile(jar.toFile())) {
            return new ArrayList<>(file.stream().map(JarEntry::getName).toList());
        }
    }
}
