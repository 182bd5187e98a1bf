package dev.flagship.launch;

import static dev.flagship.base.Check.check;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Optional;

/** What is known beforehand of a file's content. */
sealed interface FileDigest {
    /** Of the whole content: 64 lower-case hexadecimal digits. */
    record Sha256(String hex) implements FileDigest {
        public Sha256 {
            check(hex.matches("[0-9a-f]{64}"), "\"%s\" is no SHA-256", hex);
        }
    }

    /**
     * The name that Git gives the content: SHA-1 over {@code blob SIZE\0} and the content. Hubs
     * tell it of small files.
     */
    record GitBlob(String hex) implements FileDigest {
        public GitBlob {
            check(hex.matches("[0-9a-f]{40}"), "\"%s\" is no SHA-1", hex);
        }
    }

    /** Nothing: whatever comes is taken, if all of it comes. */
    record Unknown() implements FileDigest {}

    /** The SHA-256, if that is what is known. */
    default Optional<String> sha256() {
        return this instanceof Sha256(String hex) ? Optional.of(hex) : Optional.empty();
    }

    /** Computes the digests of a file that is {@code bytes} long. */
    static Sums sums(long bytes) {
        MessageDigest git = algorithm("SHA-1");
        git.update(("blob " + bytes + "\0").getBytes(StandardCharsets.US_ASCII));
        return new Sums(algorithm("SHA-256"), git);
    }

    private static MessageDigest algorithm(String name) {
        try {
            return MessageDigest.getInstance(name);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has " + name, e);
        }
    }

    /** Digests under way. */
    record Sums(MessageDigest sha256, MessageDigest git) {
        /** What a finished computation gave. */
        record Hex(String sha256, String git) {}

        void update(byte[] buffer, int length, FileDigest wanted) {
            sha256.update(buffer, 0, length);
            if (wanted instanceof GitBlob) {
                git.update(buffer, 0, length);
            }
        }

        Hex hex() {
            HexFormat hex = HexFormat.of();
            return new Hex(hex.formatHex(sha256.digest()), hex.formatHex(git.digest()));
        }
    }
}
