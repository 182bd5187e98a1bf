package dev.flagship.serving;

import dev.flagship.base.FlagshipException;
import dev.flagship.serving.api.Message;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.RequestException;
import dev.flagship.tokenizers.ChatTemplate;
import dev.flagship.tokenizers.ControlTokens;
import dev.flagship.tokenizers.TemplateException;
import dev.flagship.tokenizers.Tokenizer;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a model's tokenizer and template make of prompts, and back; needs no weights. Safe for use
 * from any thread.
 */
public final class PromptCodec {
    /** Characters of a prompt that are looked at at all. */
    private static final long MOST_CHARACTERS = 1 << 26;

    private final String model;
    private final Tokenizer tokenizer;
    private final ModelTemplate template;
    private final int contextLength;
    private final int vocabularySize;

    /**
     * @param model its name, for messages
     * @param contextLength tokens beyond which a prompt cannot be of use
     * @param vocabularySize of the model; its tokenizer may know more tokens, or fewer
     */
    PromptCodec(
            String model,
            Tokenizer tokenizer,
            ModelTemplate template,
            int contextLength,
            int vocabularySize) {
        this.model = model;
        this.tokenizer = tokenizer;
        this.template = template;
        this.contextLength = contextLength;
        this.vocabularySize = vocabularySize;
    }

    /**
     * Ids of a prompt, as a generation would see them.
     *
     * @throws RequestException if it cannot be laid out or tokenised, or is far too long
     */
    public int[] ids(Prompt prompt) {
        try {
            return checked(
                    switch (prompt) {
                        case Prompt.Conversation c -> conversation(c.messages());
                        case Prompt.Raw raw -> raw(raw);
                        case Prompt.Tokens tokens ->
                                tokens.ids().stream().mapToInt(Integer::intValue).toArray();
                    });
        } catch (RequestException e) {
            throw e;
        } catch (FlagshipException e) {
            throw RequestException.invalidPrompt(e.getMessage(), e);
        }
    }

    private int[] conversation(List<Message> messages) {
        ModelTemplate.Usable usable = template();
        List<ChatTemplate.Turn> turns =
                messages.stream().map(m -> new ChatTemplate.Turn(m.role(), m.content())).toList();
        int most = mostCharacters();
        long characters = messages.stream().mapToLong(m -> m.content().length()).sum();
        if (characters > most) {
            throw RequestException.promptTooLong(characters, contextLength);
        }
        try {
            return tokenizer.encode(
                    usable.template()
                            .render(
                                    turns,
                                    true,
                                    tokenizer,
                                    LocalDateTime.now(ZoneId.systemDefault()),
                                    2 * most + 65_536));
        } catch (TemplateException e) {
            throw RequestException.invalidPrompt(usable.failure(e), e);
        }
    }

    private ModelTemplate.Usable template() {
        return switch (template) {
            case ModelTemplate.Usable usable -> usable;
            case ModelTemplate.Absent _ -> throw refused(null);
            case ModelTemplate.Unusable(_, var why) -> throw refused(why);
        };
    }

    private RequestException refused(@Nullable FlagshipException why) {
        return RequestException.invalidPrompt(
                "Model %s %s, so it cannot take a conversation. Load it with --chat-template FILE; for text alone there is flagship run --raw."
                        .formatted(model, template.refusal().orElseThrow()),
                why);
    }

    /**
     * Longer prompts are refused before they are encoded. They could not fit, but for white space
     * that added tokens take with them and characters that a normalizer puts together.
     */
    private int mostCharacters() {
        long most = (long) contextLength * tokenizer.longestToken();
        return Math.toIntExact(Math.min(most, MOST_CHARACTERS));
    }

    private int[] raw(Prompt.Raw raw) {
        String text = raw.text();
        if (text.length() > mostCharacters()) {
            throw RequestException.promptTooLong(text.length(), contextLength);
        }
        int[] ids = tokenizer.encode(text, ControlTokens.AS_TEXT);
        if (raw.begin() == Prompt.Raw.Begin.NOTHING || !tokenizer.addsBos()) {
            return ids;
        }
        int[] withBos = new int[ids.length + 1];
        withBos[0] = tokenizer.bos().orElseThrow();
        System.arraycopy(ids, 0, withBos, 1, ids.length);
        return withBos;
    }

    /** A tokenizer may know more tokens than the model has rows for. */
    private int[] checked(int[] ids) {
        for (int id : ids) {
            if (id < 0 || id >= vocabularySize) {
                throw outside(id, vocabularySize);
            }
        }
        return ids;
    }

    /**
     * Text of ids, control tokens spelled out.
     *
     * @throws RequestException if an id is outside the vocabulary
     */
    public String text(int[] ids) {
        for (int id : ids) {
            checkKnown(id);
        }
        return tokenizer.decode(ids);
    }

    /**
     * A token in the vocabulary's own spelling; empty where that has a gap.
     *
     * @throws RequestException if the id is outside the vocabulary
     */
    public String spelling(int id) {
        if (id >= tokenizer.vocabularySize() && id < vocabularySize) {
            return ""; // a row that pads the table of embeddings
        }
        checkKnown(id);
        return tokenizer.token(id);
    }

    private void checkKnown(int id) {
        if (id < 0 || id >= tokenizer.vocabularySize()) {
            throw outside(id, tokenizer.vocabularySize());
        }
    }

    private static RequestException outside(int id, int size) {
        return RequestException.invalidPrompt(
                "Token id %d is outside the vocabulary of %d.".formatted(id, size), null);
    }
}
