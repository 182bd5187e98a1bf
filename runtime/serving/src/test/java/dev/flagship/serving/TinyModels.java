package dev.flagship.serving;

import dev.flagship.testing.Golden;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** The committed tiny checkpoints as files of a test's own folder, to be loaded or damaged. */
final class TinyModels {
    /** Checkpoints in both containers. */
    static final List<String> IN_BOTH =
            List.of(
                    "llama",
                    "llama1",
                    "llama2",
                    "llama3",
                    "llama31",
                    "odd",
                    "quantised-f16",
                    "quantised-bf16");

    /** Checkpoints that exist as GGUF only. */
    static final List<String> GGUF_ONLY =
            List.of(
                    "quantised-q8_0",
                    "quantised-q4_0",
                    "quantised-q4_1",
                    "quantised-q5_0",
                    "quantised-q5_1",
                    "quantised-iq4_nl",
                    "quantised-mxfp4",
                    "quantised-q2_k",
                    "quantised-q3_k",
                    "quantised-q4_k",
                    "quantised-q5_k",
                    "quantised-q6_k",
                    "quantised-iq4_xs",
                    "quantised-iq2_xxs",
                    "quantised-iq2_xs",
                    "quantised-iq2_s",
                    "quantised-iq3_xxs",
                    "quantised-iq3_s",
                    "quantised-iq1_s",
                    "quantised-iq1_m");

    private static final String CONFIG = "config.json";

    private TinyModels() {}

    static Path gguf(String name, Path folder) throws IOException {
        return Golden.extract("llama/" + name + ".gguf", folder);
    }

    static Path huggingFace(String name, Path parent) throws IOException {
        Path folder = Files.createDirectories(parent.resolve(name));
        for (String file :
                List.of(CONFIG, "model.safetensors", "tokenizer.json", "tokenizer_config.json")) {
            Golden.extract("llama/" + name + "/" + file, folder);
        }
        return folder;
    }

    /** A model whose context is large enough for steps of several chunks; 48 tokens, end is 1. */
    static Path roomy(Path parent) throws IOException {
        Path folder = huggingFace("llama3", parent);
        config(folder, "\"max_position_embeddings\": 256", "\"max_position_embeddings\": 8192");
        return folder;
    }

    /** A model with two heads of 32 numbers, which a KV cache of Q8_0 takes; 48 tokens. */
    static Path wideHeads(Path parent) throws IOException {
        Path folder = huggingFace("llama31", parent);
        config(folder, "\"num_attention_heads\": 4", "\"num_attention_heads\": 2");
        config(folder, "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 1");
        config(folder, "\"head_dim\": 16", "\"head_dim\": 32");
        return folder;
    }

    /** Replaces text in config.json, which must be there. */
    static void config(Path folder, String old, String replacement) throws IOException {
        replace(folder.resolve(CONFIG), old, replacement);
    }

    /** Replaces text in a file, which must be there. */
    static void replace(Path file, String old, String replacement) throws IOException {
        String text = Files.readString(file);
        if (!text.contains(old)) {
            throw new AssertionError(old + " is not in " + text);
        }
        Files.writeString(file, text.replace(old, replacement));
    }

    /** Replaces the first occurrence of some bytes after a mark; the length may change. */
    static void patch(Path file, String mark, String old, String replacement) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        int at = text.indexOf(old, text.indexOf(mark));
        if (at < 0) {
            throw new AssertionError(old + " is not in " + file);
        }
        String patched = text.substring(0, at) + replacement + text.substring(at + old.length());
        Files.write(file, patched.getBytes(StandardCharsets.ISO_8859_1));
    }

    /** Writes a NaN over the last four bytes. */
    static void endWithNaN(Path file) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        Arrays.fill(bytes, bytes.length - 4, bytes.length, (byte) 0xFF);
        Files.write(file, bytes);
    }

    static void flip(Path file, long at) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        bytes[Math.toIntExact(at)] ^= 0x10;
        Files.write(file, bytes);
    }

    static void truncate(Path file, long bytesLess) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        Files.write(file, Arrays.copyOf(bytes, Math.toIntExact(bytes.length - bytesLess)));
    }
}
