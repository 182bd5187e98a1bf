package dev.flagship.serving;

import dev.flagship.base.JsonFault;
import dev.flagship.tokenizers.BpeTokenizer;
import dev.flagship.tokenizers.TokenizerConfig;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What lies beside the weights of a model: its description, its tokenizer, its template.
 *
 * @param path absolute
 */
record ModelFolder(Path path) {
    private static final String TOKENIZER_MODEL = "tokenizer.model";
    private static final long LARGEST_JSON = 16 << 20;
    private static final JsonMapper JSON =
            JsonMapper.builder(
                            JsonFactory.builder()
                                    .streamReadConstraints(
                                            StreamReadConstraints.builder()
                                                    .maxNestingDepth(64)
                                                    .build())
                                    .build())
                    .build();

    /** The folder itself, or the one in which a file lies. */
    static ModelFolder of(Path fileOrFolder) {
        Path path = fileOrFolder.toAbsolutePath();
        return new ModelFolder(Files.isDirectory(path) ? path : path.resolveSibling(""));
    }

    /**
     * A description that must be there.
     *
     * @throws LoadException if it is missing or no JSON
     */
    Settings require(String name) throws IOException {
        return find(name)
                .orElseThrow(() ->
                        new LoadException(
                                path,
                                name + " is missing",
                                "Download it into the folder, beside the weights."));
    }

    /**
     * A description that may be there.
     *
     * @throws LoadException if it is no JSON
     */
    Optional<Settings> find(String name) throws IOException {
        Path file = path.resolve(name);
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        try {
            JsonNode json = JSON.readTree(text(file));
            return Optional.of(new Settings(file, json));
        } catch (JacksonException e) {
            TokenStreamLocation at = e.getLocation();
            String fault =
                    JsonFault.of(
                            e.getOriginalMessage(),
                            at == null ? 0 : at.getLineNr(),
                            at == null ? 0 : at.getColumnNr());
            throw new LoadException(file, "it is not JSON: " + fault, "Download it again.", e);
        }
    }

    /**
     * The tokenizer, from whichever of its files is there.
     *
     * @throws LoadException if none is
     */
    BpeTokenizer tokenizer() throws IOException {
        return tokenizer(path);
    }

    /**
     * As {@link #tokenizer}, or as Meta's download of LLaMA 1 and 2 lays it out, a {@code
     * tokenizer.model} beside the folders of all sizes.
     *
     * @throws LoadException if none is
     */
    BpeTokenizer tokenizerHereOrAbove() throws IOException {
        if (!Files.exists(path.resolve(TOKENIZER_MODEL))) {
            Path above = path.toAbsolutePath().getParent();
            if (above != null && Files.isRegularFile(above.resolve(TOKENIZER_MODEL))) {
                return tokenizer(above);
            }
        }
        return tokenizer(path);
    }

    private BpeTokenizer tokenizer(Path folder) throws IOException {
        return BpeTokenizer.fromFolder(folder).orElseThrow(this::noTokenizer);
    }

    private LoadException noTokenizer() {
        for (List<String> pair :
                List.of(List.of("vocab.json", "merges.txt"), List.of("merges.txt", "vocab.json"))) {
            if (Files.exists(path.resolve(pair.getFirst()))) {
                return new LoadException(
                        path,
                        "%s is there, and %s, its other half, is missing"
                                .formatted(pair.getFirst(), pair.getLast()),
                        "Download it, or tokenizer.json, into the folder, beside the weights.");
            }
        }
        return new LoadException(
                path,
                "tokenizer.json is missing, and so are tokenizer.model and vocab.json with merges.txt",
                "Download one of them into the folder, beside the weights.");
    }

    /**
     * The chat template of its own file, or of tokenizer_config.json.
     *
     * @throws dev.flagship.base.FlagshipException if the file that has it is bad
     */
    ModelTemplate template() throws IOException {
        return ModelTemplate.of(templateSource());
    }

    private Optional<String> templateSource() throws IOException {
        Path own = path.resolve("chat_template.jinja");
        if (Files.exists(own)) {
            return Optional.of(text(own));
        }
        Path config = path.resolve("tokenizer_config.json");
        if (!Files.exists(config)) {
            return Optional.empty();
        }
        requireFile(config);
        try (InputStream in = Files.newInputStream(config)) {
            return TokenizerConfig.read(in).chatTemplate();
        }
    }

    /** A device or a pipe may have no end. */
    private static void requireFile(Path file) {
        if (!Files.isRegularFile(file)) {
            throw new LoadException(file, "it is not a regular file", "Put the file itself there.");
        }
    }

    private static String text(Path file) throws IOException {
        requireFile(file);
        if (Files.size(file) > LARGEST_JSON) {
            throw new LoadException(
                    file, "it is larger than 16 MiB", "This is not the file that its name says.");
        }
        try {
            return Files.readString(file);
        } catch (CharacterCodingException e) {
            throw new LoadException(file, "it is not UTF-8", "Download it again.", e);
        }
    }
}
