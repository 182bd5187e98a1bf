package dev.flagship.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The code that is emitted is that of its version: trial markers and measurements of earlier starts
 * are kept by version. {@code kernels.txt} has the version and the digest of each instruction set's
 * code; {@code -Dkernels.update=true} writes it, once the version was raised.
 */
class KernelVersionTest {
    private static final String FILE =
            "engine/kernels-x86/src/test/resources/dev/flagship/kernels/x86/kernels.txt";
    private static final String UPDATE =
            "./mvnw -Dquick test -pl engine/kernels-x86 -Dtest=KernelVersionTest -Dkernels.update=true";

    @TempDir private Path folder = Path.of("");

    /** A version and what it emits. */
    private record Emitted(int version, List<String> digests) {
        private static final String HEAD = "version ";

        static Emitted now() {
            List<String> digests = new ArrayList<>();
            for (Isa isa : Isa.values()) {
                MessageDigest digest = sha256();
                for (Tuning tuning : Libraries.everyTile(isa)) {
                    digest.update(KernelLibrary.assemble(isa, tuning).code().bytes());
                }
                digests.add(isa.tag + " " + HexFormat.of().formatHex(digest.digest()));
            }
            return new Emitted(X86KernelsProvider.KERNEL_VERSION, digests);
        }

        private static MessageDigest sha256() {
            try {
                return MessageDigest.getInstance("SHA-256");
            } catch (NoSuchAlgorithmException e) {
                throw new AssertionError(e); // every Java has it
            }
        }

        /** As it was written; of version 0 where nothing was, or what two branches made of it. */
        static Emitted read(Path file) throws IOException {
            List<String> lines = Files.exists(file) ? Files.readAllLines(file) : List.of();
            return !lines.isEmpty() && lines.getFirst().matches(HEAD + "\\d{1,9}")
                    ? new Emitted(
                            Integer.parseInt(lines.getFirst().substring(HEAD.length())),
                            lines.subList(1, lines.size()))
                    : new Emitted(0, List.of());
        }

        void write(Path file) throws IOException {
            Files.writeString(file, HEAD + version + "\n" + String.join("\n", digests) + "\n");
        }
    }

    /** Fails unless the file has what is emitted; an update still wants a raised version. */
    private static void check(Path file, Emitted now, boolean update) throws IOException {
        Emitted kept = Emitted.read(file);
        if (!now.digests().equals(kept.digests())) {
            assertThat(now.version())
                    .as(
                            "the emitted code has changed: raise X86KernelsProvider.KERNEL_VERSION, then run %s",
                            UPDATE)
                    .isGreaterThan(kept.version());
        }
        if (update) {
            now.write(file);
        }
        assertThat(Emitted.read(file))
                .as("%s is not of these kernels; bring it up to date: %s", file, UPDATE)
                .isEqualTo(now);
    }

    @Test
    void theEmittedCodeIsThatOfItsVersion() throws IOException {
        String root =
                Objects.requireNonNull(
                        System.getProperty("flagship.root"),
                        "flagship.root is not set: run by Maven");
        check(Path.of(root, FILE), Emitted.now(), Boolean.getBoolean("kernels.update"));
    }

    @Test
    void changedCodeWantsARaisedVersionAndItsDigestWritten() throws IOException {
        Path file = folder.resolve("kernels.txt");
        Emitted before = new Emitted(7, List.of("avx2 00", "avx512-vnni 01"));
        Emitted changed = new Emitted(7, List.of("avx2 00", "avx512-vnni 02"));
        Emitted raised = new Emitted(8, changed.digests());
        check(file, before, true);
        check(file, before, false);
        for (boolean update : new boolean[] {false, true}) {
            assertThatThrownBy(() -> check(file, changed, update))
                    .isInstanceOf(AssertionError.class)
                    .hasMessageContaining("raise X86KernelsProvider.KERNEL_VERSION");
        }
        assertThatThrownBy(() -> check(file, raised, false))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining(UPDATE);
        check(file, raised, true);
        check(file, raised, false);
        Files.writeString(file, "<<<<<<< ours\nversion 8\n");
        check(file, raised, true);
        check(file, raised, false);
    }
}
