package dev.flagship.serving;

import dev.flagship.base.FlagshipException;
import dev.flagship.tokenizers.ChatTemplate;
import dev.flagship.tokenizers.TemplateException;
import dev.flagship.tokenizers.Tokenizer;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.List;
import java.util.Optional;

/**
 * What lays out conversations with a model; a template that cannot be used keeps nobody from the
 * rest.
 */
public sealed interface ModelTemplate {

    /** Which template lays out conversations. */
    sealed interface Choice {}

    /** The model's own. */
    enum Own implements Choice {
        /** For text alone a model needs none. */
        IF_ANY,
        /** A model without one that can be used is refused before its weights are packed. */
        REQUIRED
    }

    /** The model brings none. */
    record Absent() implements ModelTemplate {}

    /**
     * The model brings one, or was given one.
     *
     * @param given the file that it was given by; empty: the model brings it
     */
    record Usable(ChatTemplate template, Optional<Path> given) implements ModelTemplate, Choice {
        private static final List<List<ChatTemplate.Turn>> ORDINARY =
                List.of(
                        List.of(new ChatTemplate.Turn("user", "Hello.")),
                        List.of(
                                new ChatTemplate.Turn("system", "Be brief."),
                                new ChatTemplate.Turn("user", "Hello."),
                                new ChatTemplate.Turn("assistant", "Hi!"),
                                new ChatTemplate.Turn("user", "How are you?")));

        /** More than any head of a conversation takes. */
        private static final int MOST_CHARACTERS = 1 << 20;

        /**
         * What an ordinary conversation will fail with, found before somebody has it, and with its
         * remedy; empty if it is laid out, or refused in the template's own words.
         */
        Optional<String> warning(Tokenizer tokenizer) {
            for (List<ChatTemplate.Turn> turns : ORDINARY) {
                try {
                    template.render(
                            turns,
                            true,
                            tokenizer,
                            LocalDateTime.now(ZoneId.systemDefault()),
                            MOST_CHARACTERS);
                } catch (TemplateException e) {
                    if (!e.clientSafe()) {
                        return Optional.of(warning(e));
                    }
                }
            }
            return Optional.empty();
        }

        private String warning(TemplateException error) {
            return given.map(file ->
                            "The chat template %s fails on an ordinary conversation: %s. %s"
                                    .formatted(file, error.getMessage(), CORRECT))
                    .orElseGet(() ->
                            "The model's chat template fails on an ordinary conversation: %s. Such chats are refused, run --raw works. Another template is given by --chat-template FILE."
                                    .formatted(error.getMessage()));
        }

        /**
         * What is said of a conversation that it failed on: its own refusal, as the words of the
         * template, and what to do about the rest. Names no file, since clients see it.
         */
        public String failure(TemplateException error) {
            if (error.clientSafe()) {
                return "The %s says: \"%s\""
                        .formatted(
                                given.isPresent() ? "chat template" : "model's chat template",
                                error.getMessage());
            }
            return given.map(_ ->
                            "%s. This is the template that --chat-template gave. %s"
                                    .formatted(error.getMessage(), CORRECT))
                    .orElseGet(() ->
                            "%s. Load the model with another template: --chat-template FILE. For text alone there is flagship run --raw."
                                    .formatted(error.getMessage()));
        }
    }

    /** For those who gave a template that fails. */
    String CORRECT = "Correct it, give another, or leave --chat-template out for the model's own.";

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
            return new Usable(ChatTemplate.parse(source.get()), Optional.empty());
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
            return new Usable(ChatTemplate.parse(source), Optional.of(file));
        } catch (CharacterCodingException e) {
            throw new LoadException(file, "it is not UTF-8", "Save it so.", e);
        } catch (TemplateException e) {
            throw new LoadException(file, e.getMessage(), CORRECT, e);
        } catch (IOException e) {
            throw new LoadException(file, "it cannot be read", "See that it is yours to read.", e);
        }
    }

    /** The template as its makers wrote it. */
    default Optional<String> source() {
        return switch (this) {
            case Absent() -> Optional.empty();
            case Usable(var template, _) -> Optional.of(template.source());
            case Unusable(var text, _) -> Optional.of(text);
        };
    }

    /** Why conversations are refused, to follow the model's name; empty if they are not. */
    default Optional<String> refusal() {
        return switch (this) {
            case Absent() -> Optional.of("brings no chat template");
            case Usable _ -> Optional.empty();
            case Unusable(_, var why) ->
                    Optional.of(
                            "has a chat template that cannot be used (" + why.getMessage() + ")");
        };
    }
}
