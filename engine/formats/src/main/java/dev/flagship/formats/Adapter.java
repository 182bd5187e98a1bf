package dev.flagship.formats;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What PEFT saves: changes to another model, which has most of the weights. Told by the names of
 * its files.
 */
final class Adapter {
    private static final String CONFIG = "adapter_config.json";
    private static final List<String> NAMES =
            List.of(CONFIG, "adapter_model.safetensors", "adapter_model.bin");
    private static final long LARGEST_CONFIG = 1 << 20;

    private Adapter() {}

    static boolean isNamed(Path file) {
        return NAMES.contains(file.getFileName().toString());
    }

    /** Whether a folder that has no model has an adapter. */
    static boolean isIn(Path folder) {
        return NAMES.stream().anyMatch(name -> Files.exists(folder.resolve(name)));
    }

    static FormatException refusal(Path folder) throws IOException {
        String base = base(folder.resolve(CONFIG)).map(name -> " " + name).orElse("");
        return new FormatException(
                folder,
                "folder",
                "this is an adapter (LoRA or another kind of PEFT's), not a whole model",
                "Merge it into its base model%s by PEFT's merge_and_unload, save the result with its tokenizer, and name that folder."
                        .formatted(base));
    }

    /** The model that was adapted, for a message; empty where the description does not tell. */
    private static Optional<String> base(Path config) throws IOException {
        if (!Files.isRegularFile(config) || Files.size(config) > LARGEST_CONFIG) {
            return Optional.empty();
        }
        try (JsonReader json = new JsonReader(config, "adapter", Files.readAllBytes(config))) {
            json.beginObject();
            for (String field = json.nextName(); field != null; field = json.nextName()) {
                if (field.equals("base_model_name_or_path")) {
                    return Optional.of(FormatException.quote(json.string()));
                }
                json.skipValue();
            }
        } catch (FormatException e) {
            return Optional.empty(); // it is refused in any case
        }
        return Optional.empty();
    }
}
