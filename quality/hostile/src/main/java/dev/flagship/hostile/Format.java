package dev.flagship.hostile;

import java.util.Locale;

/** What is read, and by a parser of its own: a container, a description, a vocabulary. */
public enum Format {
    /** Tensors, metadata and vocabulary in one file. */
    GGUF,
    /** One file, or an index with its shards. */
    SAFETENSORS,
    /** PyTorch's zip archive. */
    TORCH_ARCHIVE,
    /** PyTorch's stream of before version 1.6. */
    TORCH_STREAM,
    /** config.json, generation_config.json, params.json. */
    DESCRIPTION,
    /** tokenizer.json, and tokenizer_config.json beside any vocabulary. */
    TOKENIZER_JSON,
    /** SentencePiece's tokenizer.model. */
    SENTENCE_PIECE,
    /** Llama 3's tokenizer.model. */
    TIKTOKEN,
    /** vocab.json with merges.txt. */
    VOCABULARY,
    /** Chat templates. */
    TEMPLATE;

    /** As folders and flags are called: {@code torch-archive}. */
    public String title() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
