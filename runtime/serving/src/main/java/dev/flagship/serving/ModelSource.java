package dev.flagship.serving;

import dev.flagship.formats.GgufFile;
import dev.flagship.formats.ModelFile;
import dev.flagship.formats.SafetensorsFile;
import dev.flagship.formats.TorchFile;
import dev.flagship.models.Llama;
import dev.flagship.serving.api.Sampling;
import dev.flagship.tensor.DType;
import dev.flagship.tokenizers.BpeTokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A model as its file describes it, in one convention whatever the container. Valid while the file
 * is open.
 *
 * @param file open container
 * @param tensors by Hugging Face name
 * @param assumed what no file tells
 * @param contextLength most positions that the model was made for
 * @param endTokens tokens that end an answer
 * @param sampling how tokens are chosen where a request does not say
 * @param identity what besides the weight files decides the packed weights, for their key
 */
record ModelSource(
        ModelFile file,
        Llama.Config config,
        Set<Assumed> assumed,
        Map<String, TensorSource> tensors,
        int contextLength,
        BpeTokenizer tokenizer,
        ModelTemplate template,
        Set<Integer> endTokens,
        Sampling sampling,
        ModelCard card,
        List<String> identity) {

    /** What is taken from other models of the kind where a model's files do not tell it. */
    enum Assumed {
        /** Most positions. */
        CONTEXT,
        /** By how much positions are scaled. */
        SCALING
    }

    ModelSource {
        assumed = Set.copyOf(assumed);
        tensors = Map.copyOf(tensors);
        endTokens = Set.copyOf(endTokens);
        identity = List.copyOf(identity);
    }

    /** More numbers than any head has: tables are made by this size before tensors are compared. */
    private static final int LARGEST_HEAD = 4096;

    /**
     * A head's size as a file claims it.
     *
     * @throws LoadException if no head is so large
     */
    static int headSize(Path file, int size) {
        if (size > LARGEST_HEAD) {
            throw new LoadException(
                    file,
                    "a head has %d numbers, at most %d can be".formatted(size, LARGEST_HEAD),
                    "Fetch or convert the model again.");
        }
        return size;
    }

    /**
     * Reads everything but the weights.
     *
     * @throws LoadException if a file is missing or the model is not supported
     * @throws IOException if a file cannot be read
     */
    static ModelSource read(ModelFile file) throws IOException {
        return switch (file) {
            case GgufFile gguf -> GgufLlama.read(gguf);
            case SafetensorsFile safetensors -> HuggingFaceLlama.read(safetensors);
            case TorchFile torch ->
                    torch.consolidated() ? MetaLlama.read(torch) : HuggingFaceLlama.read(torch);
        };
    }

    /** Types of weights that were rounded before. */
    List<DType> roundedTypes() {
        return tensors.values().stream()
                .map(TensorSource::type)
                .filter(DType::quantized)
                .distinct()
                .sorted()
                .toList();
    }

    /** Weights, each counted once. */
    long parameters() {
        return tensors.values().stream().mapToLong(TensorSource::elements).sum();
    }
}
