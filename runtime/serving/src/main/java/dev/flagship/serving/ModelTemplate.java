package dev.flagship.serving;

import dev.flagship.tokenizers.ChatTemplate;
import dev.flagship.tokenizers.TemplateException;
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
    record Unusable(String text, TemplateException why) implements ModelTemplate {}

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

    /** The template as its makers wrote it. */
    default Optional<String> source() {
        return switch (this) {
            case Absent() -> Optional.empty();
            case Usable(var template) -> Optional.of(template.source());
            case Unusable(var text, _) -> Optional.of(text);
        };
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
