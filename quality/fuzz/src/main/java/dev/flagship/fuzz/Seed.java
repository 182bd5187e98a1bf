package dev.flagship.fuzz;

import dev.flagship.hostile.BlockModel;
import dev.flagship.hostile.Format;
import dev.flagship.hostile.PickleBytes;
import dev.flagship.hostile.TinyModel;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * A valid model and the part of it that is damaged.
 *
 * @param files of the whole model
 * @param name the file in which the part lies
 * @param part its bytes
 * @param whole makes the file of the part: a pickle's zip archive has a sum to match
 */
@SuppressWarnings("ArrayRecordComponent") // nobody changes it
record Seed(Map<String, byte[]> files, String name, byte[] part, UnaryOperator<byte[]> whole) {

    /** The model with another part. */
    Map<String, byte[]> with(byte[] damaged) {
        Map<String, byte[]> model = new LinkedHashMap<>(files);
        model.put(name, whole.apply(damaged));
        return model;
    }

    static List<Seed> of(Format format) {
        return switch (format) {
            case GGUF ->
                    seeds(
                            all(TinyModel.gguf(), "model.gguf"),
                            all(TinyModel.ggufScores(), "model.gguf"),
                            all(TinyModel.ggufSpaces(), "model.gguf"),
                            all(TinyModel.splitGguf(), TinyModel.FIRST_PART),
                            all(TinyModel.splitGguf(), TinyModel.SECOND_PART),
                            all(BlockModel.gguf(0), "model.gguf"),
                            all(BlockModel.gguf(1), "model.gguf"),
                            all(BlockModel.gguf(2), "model.gguf"));
            case SAFETENSORS ->
                    seeds(
                            all(TinyModel.huggingFace(), "model.safetensors"),
                            all(TinyModel.sharded(), "model.safetensors.index.json"),
                            all(TinyModel.sharded(), "model-00002-of-00002.safetensors"));
            case TORCH_ARCHIVE ->
                    seeds(
                            all(TinyModel.torchArchive(), "pytorch_model.bin"),
                            all(TinyModel.meta(), "consolidated.00.pth"),
                            pickle(TinyModel.torchArchive(), "pytorch_model.bin", false),
                            pickle(TinyModel.meta(), "consolidated.00.pth", true));
            case TORCH_STREAM ->
                    seeds(
                            all(TinyModel.torchStream(), "pytorch_model.bin"),
                            new Seed(
                                    TinyModel.torchStream(),
                                    "pytorch_model.bin",
                                    TinyModel.pickle(false),
                                    pickle -> PickleBytes.stream(pickle, TinyModel.storages(), 4)));
            case DESCRIPTION ->
                    seeds(
                            all(TinyModel.huggingFace(), TinyModel.CONFIG),
                            all(TinyModel.huggingFace(), TinyModel.GENERATION),
                            vocabulary(TinyModel.readme(), TinyModel.README),
                            all(TinyModel.meta(), TinyModel.PARAMS));
            case TOKENIZER_JSON ->
                    seeds(
                            vocabulary(TinyModel.tokenizerJson(), TinyModel.TOKENIZER),
                            vocabulary(TinyModel.spacesJson(), TinyModel.TOKENIZER),
                            vocabulary(TinyModel.normalizedJson(), TinyModel.TOKENIZER),
                            vocabulary(TinyModel.normalizedSpacesJson(), TinyModel.TOKENIZER),
                            vocabulary(TinyModel.tokenizerJson(), TinyModel.TOKENIZER_CONFIG));
            case SENTENCE_PIECE ->
                    seeds(vocabulary(TinyModel.sentencePiece(), TinyModel.TOKENIZER_MODEL));
            case TIKTOKEN -> seeds(vocabulary(TinyModel.tiktoken(), TinyModel.TOKENIZER_MODEL));
            case VOCABULARY ->
                    seeds(
                            vocabulary(TinyModel.vocabulary(), TinyModel.VOCABULARY),
                            vocabulary(TinyModel.vocabulary(), TinyModel.MERGES),
                            vocabulary(TinyModel.addedTokens(), TinyModel.ADDED_TOKENS));
            case TEMPLATE -> seeds(vocabulary(TinyModel.template(), TinyModel.TEMPLATE));
        };
    }

    private static List<Seed> seeds(Seed... seeds) {
        return List.of(seeds);
    }

    private static Seed all(Map<String, byte[]> model, String name) {
        return new Seed(model, name, content(model, name), UnaryOperator.identity());
    }

    private static Seed vocabulary(Map<String, byte[]> vocabulary, String name) {
        return all(TinyModel.with(vocabulary), name);
    }

    private static Seed pickle(Map<String, byte[]> model, String name, boolean meta) {
        return new Seed(
                model,
                name,
                TinyModel.pickle(meta),
                pickle -> PickleBytes.archive(pickle, TinyModel.storages()));
    }

    private static byte[] content(Map<String, byte[]> model, String name) {
        byte[] content = model.get(name);
        if (content == null) {
            throw new IllegalStateException(
                    name + " is not among " + new ArrayList<>(model.keySet()));
        }
        return content;
    }
}
