package dev.flagship.launch;

import dev.flagship.base.InvalidArgumentException;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;

/**
 * What a hub tells of a repository, by Hugging Face's paths {@code api/models/…}.
 *
 * @param place with the commit that the revision names now, so that all files are of one state
 * @param licence as its card says
 * @param files those that have a path we would take
 */
record HubRepository(HubPlace place, Licence licence, List<RemoteFile> files) {
    private static final int MOST_PAGES = 50;
    private static final Pattern NEXT = Pattern.compile("<([^<>]+)>\\s*;\\s*rel=\"next\"");

    HubRepository {
        files = List.copyOf(files);
    }

    static HubRepository read(Hub hub, HubPlace place, Progress progress)
            throws SourceException, InterruptedException {
        progress.stage(
                "Asking %s about %s".formatted(hub.base().getAuthority(), place.repository()));
        try (var client = new HubClient(hub, hub.page(place.repository()))) {
            URI api = hub.base().resolve("api/models/" + place.repository() + "/");
            JsonNode info =
                    json(
                            client,
                            client.open(
                                    api.resolve("revision/" + Percent.segments(place.revision())),
                                    ""));
            HubPlace now =
                    new HubPlace(
                            place.repository(),
                            Json.optionalText(info, "sha")
                                    .filter(sha -> sha.matches("[0-9a-f]{40}"))
                                    .orElse(place.revision()));
            return new HubRepository(now, licence(info), files(client, api, now));
        } catch (Json.Fault | InvalidArgumentException e) {
            throw new SourceException(
                    "it told of the repository what cannot be understood: " + e.getMessage(), e);
        } catch (IOException e) {
            if (Thread.interrupted()) {
                throw new InterruptedException();
            }
            throw new SourceException(HubSource.reason(e), e);
        }
    }

    private static JsonNode json(HubClient client, HubClient.Answer answer)
            throws IOException, Json.Fault {
        try (answer;
                var in =
                        new PatientStream(answer.response().body(), client.transfer().patience())) {
            return Json.read(in);
        }
    }

    private static List<RemoteFile> files(HubClient client, URI api, HubPlace place)
            throws SourceException, IOException, InterruptedException, Json.Fault {
        List<RemoteFile> files = new ArrayList<>();
        Optional<URI> at =
                Optional.of(
                        api.resolve(
                                "tree/" + Percent.segments(place.revision()) + "?recursive=true"));
        for (int page = 0; at.isPresent() && page < MOST_PAGES; page++) {
            HubClient.Answer answer = client.open(at.get(), "");
            for (JsonNode entry : json(client, answer)) {
                file(entry).ifPresent(files::add);
            }
            at = next(at.get(), answer.header("link"));
        }
        if (at.isPresent()) {
            throw new SourceException(
                    "its repository has more than %d pages of files".formatted(MOST_PAGES));
        }
        return files;
    }

    private static Optional<URI> next(URI at, String link) throws SourceException {
        Matcher next = NEXT.matcher(link);
        if (!next.find()) {
            return Optional.empty();
        }
        try {
            URI uri = at.resolve(next.group(1));
            if (!Objects.equals(uri.getAuthority(), at.getAuthority())) {
                throw new SourceException("it lists the rest of the repository elsewhere");
            }
            return Optional.of(uri);
        } catch (IllegalArgumentException e) {
            throw new SourceException("it lists the rest of the repository at no URL", e);
        }
    }

    private static Optional<RemoteFile> file(JsonNode entry) throws Json.Fault {
        if (!Json.optionalText(entry, "type").orElse("").equals("file")) {
            return Optional.empty();
        }
        String path = Json.text(entry, "path");
        if (!RemoteFile.safe(path)) {
            return Optional.empty(); // nothing that a model needs has such a name
        }
        JsonNode large = entry.path("lfs");
        Optional<String> sha256 =
                Json.optionalText(large, "oid")
                        .map(oid -> oid.replaceFirst("^sha256:", ""))
                        .filter(oid -> oid.matches("[0-9a-f]{64}"));
        Optional<String> git =
                Json.optionalText(entry, "oid").filter(oid -> oid.matches("[0-9a-f]{40}"));
        FileDigest digest = new FileDigest.Unknown();
        if (sha256.isPresent()) {
            digest = new FileDigest.Sha256(sha256.get());
        } else if (large.isMissingNode() && git.isPresent()) {
            digest = new FileDigest.GitBlob(git.get());
        }
        return Optional.of(
                new RemoteFile(
                        path, Json.count(large.has("size") ? large : entry, "size"), digest));
    }

    private static Licence licence(JsonNode info) {
        JsonNode card = info.path("cardData");
        JsonNode licence = card.path("license");
        String id = licence.asString("");
        for (JsonNode each : licence) { // of several, one that must be asked about
            String next = each.asString("");
            if (id.isEmpty() || !Licence.of(next, "", "", "").open()) {
                id = next;
            }
        }
        if (id.isEmpty()) {
            for (JsonNode tag : info.path("tags")) {
                if (tag.asString("").startsWith("license:")) {
                    id = tag.asString("").substring("license:".length());
                }
            }
        }
        String name = card.path("license_name").asString("");
        String link = card.path("license_link").asString("");
        return Licence.of(
                id.isEmpty() ? Licence.UNKNOWN : id,
                name,
                link.startsWith("https://") ? link : "",
                "");
    }
}
