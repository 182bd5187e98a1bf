package dev.flagship.launch;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * A file on its way into the store. Takes exactly the catalogue's number of bytes, and is complete
 * only with the catalogue's digest.
 *
 * @param folder for whatever a source needs beside the file; it is deleted afterwards
 */
record PartFile(Path file, Path folder) {
    private static final int BUFFER = 1 << 16;

    /**
     * Writes the stream to the file, checks size and digest, and forces it to the disk.
     *
     * @throws SourceException if the stream is longer or shorter, or has another digest
     */
    void write(InputStream in, CatalogueModel model, Progress progress)
            throws SourceException, IOException, InterruptedException {
        MessageDigest digest = sha256();
        byte[] buffer = new byte[BUFFER];
        long done = 0;
        try (var out =
                FileChannel.open(
                        file,
                        StandardOpenOption.CREATE,
                        StandardOpenOption.TRUNCATE_EXISTING,
                        StandardOpenOption.WRITE)) {
            progress.bytes(0, model.bytes());
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                if (Thread.interrupted()) {
                    throw new InterruptedException();
                }
                if (n > model.bytes() - done) {
                    throw new SourceException(
                            "it sent more than the %s bytes of the file".formatted(model.bytes()));
                }
                digest.update(buffer, 0, n);
                for (var bytes = ByteBuffer.wrap(buffer, 0, n); bytes.hasRemaining(); ) {
                    out.write(bytes);
                }
                done += n;
                progress.bytes(done, model.bytes());
            }
            if (done < model.bytes()) {
                throw new SourceException(
                        "it ended after %s of %s bytes".formatted(done, model.bytes()));
            }
            out.force(true);
        }
        String found = HexFormat.of().formatHex(digest.digest());
        if (!found.equals(model.sha256())) {
            throw new SourceException(
                    "its file has the SHA-256 %s, and not %s: another version of the model, or a damaged one"
                            .formatted(found, model.sha256()));
        }
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }
}
