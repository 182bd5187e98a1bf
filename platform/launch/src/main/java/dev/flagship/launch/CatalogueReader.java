package dev.flagship.launch;

import dev.flagship.base.InvalidArgumentException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/**
 * Reads catalogues, that of the jar and the user's own, which are alike:
 *
 * <pre>
 * {"format": 1, "models": [{
 *   "name": "mine", "title": "My Model", "purpose": "…", "parameters": "1 B",
 *   "licence": {"id": "apache-2.0", "name"?, "url"?, "restricts"?},
 *   "hub": {"repository": "owner/name", "revision": "main"},
 *   "files": [{"path": "model.gguf", "bytes": 1, "sha256": "…"}],
 *   "wheel"?: {"project", "version", "bytes", "folder"}}]}
 * </pre>
 */
final class CatalogueReader {
    private static final int MOST_MODELS = 10_000;

    private CatalogueReader() {}

    static List<CatalogueModel> read(InputStream in) throws IOException, Json.Fault {
        JsonNode root = Json.read(in);
        if (root.path("format").asInt(0) != 1) {
            throw new Json.Fault("\"format\" is not 1");
        }
        JsonNode models = Json.array(root, "models");
        if (models.size() > MOST_MODELS) {
            throw new Json.Fault("it has more than %d models".formatted(MOST_MODELS));
        }
        List<CatalogueModel> read = new ArrayList<>();
        for (JsonNode model : models) {
            CatalogueModel next = named(model, read.size() + 1);
            if (read.stream().anyMatch(other -> other.name().equals(next.name()))) {
                throw new Json.Fault("the name \"%s\" is there twice".formatted(next.name()));
            }
            read.add(next);
        }
        return read;
    }

    private static CatalogueModel named(JsonNode model, int number) throws Json.Fault {
        try {
            return model(model);
        } catch (Json.Fault | InvalidArgumentException e) {
            throw new Json.Fault("model %d: %s".formatted(number, e.getMessage()), e);
        }
    }

    private static CatalogueModel model(JsonNode model) throws Json.Fault {
        List<RemoteFile> files = new ArrayList<>();
        for (JsonNode file : Json.array(model, "files")) {
            files.add(
                    new RemoteFile(
                            Json.text(file, "path"),
                            Json.count(file, "bytes"),
                            new FileDigest.Sha256(Json.text(file, "sha256"))));
        }
        String name = Json.text(model, "name");
        JsonNode hub = model.path("hub");
        return new CatalogueModel(
                new CatalogueModel.Words(
                        name,
                        Json.optionalText(model, "title").orElse(name),
                        Json.optionalText(model, "purpose").orElse(""),
                        Json.optionalText(model, "parameters").orElse("")),
                licence(model.path("licence")),
                new HubPlace(
                        Json.text(hub, "repository"),
                        Json.optionalText(hub, "revision").orElse("main")),
                wheel(model.path("wheel")),
                files);
    }

    static Licence licence(JsonNode licence) throws Json.Fault {
        return Licence.of(
                Json.optionalText(licence, "id").orElse(Licence.UNKNOWN),
                Json.optionalText(licence, "name").orElse(""),
                Json.optionalText(licence, "url").orElse(""),
                Json.optionalText(licence, "restricts").orElse(""));
    }

    private static Optional<CatalogueModel.Wheel> wheel(JsonNode wheel) throws Json.Fault {
        return wheel.isObject()
                ? Optional.of(
                        new CatalogueModel.Wheel(
                                Json.text(wheel, "project"),
                                Json.text(wheel, "version"),
                                Json.count(wheel, "bytes"),
                                Json.text(wheel, "folder")))
                : Optional.empty();
    }
}
