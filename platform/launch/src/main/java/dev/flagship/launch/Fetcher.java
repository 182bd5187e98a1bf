package dev.flagship.launch;

import dev.flagship.base.Bytes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Brings files into a store of blobs, each from the first source that has it.
 *
 * @param home of the store, for messages
 */
record Fetcher(Path home, Blobs blobs) {

    /**
     * Fetches whatever of the model is not here.
     *
     * @return its files with their sizes and SHA-256
     */
    List<RemoteFile> fetch(Wanted model, Progress progress)
            throws IOException, InterruptedException {
        Files.createDirectories(blobs.folder());
        checkRoom(model);
        List<RemoteFile> here = new ArrayList<>();
        for (RemoteFile file : model.files()) {
            here.add(fetch(file, model, progress));
        }
        return here;
    }

    private void checkRoom(Wanted model) throws IOException {
        long missing = 0;
        for (RemoteFile file : model.files()) {
            if (file.sized() && !here(file)) {
                Path part = blobs.part(Blobs.key(file, model.origin()), home).file();
                long begun = Files.exists(part) ? Files.size(part) : 0;
                missing += Math.max(0, file.bytes() - begun);
            }
        }
        long free = Files.getFileStore(blobs.folder()).getUsableSpace();
        if (missing > free) {
            throw DiskFull.before(model.title(), missing, free, blobs.folder().resolve("part"));
        }
    }

    private boolean here(RemoteFile file) {
        return file.digest().sha256().filter(sha -> blobs.has(sha, file.bytes())).isPresent();
    }

    private RemoteFile fetch(RemoteFile file, Wanted model, Progress progress)
            throws IOException, InterruptedException {
        if (here(file)) {
            return file;
        }
        String key = Blobs.key(file, model.origin());
        try (var _ = blobs.lock(key, model.titleOf(file), progress)) {
            if (here(file)) { // another process has fetched it meanwhile
                return file;
            }
            tellIfDamaged(file, progress);
            Path scratch = blobs.newScratch(key);
            try (var _ = ExitHook.of(() -> Blobs.delete(scratch))) {
                PartFile part = blobs.part(key, scratch);
                String sha256 = fromFirstSource(file, model, part, progress);
                long bytes = Files.size(part.file());
                blobs.take(part, sha256);
                return new RemoteFile(file.path(), bytes, new FileDigest.Sha256(sha256));
            } finally {
                Blobs.delete(scratch);
            }
        }
    }

    private void tellIfDamaged(RemoteFile file, Progress progress) throws IOException {
        if (file.digest().sha256().isPresent()) {
            Path blob = blobs.path(file.digest().sha256().get());
            if (Files.exists(blob)) {
                progress.stage(
                        "%s is damaged: it has %s bytes instead of %s. It is fetched again"
                                .formatted(blob, Files.size(blob), file.bytes()));
            }
        }
    }

    private String fromFirstSource(RemoteFile file, Wanted model, PartFile part, Progress progress)
            throws IOException, InterruptedException {
        var failures = new ArrayList<Failure>();
        String news = ""; // told when another source is tried: of the last one the error tells
        for (var source : model.sources()) {
            if (!news.isEmpty()) {
                progress.stage(news);
                news = "";
            }
            try {
                return source.fetch(model.titleOf(file), file, part, progress);
            } catch (SourceException e) {
                failures.add(new Failure(source.describe(file), e));
                if (!e.absent()) {
                    news = "%s: %s".formatted(source.label(), e.reason());
                }
            }
        }
        throw unavailable(file, model, failures);
    }

    private record Failure(String where, SourceException why) {}

    private LaunchException unavailable(RemoteFile file, Wanted model, List<Failure> failures) {
        if (failures.size() == 1 && model.helps().isEmpty()) {
            Failure only = failures.getFirst();
            return new LaunchException(
                    only.why.code(),
                    "%s could not be fetched from %s: %s"
                            .formatted(model.titleOf(file), only.where, only.why.reason()),
                    only.why);
        }
        boolean damaged = file.digest().sha256().map(blobs::path).filter(Files::exists).isPresent();
        return new LaunchException(
                "model_unavailable",
                """
                The model %s (%s, %s) is %s and could not be fetched. Tried:
                %s
                Any one of these helps:
                %s\
                """
                        .formatted(
                                model.name(),
                                model.title(),
                                Bytes.human(model.bytes()),
                                damaged ? "here with the wrong size" : "not here",
                                lines(
                                        failures.stream()
                                                .map(f -> f.where + ": " + f.why.reason())
                                                .toList()),
                                lines(model.helps())),
                null);
    }

    private static String lines(List<String> lines) {
        return "  - " + String.join("\n  - ", lines);
    }
}
