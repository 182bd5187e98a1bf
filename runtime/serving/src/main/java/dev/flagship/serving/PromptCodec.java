package dev.flagship.serving;

import dev.flagship.base.FlagshipException;
import dev.flagship.base.Quoted;
import dev.flagship.serving.api.Message;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.RequestException;
import dev.flagship.tokenizers.ChatTemplate;
import dev.flagship.tokenizers.ControlTokens;
import dev.flagship.tokenizers.TemplateException;
import dev.flagship.tokenizers.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

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
     * Of a model whose weights nobody reads: texts may be longer than its context.
     *
     * @param model its name, for messages
     */
    public static PromptCodec of(String model, ModelSummary summary) {
        return new PromptCodec(
                model,
                summary.tokenizer(),
                summary.template(),
                Integer.MAX_VALUE,
                summary.architecture().vocabulary());
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

    /**
     * A token for people: its text in quotes, with what no screen shows and parts of characters
     * escaped as {@code \n} and {@code \xe2}; a control token as it is written, without quotes.
     *
     * @throws RequestException if the id is outside the vocabulary
     */
    public String shown(int id) {
        String spelling = spelling(id);
        if (spelling.isEmpty() || tokenizer.isSpecial(id)) {
            return Quoted.visible(spelling);
        }
        byte[] bytes = tokenizer.bytes(id);
        String text = new String(bytes, StandardCharsets.UTF_8);
        if (Arrays.equals(text.getBytes(StandardCharsets.UTF_8), bytes)) {
            return "\"" + Quoted.visible(escaped(text)) + "\"";
        }
        var shown = new StringBuilder();
        for (byte b : bytes) {
            boolean plain = b >= ' ' && b <= '~';
            shown.append(plain ? escaped("" + (char) b) : "\\x%02x".formatted(b & 0xFF));
        }
        return "\"" + shown + "\"";
    }

    /**
     * Tokens as one JSON object for programs, with the names of {@code POST /tokenize}.
     *
     * @param trained positions that the model was made for
     */
    public String json(int[] ids, int trained) {
        ObjectNode root =
                JsonMapper.shared()
                        .createObjectNode()
                        .put("count", ids.length)
                        .put("max_model_len", trained);
        ArrayNode tokens = root.putArray("tokens");
        ArrayNode spellings = root.putArray("token_strs");
        for (int id : ids) {
            tokens.add(id);
            spellings.add(spelling(id));
        }
        return root.toString();
    }

    /** Text as one JSON object for programs, with the name of {@code POST /detokenize}. */
    public static String json(String text) {
        return JsonMapper.shared().createObjectNode().put("prompt", text).toString();
    }

    private static String escaped(String text) {
        return text.replace("\\", "\\\\")
                .replace("\"", "\\\"")
                .replace("\n", "\\n")
                .replace("\t", "\\t")
                .replace("\r", "\\r");
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
