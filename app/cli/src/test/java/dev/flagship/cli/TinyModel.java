package dev.flagship.cli;

import dev.flagship.serving.api.Sampling;
import dev.flagship.testing.Golden;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/**
 * A tiny random model with a chat template and room for long answers: it knows lower-case letters,
 * and its end token has the id 1.
 */
final class TinyModel {
    private TinyModel() {}

    static Path in(Path parent) throws IOException {
        Path folder = Files.createDirectories(parent.resolve("tiny"));
        for (String file :
                List.of(
                        "config.json",
                        "model.safetensors",
                        "tokenizer.json",
                        "tokenizer_config.json")) {
            Golden.extract("llama/llama3/" + file, folder);
        }
        Path config = folder.resolve("config.json");
        Files.writeString(
                config,
                Files.readString(config)
                        .replace(
                                "\"max_position_embeddings\": 256",
                                "\"max_position_embeddings\": 8192"));
        Files.writeString(
                folder.resolve("chat_template.jinja"),
                "{% for m in messages %}{{ m['content'] + '\\n' }}{% endfor %}");
        return folder;
    }

    /** Greedy answers that end only where they must. */
    static AnswerSettings endless(OptionalInt maxTokens) {
        var sampling = new Sampling(0, 0, 1, 0, 1, 0, 0, Map.of(1, -100f), 0);
        return new AnswerSettings(null, sampling, 1L, maxTokens);
    }
}
