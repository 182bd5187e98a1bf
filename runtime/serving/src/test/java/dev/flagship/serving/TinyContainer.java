package dev.flagship.serving;

import dev.flagship.testing.Golden;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The containers in which one tiny model is committed. */
enum TinyContainer {
    SAFETENSORS(List.of("model.safetensors")),
    SAFETENSORS_SHARDS(
            List.of(
                    "safetensors-shards/model.safetensors.index.json",
                    "safetensors-shards/model-00001-of-00002.safetensors",
                    "safetensors-shards/model-00002-of-00002.safetensors")),
    BIN(List.of("bin/pytorch_model.bin")),
    BIN_SHARDS(
            List.of(
                    "bin-shards/pytorch_model.bin.index.json",
                    "bin-shards/pytorch_model-00001-of-00002.bin",
                    "bin-shards/pytorch_model-00002-of-00002.bin")),
    LEGACY(List.of("legacy/pytorch_model.bin")),
    CONSOLIDATED(
            List.of(
                    "consolidated/params.json",
                    "consolidated/consolidated.00.pth",
                    "consolidated/consolidated.01.pth")),
    /** The embedding is shared out by rows, as Llama 3's is. */
    CONSOLIDATED_3(
            List.of(
                    "consolidated-3/params.json",
                    "consolidated-3/consolidated.00.pth",
                    "consolidated-3/consolidated.01.pth")),
    GGUF(List.of("whole.gguf")),
    SPLIT_GGUF(
            List.of(
                    "split-00001-of-00003.gguf",
                    "split-00002-of-00003.gguf",
                    "split-00003-of-00003.gguf"));

    @SuppressWarnings("ImmutableEnumChecker") // List.of gave it
    private final List<String> files;

    TinyContainer(List<String> files) {
        this.files = files;
    }

    /**
     * Writes it into a folder.
     *
     * @return the folder, or the file that names the model
     */
    Path in(Path folder) throws IOException {
        Files.createDirectories(folder);
        Path last = folder;
        for (String file : files) {
            last = Golden.extract("llama/containers/" + file, folder);
        }
        if (last.toString().endsWith(".gguf")) {
            return folder.resolve(files.getFirst());
        }
        boolean meta = last.toString().endsWith(".pth");
        for (String file : List.of("config.json", "tokenizer.json", "tokenizer_config.json")) {
            if (!meta || !file.equals("config.json")) {
                Golden.extract("llama/containers/" + file, folder);
            }
        }
        return folder;
    }

    /** A byte that can change without breaking the last file: a weight's, or padding. */
    int aByteToChange(byte[] bytes) {
        int padding = new String(bytes, StandardCharsets.ISO_8859_1).indexOf("ZZZZ");
        return padding < 0 ? bytes.length - 2 : padding;
    }

    /** The last of the files, in what {@link #in} gave. */
    Path lastFile(Path model) {
        Path folder = Files.isDirectory(model) ? model : model.resolveSibling("");
        String last = files.getLast();
        return folder.resolve(last.substring(last.indexOf('/') + 1));
    }
}
