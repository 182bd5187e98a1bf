package dev.flagship.launch;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The models that are in a store: their manifests, and the blobs that these name. */
final class Shelf {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}");

    private final Path home;
    private final Path models;
    private final Blobs blobs;

    Shelf(Path home) {
        this.home = home;
        this.models = home.resolve("models");
        this.blobs = new Blobs(home.resolve("blobs"));
    }

    /** A name as near to a text as names can be. */
    static String asName(String text) {
        return text.replaceAll("[^A-Za-z0-9._:/@+-]", "_");
    }

    static boolean isName(String text) {
        return NAME.matcher(text).matches()
                && Stream.of(text.split("[/:@]", -1))
                        .noneMatch(part -> part.isEmpty() || part.equals("..") || part.equals("."));
    }

    /**
     * A model's folder: its name, where that can be one; else made so, with what tells it apart.
     */
    private Path folder(String name) {
        String plain = name.replaceAll("[/:@]", "+");
        return models.resolve(
                plain.equals(name) ? name : plain + "-" + Blobs.hash(name).substring(0, 8));
    }

    private Optional<Manifest> manifest(String name) {
        return isName(name) ? manifest(folder(name)) : Optional.empty();
    }

    private static Optional<Manifest> manifest(Path folder) {
        try {
            return Files.isRegularFile(folder.resolve(Manifest.FILE))
                    ? Optional.of(Manifest.read(folder))
                    : Optional.empty();
        } catch (IOException | Json.Fault e) {
            return Optional.empty(); // as if it were not there: fetching writes it anew
        }
    }

    boolean knows(String name) {
        return manifest(name).isPresent();
    }

    Optional<StoredModel> find(String name) {
        return manifest(name).map(manifest -> manifest.stored(folder(name), blobs));
    }

    /** What loads the model, if all of it is here. */
    Optional<Path> path(String name) {
        return find(name).filter(StoredModel::complete).map(StoredModel::path);
    }

    /** The model as it is wanted, if all of it is here. */
    Optional<StoredModel> whole(Wanted wanted) {
        Optional<Manifest> there = manifest(wanted.name());
        return there.isPresent()
                        && there.get().isComplete(folder(wanted.name()), blobs)
                        && same(wanted, there.get())
                ? find(wanted.name())
                : Optional.empty();
    }

    /**
     * Whether the files are those that are wanted: by their digests, else by where they are from.
     */
    private static boolean same(Wanted wanted, Manifest there) {
        return wanted.files().size() == there.files().size()
                && wanted.files().stream()
                        .allMatch(file ->
                                there.files().stream()
                                        .filter(other -> other.path().equals(file.path()))
                                        .anyMatch(other ->
                                                file.digest() instanceof FileDigest.Sha256
                                                        ? file.digest().equals(other.digest())
                                                        : wanted.origin().equals(there.origin())));
    }

    List<String> names() {
        try {
            return manifests().stream().map(Manifest::name).toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    List<StoredModel> models() throws IOException {
        return manifests().stream().map(m -> m.stored(folder(m.name()), blobs)).toList();
    }

    private List<Manifest> manifests() throws IOException {
        if (!Files.isDirectory(models)) {
            return List.of();
        }
        try (Stream<Path> folders = Files.list(models)) {
            return folders.map(Shelf::manifest)
                    .flatMap(Optional::stream)
                    .sorted(Comparator.comparing(Manifest::name))
                    .toList();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    StoredModel fetch(Wanted wanted, Progress progress) throws IOException, InterruptedException {
        Files.createDirectories(models);
        while (true) {
            List<RemoteFile> files = new Fetcher(home, blobs).fetch(wanted, progress);
            Manifest manifest =
                    new Manifest(
                            wanted.name(),
                            wanted.title(),
                            wanted.origin(),
                            wanted.licence(),
                            Instant.now(),
                            files);
            try (var _ = lock()) {
                if (blobs.haveAll(files)) {
                    return publish(manifest);
                }
            }
            // Another process removed the last model that had one of the files: fetch it again.
        }
    }

    /** From here on the model is in the store. The caller holds the lock. */
    private StoredModel publish(Manifest manifest) throws IOException {
        Path folder = folder(manifest.name());
        Optional<Manifest> before = manifest(folder);
        Files.createDirectories(folder);
        manifest.link(folder, blobs);
        manifest.write(folder);
        if (before.isPresent()) {
            Set<String> kept = new HashSet<>();
            manifest.files().forEach(file -> kept.add(file.path()));
            for (RemoteFile file : before.get().files()) {
                if (!kept.contains(file.path())) {
                    unlink(folder, file);
                }
            }
            release(before.get().files());
        }
        return manifest.stored(folder, blobs);
    }

    private StoreLock lock() throws IOException, InterruptedException {
        return StoreLock.acquire(
                models.resolve(".lock"), "Waiting for another process", Progress.NONE);
    }

    /** Empty if the source has gone. */
    Optional<StoredModel> rename(String source, String name)
            throws IOException, InterruptedException {
        try (var _ = lock()) {
            Optional<Manifest> manifest = manifest(source);
            return manifest.isPresent()
                    ? Optional.of(publish(manifest.get().named(name)))
                    : Optional.empty();
        }
    }

    /** Copies a file with its other parts, or what makes a model of a folder. */
    StoredModel take(Path path, String name, Progress progress)
            throws IOException, InterruptedException {
        Path folder =
                Files.isDirectory(path)
                        ? path
                        : Objects.requireNonNull(path.toAbsolutePath().getParent());
        List<RemoteFile> files = new ArrayList<>();
        try (Stream<Path> list = Files.list(folder)) {
            for (Path file : list.filter(Files::isRegularFile).sorted().toList()) {
                String plain = file.getFileName().toString();
                if (RemoteFile.safe(plain)) {
                    files.add(new RemoteFile(plain, Files.size(file), new FileDigest.Unknown()));
                }
            }
        }
        List<RemoteFile> chosen =
                Files.isDirectory(path)
                        ? HubChoice.folder(files).orElseThrow(() -> noModel(path))
                        : parts(path.getFileName().toString(), files);
        if (chosen.isEmpty()) {
            throw noModel(path);
        }
        return fetch(
                new Wanted(
                        name,
                        path.getFileName().toString(),
                        path.toAbsolutePath().toString(),
                        Licence.unknown(),
                        chosen,
                        List.of(new FolderSource(folder, true)),
                        List.of()),
                progress);
    }

    private static LaunchException noModel(Path path) {
        return new LaunchException(
                "no_such_file",
                "%s holds no weights that run here: no safetensors, PyTorch or Meta's files at its top. For a GGUF file give its own path"
                        .formatted(path),
                null);
    }

    private static List<RemoteFile> parts(String name, List<RemoteFile> files) {
        String group = SplitName.group(name); // a split model is taken whole
        return files.stream().filter(file -> SplitName.group(file.path()).equals(group)).toList();
    }

    /**
     * Takes a model out.
     *
     * @param known files that an unfinished fetch of it may have begun
     * @return bytes that are free again; empty if nothing of it is here
     */
    OptionalLong remove(String name, List<RemoteFile> known)
            throws IOException, InterruptedException {
        if (!isName(name) || !Files.isDirectory(home)) {
            return OptionalLong.empty();
        }
        Path folder = folder(name);
        long bytes = 0;
        try (var _ = lock()) {
            Optional<Manifest> manifest = manifest(folder);
            if (manifest.isPresent()) {
                Files.delete(folder.resolve(Manifest.FILE));
                for (RemoteFile file : manifest.get().files()) {
                    unlink(folder, file);
                }
                Blobs.delete(folder);
                for (RemoteFile file : release(manifest.get().files())) {
                    bytes += file.bytes();
                }
            }
            boolean begun = false;
            for (RemoteFile file : known) {
                for (Path part : unfinished(Blobs.key(file, ""))) {
                    long size = size(part);
                    if (blobs.deleteUnlessBusy(part)) {
                        bytes += size;
                        begun = true;
                    }
                }
            }
            return manifest.isPresent() || begun ? OptionalLong.of(bytes) : OptionalLong.empty();
        }
    }

    private List<Path> unfinished(String key) {
        PartFile part = blobs.part(key, home);
        return List.of(part.file(), part.ranges());
    }

    private static long size(Path file) {
        try {
            return Files.isRegularFile(file) ? Files.size(file) : 0;
        } catch (IOException e) {
            return 0;
        }
    }

    private static void unlink(Path folder, RemoteFile file) throws IOException {
        Path at = folder.resolve(file.path());
        Files.deleteIfExists(at);
        for (Path up = at.getParent(); up != null && !up.equals(folder); up = up.getParent()) {
            try {
                Files.deleteIfExists(up);
            } catch (DirectoryNotEmptyException e) {
                return;
            }
        }
    }

    /** Deletes those of the files' blobs that no model of the store has. */
    private List<RemoteFile> release(List<RemoteFile> files) throws IOException {
        if (anyUnreadable()) { // it may be another version's, and name what looks unused
            return List.of();
        }
        Set<String> used = new HashSet<>();
        for (Manifest manifest : manifests()) {
            manifest.files().forEach(file -> used.add(file.sha256()));
        }
        List<RemoteFile> released = new ArrayList<>();
        Set<String> seen = new HashSet<>();
        for (RemoteFile file : files) {
            String sha256 = file.sha256();
            if (!used.contains(sha256) && seen.add(sha256)) {
                Files.deleteIfExists(blobs.path(sha256));
                released.add(file);
            }
        }
        return released;
    }

    private boolean anyUnreadable() throws IOException {
        try (Stream<Path> folders = Files.list(models)) {
            return folders.anyMatch(folder ->
                    Files.exists(folder.resolve(Manifest.FILE)) && manifest(folder).isEmpty());
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    long removeUnfinished() throws IOException, InterruptedException {
        long bytes = 0;
        for (Path path : blobs.unfinished()) {
            long size = size(path);
            bytes += blobs.deleteUnlessBusy(path) ? size : 0;
        }
        return bytes;
    }

    /** A model in an older version's layout, which had its one file itself in its folder. */
    Optional<StoredModel> old(CatalogueModel model) {
        if (!holdsOld(model)) {
            return Optional.empty();
        }
        Path file = oldFile(model);
        Instant since;
        try {
            since = Files.getLastModifiedTime(file).toInstant();
        } catch (IOException e) {
            return Optional.empty();
        }
        return Optional.of(
                new StoredModel(
                        model.name(),
                        model.title(),
                        model.hub().origin(),
                        model.licence(),
                        model.bytes(),
                        since,
                        file,
                        List.of(file),
                        true));
    }

    boolean holdsOld(CatalogueModel model) {
        return model.files().size() == 1
                && size(oldFile(model)) == model.bytes()
                && Files.isRegularFile(oldFile(model), LinkOption.NOFOLLOW_LINKS)
                && !knows(model.name());
    }

    private Path oldFile(CatalogueModel model) {
        return folder(model.name()).resolve(model.files().getFirst().path());
    }

    /** Moves such a file among the blobs, if it is what it should be. */
    Optional<StoredModel> adopt(CatalogueModel model, Progress progress)
            throws IOException, InterruptedException {
        RemoteFile file = model.files().getFirst();
        String key = Blobs.key(file, "");
        Files.createDirectories(blobs.folder());
        try (var _ = blobs.lock(key, model.title(), progress)) {
            if (!holdsOld(model)) {
                return find(model.name());
            }
            FileDigest.Sums sums = FileDigest.sums(file.bytes());
            byte[] buffer = new byte[1 << 20];
            try (InputStream in = Files.newInputStream(oldFile(model))) {
                for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                    sums.update(buffer, n, file.digest());
                }
            }
            String sha256 = sums.hex().sha256();
            if (!file.sha256().equals(sha256)) {
                Path aside = oldFile(model).resolveSibling(file.name() + ".damaged");
                Files.move(oldFile(model), aside, StandardCopyOption.REPLACE_EXISTING);
                progress.stage(
                        "%s was not the file of the catalogue and is %s now"
                                .formatted(file.name(), aside));
                return Optional.empty();
            }
            Files.move(oldFile(model), blobs.path(sha256), StandardCopyOption.REPLACE_EXISTING);
            Files.deleteIfExists(folder(model.name()).resolve(".lock"));
        }
        try (var _ = lock()) {
            return Optional.of(
                    publish(
                            new Manifest(
                                    model.name(),
                                    model.title(),
                                    model.hub().origin(),
                                    model.licence(),
                                    Instant.now(),
                                    model.files())));
        }
    }
}
