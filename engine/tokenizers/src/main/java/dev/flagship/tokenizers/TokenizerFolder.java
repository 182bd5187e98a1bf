package dev.flagship.tokenizers;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Finds the tokenizer among the files of a model's folder. */
final class TokenizerFolder {
    private static final long LARGEST = 64L << 20;

    private final Path folder;

    TokenizerFolder(Path folder) {
        this.folder = folder;
    }

    /** The tokenizer of the first of the known files that is there. */
    Optional<BpeTokenizer> read() throws IOException {
        Path json = folder.resolve("tokenizer.json");
        if (Files.exists(json)) {
            return Optional.of(BpeTokenizer.fromJson(json));
        }
        Path model = folder.resolve("tokenizer.model");
        if (Files.exists(model)) {
            return Optional.of(BpeTokenizer.fromModel(bytes(model), withAdded(config())));
        }
        Path vocabulary = folder.resolve("vocab.json");
        Path merges = folder.resolve("merges.txt");
        if (Files.exists(vocabulary) && Files.exists(merges)) {
            try (InputStream in = open(vocabulary)) {
                return Optional.of(new GptVocabulary(withAdded(config())).read(in, lines(merges)));
            }
        }
        return Optional.empty();
    }

    /** What {@code tokenizer_config.json} says, if it is there. */
    TokenizerConfig config() throws IOException {
        Path file = folder.resolve("tokenizer_config.json");
        if (!Files.exists(file)) {
            return TokenizerConfig.empty();
        }
        try (InputStream in = open(file)) {
            return TokenizerConfig.read(in);
        }
    }

    /** Before {@code tokenizer_config.json} listed them, added tokens had a file of their own. */
    private TokenizerConfig withAdded(TokenizerConfig config) throws IOException {
        Path file = folder.resolve("added_tokens.json");
        if (!config.added().isEmpty() || !Files.exists(file)) {
            return config;
        }
        try (InputStream in = open(file)) {
            return config.withAdded(in);
        }
    }

    /**
     * Opens a file of the folder.
     *
     * @throws TokenizerException if a device, pipe or folder bears its name, which may have no end
     */
    static InputStream open(Path file) throws IOException {
        requireFile(file);
        return Files.newInputStream(file);
    }

    private static void requireFile(Path file) {
        if (!Files.isRegularFile(file)) {
            throw TokenizerException.invalid("%s is not a regular file", file.getFileName());
        }
    }

    private static byte[] bytes(Path file) throws IOException {
        requireSmall(file);
        return Files.readAllBytes(file);
    }

    private static void requireSmall(Path file) throws IOException {
        requireFile(file);
        if (Files.size(file) > LARGEST) {
            throw TokenizerException.invalid(
                    "%s is larger than 64 MiB; it is not the file that its name says",
                    file.getFileName());
        }
    }

    private static List<String> lines(Path file) throws IOException {
        requireSmall(file);
        try {
            return Files.readAllLines(file);
        } catch (CharacterCodingException e) {
            throw TokenizerException.unreadable("merges.txt is not UTF-8", e);
        }
    }
}
