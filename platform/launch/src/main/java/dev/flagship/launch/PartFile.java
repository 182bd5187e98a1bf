package dev.flagship.launch;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A file on its way into the store. It is complete only with the size and the digest that are known
 * of it.
 *
 * @param file what is written; stays when a fetch ends early, for the next to go on
 * @param ranges which ranges of it are written, see {@link Ranges}
 * @param scratch a folder for whatever a source needs beside the file; deleted afterwards
 */
record PartFile(Path file, Path ranges, Path scratch) {
    private static final int BUFFER = 1 << 16;

    /**
     * Writes the stream to the file from its beginning, checks size and digest, and forces it to
     * the disk.
     *
     * @return its SHA-256
     * @throws SourceException if the stream is longer or shorter, or has another digest
     */
    String write(InputStream in, RemoteFile wanted, Progress progress)
            throws SourceException, IOException, InterruptedException {
        discard();
        FileDigest.Sums sums = FileDigest.sums(wanted.bytes());
        byte[] buffer = new byte[BUFFER];
        long done = 0;
        try (var out =
                FileChannel.open(
                        file,
                        StandardOpenOption.CREATE,
                        StandardOpenOption.TRUNCATE_EXISTING,
                        StandardOpenOption.WRITE)) {
            tell(done, wanted, progress);
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                if (Thread.interrupted()) {
                    throw new InterruptedException();
                }
                if (wanted.sized() && n > wanted.bytes() - done) {
                    throw new SourceException(
                            "it sent more than the %s bytes of the file".formatted(wanted.bytes()));
                }
                sums.update(buffer, n, wanted.digest());
                writeAll(out, ByteBuffer.wrap(buffer, 0, n));
                done += n;
                tell(done, wanted, progress);
            }
            if (wanted.sized() && done < wanted.bytes()) {
                throw new SourceException(
                        "it ended after %s of %s bytes".formatted(done, wanted.bytes()));
            }
            out.force(true);
        }
        // Git's name of a file holds its size, which may be known only now.
        return wanted.sized() || !(wanted.digest() instanceof FileDigest.GitBlob)
                ? checked(sums.hex(), wanted)
                : check(wanted.withBytes(done), progress);
    }

    private static void tell(long done, RemoteFile wanted, Progress progress) {
        if (wanted.sized()) {
            progress.bytes(done, wanted.bytes());
        }
    }

    /**
     * @throws DiskFull.WriteException if the disk does not take it
     */
    static void writeAll(FileChannel out, ByteBuffer bytes) throws IOException {
        try {
            while (bytes.hasRemaining()) {
                out.write(bytes);
            }
        } catch (IOException e) {
            throw new DiskFull.WriteException(e);
        }
    }

    /**
     * Reads the whole file and forces it to the disk.
     *
     * @return its SHA-256
     * @throws SourceException if it has another digest than it must have; it is deleted then
     */
    String check(RemoteFile wanted, Progress progress)
            throws SourceException, IOException, InterruptedException {
        FileDigest.Sums sums = FileDigest.sums(wanted.bytes());
        byte[] buffer = new byte[1 << 20];
        try (var in = Files.newInputStream(file);
                var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            long done = 0;
            progress.bytes(0, wanted.bytes());
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                if (Thread.interrupted()) {
                    throw new InterruptedException();
                }
                sums.update(buffer, n, wanted.digest());
                done += n;
                progress.bytes(Math.min(done, wanted.bytes()), wanted.bytes());
            }
            channel.force(true);
        }
        return checked(sums.hex(), wanted);
    }

    private String checked(FileDigest.Sums.Hex found, RemoteFile wanted)
            throws SourceException, IOException {
        boolean right =
                switch (wanted.digest()) {
                    case FileDigest.Sha256(String hex) -> hex.equals(found.sha256());
                    case FileDigest.GitBlob(String hex) -> hex.equals(found.git());
                    case FileDigest.Unknown() -> true;
                };
        if (right) {
            return found.sha256();
        }
        discard();
        throw switch (wanted.digest()) {
            case FileDigest.GitBlob(String hex) ->
                    new SourceException(
                            "wrong_checksum",
                            "its file is to Git %s, and not %s: a damaged one, or another version"
                                    .formatted(found.git(), hex));
            case FileDigest.Sha256 _, FileDigest.Unknown _ ->
                    new SourceException(
                            "wrong_checksum",
                            "its file has the SHA-256 %s, and not %s: another version of the model, or a damaged one"
                                    .formatted(
                                            found.sha256(), wanted.digest().sha256().orElse("")));
        };
    }

    /** Forgets what an earlier attempt wrote. */
    void discard() throws IOException {
        Files.deleteIfExists(ranges);
        Files.deleteIfExists(file);
    }
}
