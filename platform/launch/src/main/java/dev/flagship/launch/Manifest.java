package dev.flagship.launch;

import dev.flagship.base.InvalidArgumentException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What the store knows of a model, in {@code model.json} of its folder. A model is in the store
 * when this file is.
 *
 * @param files with their sizes and SHA-256
 */
record Manifest(
        String name,
        String title,
        String origin,
        Licence licence,
        Instant fetched,
        List<RemoteFile> files) {
    static final String FILE = "model.json";
    private static final int MOST_BYTES = 16 << 20;

    Manifest {
        files = List.copyOf(files);
    }

    Manifest named(String other) {
        return new Manifest(other, title, origin, licence, fetched, files);
    }

    long bytes() {
        return files.stream().mapToLong(RemoteFile::bytes).sum();
    }

    /** Reads it out of a model's folder. */
    static Manifest read(Path folder) throws IOException, Json.Fault {
        Path file = folder.resolve(FILE);
        if (Files.size(file) > MOST_BYTES) {
            throw new Json.Fault("it has more than 16 MiB");
        }
        JsonNode root = Json.read(Files.readAllBytes(file));
        if (root.path("format").asInt(0) != 1) {
            throw new Json.Fault("\"format\" is not 1: another version of Flagship wrote it");
        }
        try {
            List<RemoteFile> files = new ArrayList<>();
            for (JsonNode entry : Json.array(root, "files")) {
                files.add(
                        new RemoteFile(
                                Json.text(entry, "path"),
                                Json.count(entry, "bytes"),
                                new FileDigest.Sha256(Json.text(entry, "sha256"))));
            }
            if (files.isEmpty()) {
                throw new Json.Fault("\"files\" is empty");
            }
            String name = Json.text(root, "name");
            if (!Shelf.isName(name)) { // shells complete names
                throw new Json.Fault("\"name\" is no name of a model");
            }
            return new Manifest(
                    name,
                    Json.text(root, "title"),
                    Json.text(root, "origin"),
                    CatalogueReader.licence(root.path("licence")),
                    Instant.parse(Json.text(root, "fetched")),
                    files);
        } catch (InvalidArgumentException | DateTimeException e) {
            throw new Json.Fault(String.valueOf(e.getMessage()), e);
        }
    }

    /** Writes it into a model's folder in one piece. */
    void write(Path folder) throws IOException {
        ObjectNode root = Json.MAPPER.createObjectNode();
        root.put("format", 1).put("name", name).put("title", title).put("origin", origin);
        root.putObject("licence")
                .put("id", licence.id())
                .put("name", licence.name())
                .put("url", licence.url())
                .put("restricts", licence.restricts());
        root.put("fetched", fetched.toString());
        var list = root.putArray("files");
        for (RemoteFile file : files) {
            list.addObject()
                    .put("path", file.path())
                    .put("bytes", file.bytes())
                    .put("sha256", file.sha256());
        }
        Path part = Files.createTempFile(folder, "new", ".json");
        try {
            Files.write(part, root.toPrettyString().concat("\n").getBytes(StandardCharsets.UTF_8));
            Files.move(part, folder.resolve(FILE), StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(part);
        }
        Blobs.force(folder);
    }

    /** What loads the model: its GGUF file, the first of its parts, or the whole folder. */
    Path path(Path folder) {
        return files.stream()
                .map(RemoteFile::path)
                .filter(path -> path.endsWith(".gguf"))
                .sorted()
                .findFirst()
                .map(folder::resolve)
                .orElseGet(
                        () -> files.size() == 1 ? folder.resolve(files.getFirst().path()) : folder);
    }

    StoredModel stored(Path folder, Blobs blobs) {
        List<Path> here = files.stream().map(file -> blobs.path(file.sha256())).toList();
        return new StoredModel(
                name,
                title,
                origin,
                licence,
                bytes(),
                fetched,
                path(folder),
                here,
                isComplete(folder, blobs));
    }

    /** Whether all its files are here, and named. */
    boolean isComplete(Path folder, Blobs blobs) {
        return files.stream()
                .allMatch(file ->
                        blobs.has(file.sha256(), file.bytes())
                                && Files.exists(folder.resolve(file.path())));
    }

    /** Gives the files their names in the model's folder: links, or names of their own. */
    void link(Path folder, Blobs blobs) throws IOException {
        for (RemoteFile file : files) {
            Path name = folder.resolve(file.path());
            Path parent = Objects.requireNonNull(name.getParent());
            Files.createDirectories(parent);
            Path blob = blobs.path(file.sha256());
            Path fresh = parent.resolve(".new-" + name.getFileName());
            Files.deleteIfExists(fresh);
            try {
                Files.createSymbolicLink(fresh, parent.relativize(blob));
            } catch (IOException | UnsupportedOperationException e) {
                Files.createLink(fresh, blob); // a file system without symbolic links
            }
            Files.move(
                    fresh,
                    name,
                    StandardCopyOption.ATOMIC_MOVE,
                    StandardCopyOption.REPLACE_EXISTING);
        }
    }
}
