package dev.flagship.tokenizers;

import static dev.flagship.base.Check.check;

import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/**
 * A model's chat template: a bounded subset of Jinja 3.1, set up as Hugging Face's transformers
 * sets it up. One rendering takes at most 100,000 steps, nests at most 32 deep and writes at most
 * as much as the caller allows; templates reach template values and nothing else. Immutable and
 * safe for use from any thread.
 */
public final class ChatTemplate {
    private static final int LONGEST_SOURCE = 1 << 18;

    private final String source;
    private final List<TemplateSyntax.Statement> statements;

    private ChatTemplate(String source, List<TemplateSyntax.Statement> statements) {
        this.source = source;
        this.statements = statements;
    }

    /**
     * One turn of a conversation.
     *
     * @param role as the template knows it
     * @param content the text, verbatim
     */
    public record Turn(String role, String content) {}

    /**
     * Reads a template.
     *
     * @throws TemplateException if it has a mistake or uses a construct outside the subset; the
     *     message names line, construct and remedy
     */
    public static ChatTemplate parse(String source) {
        if (source.length() > LONGEST_SOURCE) {
            throw TemplateException.limit(
                    1, "%d characters of source, allowed are %d", source.length(), LONGEST_SOURCE);
        }
        return new ChatTemplate(source, TemplateParser.parse(source));
    }

    /** The text that it was read from. */
    public String source() {
        return source;
    }

    /**
     * Lays out a conversation and, if asked, the head of the answer. The variables are those that
     * transformers gives for a text conversation: {@code messages}, empty {@code tools} and {@code
     * documents}, {@code add_generation_prompt}, {@code bos_token} and {@code eos_token} where the
     * tokenizer has them.
     *
     * @param now what {@code strftime_now} tells
     * @param mostCharacters longest output
     * @throws TemplateException if the template refuses the conversation, fails, or does too much
     */
    public RenderedPrompt render(
            List<Turn> turns,
            boolean addGenerationPrompt,
            Tokenizer tokenizer,
            LocalDateTime now,
            int mostCharacters) {
        List<TemplateValue> messages = new ArrayList<>(turns.size());
        for (Turn turn : turns) {
            Map<String, TemplateValue> message = new LinkedHashMap<>();
            message.put("role", TemplateValue.of(turn.role()));
            message.put("content", TemplateValue.of(turn.content()));
            messages.add(TemplateValue.map(message));
        }
        Map<String, TemplateValue> variables = new LinkedHashMap<>();
        variables.put("messages", TemplateValue.list(messages));
        variables.put("tools", TemplateValue.none());
        variables.put("documents", TemplateValue.none());
        variables.put("add_generation_prompt", TemplateValue.of(addGenerationPrompt));
        putToken(variables, "bos_token", tokenizer, tokenizer.bos());
        putToken(variables, "eos_token", tokenizer, tokenizer.eos());
        return render(variables, now, mostCharacters);
    }

    private static void putToken(
            Map<String, TemplateValue> variables,
            String name,
            Tokenizer tokenizer,
            OptionalInt id) {
        if (id.isPresent()) {
            variables.put(name, TemplateValue.trusted(tokenizer.token(id.getAsInt())));
        }
    }

    /**
     * Renders with any variables, such as tools and tool calls.
     *
     * @param variables by name; only text made with {@link TemplateValue#trusted} may bring control
     *     tokens
     * @param now what {@code strftime_now} tells
     * @param mostCharacters longest output
     * @throws TemplateException if the template refuses the conversation, fails, or does too much
     */
    public RenderedPrompt render(
            Map<String, TemplateValue> variables, LocalDateTime now, int mostCharacters) {
        check(mostCharacters >= 0, "mostCharacters is %s, below 0", mostCharacters);
        TemplateInterpreter interpreter =
                new TemplateInterpreter(new TemplateBudget(mostCharacters), now);
        return new RenderedPrompt(interpreter.render(statements, variables));
    }
}
