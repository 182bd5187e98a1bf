package dev.flagship.serving;

import dev.flagship.formats.ModelFile;
import dev.flagship.formats.ModelFiles;
import dev.flagship.tokenizers.ChatTemplate;
import dev.flagship.tokenizers.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What the files of a model say, all but its weights.
 *
 * @param parameters weights, each counted once
 * @param contextLength most positions that the model was made for
 * @param template empty if it takes no conversations
 */
public record ModelDescription(
        long parameters, int contextLength, Tokenizer tokenizer, Optional<ChatTemplate> template) {

    /**
     * Reads a GGUF, safetensors or PyTorch file, or a folder, as loading does, up to the weights:
     * what this refuses is refused there. Nothing stays open.
     *
     * @throws LoadException or a {@link dev.flagship.formats.FormatException} that says what is
     *     wrong with the model
     * @throws IOException if a file cannot be read
     */
    public static ModelDescription read(Path path) throws IOException {
        return LoadedModel.told(
                path,
                () -> {
                    try (ModelFile file = ModelFiles.open(path)) {
                        ModelSource source = LoadedModel.source(path, file);
                        PackPlan plan = PackPlan.of(path, source.tensors().values());
                        LoadedModel.shape(path, source, plan);
                        return new ModelDescription(
                                source.parameters(),
                                source.contextLength(),
                                source.tokenizer(),
                                source.template());
                    }
                });
    }
}
