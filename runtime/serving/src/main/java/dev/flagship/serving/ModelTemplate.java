package dev.flagship.serving;

import dev.flagship.base.FlagshipException;
import dev.flagship.base.Quoted;
import dev.flagship.tokenizers.ChatTemplate;
import dev.flagship.tokenizers.TemplateException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What lays out conversations with a model; a template that cannot be used keeps nobody from the
 * rest.
 */
public sealed interface ModelTemplate {

    /** The model brings none. */
    record Absent() implements ModelTemplate {}

    /** The model brings one, or was given one. */
    record Usable(ChatTemplate template) implements ModelTemplate {}

    /**
     * The model brings one that cannot be read.
     *
     * @param text as its makers wrote it
     * @param why line, construct and remedy
     */
    record Unusable(String text, FlagshipException why) implements ModelTemplate {}

    /**
     * A template as a model brings it.
     *
     * @param source empty: none
     */
    static ModelTemplate of(Optional<String> source) {
        if (source.isEmpty()) {
            return new Absent();
        }
        try {
            return new Usable(ChatTemplate.parse(source.get()));
        } catch (TemplateException e) {
            return new Unusable(source.get(), e);
        }
    }

    /** As many bytes as the longest template's characters can take. */
    int MOST_BYTES = 1 << 20;

    /**
     * A template in a file of its own; a pipe as well as a file, so that {@code <(…)} works.
     *
     * @throws LoadException that names file, line and remedy, if it cannot be used
     */
    static Usable read(Path file) {
        if (file.toString().isEmpty()) {
            throw new LoadException(
                    file, "--chat-template names no file", "Is a variable of the shell empty?");
        }
        if (!Files.exists(file)) {
            throw new LoadException(
                    file, "there is no such file", "Name a file, not the template itself.");
        }
        if (Files.isDirectory(file)) {
            throw new LoadException(file, "it is a folder", "Name the template's file in it.");
        }
        try (InputStream in = Files.newInputStream(file)) {
            byte[] bytes = in.readNBytes(MOST_BYTES + 1);
            if (bytes.length > MOST_BYTES) {
                throw new LoadException(
                        file, "it is larger than 1 MiB", "No chat template is; name another file.");
            }
            String source =
                    StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
            if (source.isBlank()) {
                throw new LoadException(
                        file,
                        "it is empty, and would lay out nothing",
                        "flagship show --template prints a model's own, to begin with.");
            }
            return new Usable(ChatTemplate.parse(source));
        } catch (CharacterCodingException e) {
            throw new LoadException(file, "it is not UTF-8", "Save it so.", e);
        } catch (TemplateException e) {
            throw new LoadException(file, e.getMessage(), "Change the template there.", e);
        } catch (IOException e) {
            throw new LoadException(file, "it cannot be read", "See that it is yours to read.", e);
        }
    }

    /** The template as its makers wrote it. */
    default Optional<String> source() {
        return switch (this) {
            case Absent() -> Optional.empty();
            case Usable(var template) -> Optional.of(template.source());
            case Unusable(var text, _) -> Optional.of(text);
        };
    }

    /**
     * What is said of a template that failed on a conversation: its own refusal as it stands, and
     * what to do about the rest.
     */
    static String failure(TemplateException error) {
        return error.clientSafe()
                ? error.getMessage()
                : Quoted.visible(error.getMessage()) // it may name what the template wrote
                        + ". Use a raw prompt, or load the model with another template by --chat-template FILE.";
    }

    /** Why conversations are refused, to follow the model's name; empty if they are not. */
    default Optional<String> refusal() {
        return switch (this) {
            case Absent() -> Optional.of("brings no chat template");
            case Usable(_) -> Optional.empty();
            case Unusable(_, var why) ->
                    Optional.of(
                            "has a chat template that cannot be used (" + why.getMessage() + ")");
        };
    }
}
