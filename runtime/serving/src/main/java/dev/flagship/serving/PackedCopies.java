package dev.flagship.serving;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * What is kept of a model between starts beside its own files: packed weights, as they are and
 * rounded, and the digests of its files. Found while the files are there, deleted after they have
 * gone.
 */
public final class PackedCopies {
    private final Path folder;
    private final Path model;
    private final List<Path> records;
    private final Map<Path, Path> digests;

    private PackedCopies(Path folder, Path model, List<Path> records, Map<Path, Path> digests) {
        this.folder = folder;
        this.model = model;
        this.records = records;
        this.digests = digests;
    }

    /**
     * Looks for what is kept of a model.
     *
     * @param folder {@link LoadOptions#packedFolder}; need not be there
     * @param model what is loaded: a file or a folder; need not be there any more
     * @param files the model's files
     * @throws IOException if one cannot be looked at
     */
    public static PackedCopies of(Path folder, Path model, List<Path> files) throws IOException {
        Path real = real(model);
        List<Path> records = new ArrayList<>();
        records.add(Sidecar.record(folder, real, PackPlan.identity(Optional.empty())));
        for (QuantMix mix : QuantMix.values()) {
            records.add(Sidecar.record(folder, real, PackPlan.identity(Optional.of(mix))));
        }
        Map<Path, Path> digests = new HashMap<>();
        Path memory = SourceDigest.memory(folder);
        for (Path file : files) {
            if (Files.exists(file)) {
                digests.put(real(file), SourceDigest.known(memory, file));
            }
        }
        return new PackedCopies(folder, real, records, digests);
    }

    /** The path without links, also of what is not there any more, if its folder is. */
    private static Path real(Path file) throws IOException {
        try {
            return file.toRealPath();
        } catch (NoSuchFileException e) {
            Path parent = file.toAbsolutePath().getParent();
            if (parent == null || !Files.isDirectory(parent)) {
                return file.toAbsolutePath();
            }
            Path folder = parent.toRealPath();
            return Files.isSymbolicLink(file)
                    ? folder.resolve(Files.readSymbolicLink(file)).normalize()
                    : folder.resolve(file.getFileName());
        }
    }

    /** Size of the packed weights. */
    public long bytes() throws IOException {
        long bytes = 0;
        for (Path file : weights(digestsOf(records))) {
            bytes += Files.size(file);
        }
        return bytes;
    }

    /**
     * Deletes what was kept of files that are gone. One that is still there has another name, for
     * which its packed weights stay, too.
     *
     * @return bytes that are free again
     */
    public long delete() throws IOException {
        if (!Files.isDirectory(folder)) {
            return 0;
        }
        for (Map.Entry<Path, Path> digest : digests.entrySet()) {
            if (!Files.exists(digest.getKey())) {
                Files.deleteIfExists(digest.getValue());
            }
        }
        if (Files.isRegularFile(model)) {
            return 0;
        }
        long bytes = 0;
        try (FileChannel channel = Sidecar.lockFile(folder);
                FileLock _ = Sidecar.lock(channel)) {
            Set<String> packed = digestsOf(records);
            for (Path own : records) {
                Files.deleteIfExists(own);
            }
            Set<String> unwanted = new HashSet<>();
            for (String digest : packed) {
                if (!Sidecar.wanted(folder, digest)) {
                    unwanted.add(digest);
                }
            }
            for (Path file : weights(unwanted)) {
                bytes += Files.size(file);
                Files.deleteIfExists(file);
            }
        }
        return bytes;
    }

    private static Set<String> digestsOf(List<Path> records) {
        Set<String> digests = new HashSet<>();
        records.forEach(each -> SourceDigest.recall(each).ifPresent(digests::add));
        return digests;
    }

    /** Files of packed weights, of this version of packing and of others. */
    private List<Path> weights(Set<String> digests) throws IOException {
        List<Path> files = new ArrayList<>();
        for (String digest : digests) {
            try (DirectoryStream<Path> all =
                    Files.newDirectoryStream(folder, digest + ".v*.bands")) {
                all.forEach(files::add);
            }
        }
        return files;
    }
}
