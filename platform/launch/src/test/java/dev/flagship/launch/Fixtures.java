package dev.flagship.launch;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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
        return new Catalogue(
                List.of(
                        new CatalogueModel(
                                new CatalogueModel.Words("tiny", "Tiny-1", "for tests", "1"),
                                Licence.of("mit", "", "", ""),
                                new HubPlace("org/repo", "main"),
                                Optional.of(
                                        new CatalogueModel.Wheel(
                                                "tiny-wheel", "1.0", 210_000, "tiny_wheel")),
                                List.of(
                                        new RemoteFile(
                                                FILE,
                                                content.length,
                                                new FileDigest.Sha256(sha256(content)))))));
    }

    static String sha256(byte[] content) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    }

    static RemoteFile file() throws Exception {
        return catalogue().models().getFirst().files().getFirst();
    }

    static CatalogueModel.Wheel wheel() throws Exception {
        return catalogue().models().getFirst().wheel().orElseThrow();
    }

    /** Waits shorter than people like. */
    static Transfer transfer(Duration patience) {
        return new Transfer(3, 16_384, patience, Duration.ofMillis(5), Duration.ofSeconds(3));
    }

    static Hub hub(URI base) {
        return new Hub(
                base, Optional.empty(), Path.of("hub-token"), transfer(Duration.ofSeconds(5)));
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
