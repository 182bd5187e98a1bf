package dev.flagship.serving;

import dev.flagship.base.Bytes;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Where packed weights are kept between starts.
 *
 * @param path need not be there yet
 */
record PackedFolder(Path path, FreeSpace disk) {

    /**
     * Refuses a model whose packed weights neither this folder nor memory could hold, by its
     * headers: finding the file that they would have takes reading all of them.
     *
     * @param digest of the model, if it is known without reading it
     * @throws LoadException if they are not here and there is no place for them
     */
    void check(ModelSource source, PackPlan plan, Room room, Optional<String> digest) {
        if (mayHave(plan, digest) || takes(plan)) {
            return;
        }
        long free = room.machine().free();
        if (plan.bytes() <= free) {
            room.checkWeights(plan.bytes());
            return;
        }
        if (mayHave(plan, digest)) { // another process has finished it since
            return;
        }
        throw new LoadException(
                room.model(),
                "its packed weights take %s, and neither disk nor memory holds them: %s, and %s of memory are free"
                        .formatted(Bytes.human(plan.bytes()), state(), Bytes.human(free)),
                "Free space there, or set FLAGSHIP_HOME to a folder with room%s."
                        .formatted(rounded(source, plan, room)));
    }

    /** Whether the file may be here: that of the digest, or else one that looks like it. */
    private boolean mayHave(PackPlan plan, Optional<String> digest) {
        if (digest.isPresent()) {
            return Files.exists(Sidecar.file(path, digest.get()));
        }
        if (!Files.isDirectory(path)) {
            return false;
        }
        try (DirectoryStream<Path> files = Files.newDirectoryStream(path, Sidecar.file("*"))) {
            for (Path file : files) {
                if (Sidecar.isOf(file, plan)) {
                    return true;
                }
            }
            return false;
        } catch (IOException | DirectoryIteratorException e) {
            return false; // nor could it be opened
        }
    }

    private boolean takes(PackPlan plan) {
        return Sidecar.needs(plan) <= free();
    }

    /**
     * What could be written here. Unfinished files count as free: dead processes' are deleted
     * before others are begun, and what a live one is packing may be the very model.
     */
    private long free() {
        Path there = nearest();
        if (!Files.isDirectory(there) || !Files.isWritable(there)) {
            return 0;
        }
        try {
            long bytes = disk.bytes(there);
            long unfinished = there.equals(path) ? Sidecar.unfinished(path) : 0;
            return bytes > Long.MAX_VALUE - unfinished ? Long.MAX_VALUE : bytes + unfinished;
        } catch (IOException | DirectoryIteratorException e) {
            return 0; // then packing cannot ask either, and keeps them in memory
        }
    }

    /** The folder, or the one in which it would be made. */
    private Path nearest() {
        Path at = path.toAbsolutePath();
        for (Path above = at.getParent(); above != null && !Files.exists(at); ) {
            at = above;
            above = at.getParent();
        }
        return at.equals(path.toAbsolutePath()) ? path : at;
    }

    private String state() {
        Path there = nearest();
        return !Files.isDirectory(there) || !Files.isWritable(there)
                ? path + " cannot be written"
                : "%s has %s free".formatted(path, Bytes.human(free()));
    }

    /** A remedy, where it is one. */
    private String rounded(ModelSource source, PackPlan plan, Room room) {
        PackPlan small = PackPlan.of(source, QuantMix.Q4_K);
        boolean fits =
                takes(small) || small.bytes() <= room.machine().free() && room.holds(small.bytes());
        return fits && small.bytes() < plan.bytes()
                ? "; or round the weights: --quantize %s takes %s"
                        .formatted(QuantMix.Q4_K, Bytes.human(small.bytes()))
                : "";
    }
}
