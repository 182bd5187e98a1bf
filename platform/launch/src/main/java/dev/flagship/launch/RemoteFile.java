package dev.flagship.launch;

import static dev.flagship.base.Check.check;

import java.util.Set;
import java.util.stream.Stream;

/**
 * A file to fetch.
 *
 * @param path where it is in its repository and in the model's folder: names joined by slashes
 * @param bytes its size; -1 if nobody says
 * @param digest what its content must be
 */
record RemoteFile(String path, long bytes, FileDigest digest) {
    static final long UNKNOWN = -1;

    private static final Set<String> NO_NAMES = Set.of("", ".", "..");
    private static final int MOST_CHARACTERS = 500;

    RemoteFile {
        check(
                safe(path),
                "\"%s\" is no path of a file in a repository",
                path.length() > MOST_CHARACTERS ? path.substring(0, MOST_CHARACTERS) : path);
        check(bytes >= UNKNOWN, "%s has %s bytes", path, bytes);
    }

    /** Whether the path names something below its folder, and nothing of another kind. */
    static boolean safe(String path) {
        return path.length() <= MOST_CHARACTERS
                && path.codePoints().allMatch(RemoteFile::plain)
                && Stream.of(path.split("/", -1)).noneMatch(NO_NAMES::contains);
    }

    /** Letters and digits of any script, and what ASCII prints, but for what paths mean by it. */
    private static boolean plain(int c) {
        return c > ' ' && c < 0x7f ? c != '\\' && c != ':' : Character.isLetterOrDigit(c);
    }

    boolean sized() {
        return bytes != UNKNOWN;
    }

    /** The SHA-256 of a file that has come or is pinned, which is known. */
    String sha256() {
        return digest.sha256().orElseThrow();
    }

    /** The last part of its path. */
    String name() {
        return path.substring(path.lastIndexOf('/') + 1);
    }

    RemoteFile withBytes(long size) {
        return new RemoteFile(path, size, digest);
    }

    RemoteFile withDigest(FileDigest known) {
        return new RemoteFile(path, bytes, known);
    }
}
