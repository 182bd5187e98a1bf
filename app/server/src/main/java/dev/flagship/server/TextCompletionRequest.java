package dev.flagship.server;

import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.ChatRequest.Echo;
import dev.flagship.serving.api.ModelInfo;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.Sampling;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.OptionalLong;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Reads bodies of {@code POST /v1/completions}, as OpenAI's API reference describes them, with
 * {@code add_special_tokens} and {@code return_tokens_as_token_ids} as vLLM names them. What cannot
 * be honoured is refused.
 */
final class TextCompletionRequest {
    private static final int USUAL_TOKENS = 16; // OpenAI's

    /** Choices of all prompts together: half of what can wait for a model. */
    private static final int MOST_CHOICES = 32;

    /** Values of scored prompts in one answer: some 300 bytes of the heap for each. */
    private static final int MOST_SCORES = 1 << 20;

    private static final int MOST_LOGPROBS = 20;

    /** Values for each place in a text, of all choices together: as many as a chat can ask for. */
    private static final int MOST_VALUES = 8 * (MOST_LOGPROBS + 1);

    private static final String PROMPT = "prompt";

    private TextCompletionRequest() {}

    /**
     * Reads a body.
     *
     * @throws ApiException 400 that names the parameter at fault
     */
    static CompletionRequest of(ObjectNode body, ModelInfo info) {
        var fields = new Fields(body, "");
        fields.string("model"); // found by it
        List<Prompt> prompts = prompts(fields, info.vocabularySize());
        boolean ids = prompts.stream().anyMatch(prompt -> prompt instanceof Prompt.Tokens);
        Sampling sampling = AnswerFields.sampling(fields, info.sampling());
        Echo echo = fields.flag("echo", false) ? Echo.PROMPT : Echo.NOTHING;
        OptionalInt maxTokens = OptionalInt.of(maxTokens(fields, echo));
        List<String> stop = AnswerFields.stop(fields);
        OptionalLong logprobs = fields.integer("logprobs", 0, MOST_LOGPROBS);
        OptionalInt topLogprobs =
                logprobs.isPresent()
                        ? OptionalInt.of((int) logprobs.getAsLong())
                        : OptionalInt.empty();
        TextForm form = form(fields, logprobs.isPresent());
        int n = AnswerFields.choices(fields);
        refuseRanking(fields, n);
        boundChoices(prompts.size(), n);
        boundAlternatives(prompts.size() * n, logprobs);
        if (echo == Echo.PROMPT && logprobs.isPresent()) {
            boundScores(prompts, n, logprobs.getAsLong());
        }
        boolean stream = fields.flag("stream", false);
        boolean includeUsage = AnswerFields.includeUsage(fields, stream);
        if (fields.string("suffix").filter(text -> !text.isEmpty()).isPresent()) {
            throw ApiException.unsupported(
                    "suffix",
                    "suffix is not supported by this server: its models continue texts, and fill no gaps in them.");
        }
        AnswerFields.labels(fields);
        fields.refuseOthers();
        return new CompletionRequest(
                prompts.stream()
                        .map(prompt ->
                                new ChatRequest(
                                        prompt, sampling, maxTokens, stop, topLogprobs, echo))
                        .toList(),
                n,
                stream,
                includeUsage,
                form,
                ids && body.path("add_special_tokens").asBoolean(false)
                        ? List.of("add_special_tokens has no effect on a prompt of ids.")
                        : List.of());
    }

    private static int maxTokens(Fields fields, Echo echo) {
        int most = (int) fields.integer("max_tokens", 0, Integer.MAX_VALUE).orElse(USUAL_TOKENS);
        if (most == 0 && echo == Echo.NOTHING) {
            throw ApiException.invalid(
                    "max_tokens", "max_tokens: 0 needs echo: true, or there is nothing to answer.");
        }
        return most;
    }

    private static TextForm form(Fields fields, boolean logprobs) {
        boolean ids = fields.flag("return_tokens_as_token_ids", false);
        if (ids && !logprobs) {
            throw ApiException.invalid(
                    "return_tokens_as_token_ids",
                    "return_tokens_as_token_ids needs logprobs, which are what tells tokens.");
        }
        return new TextForm(logprobs, ids ? TextForm.TokenNames.IDS : TextForm.TokenNames.TEXT);
    }

    private static void refuseRanking(Fields fields, int n) {
        OptionalLong best = fields.integer("best_of", 1, Integer.MAX_VALUE);
        if (best.isPresent() && best.getAsLong() < n) {
            throw ApiException.invalid(
                    "best_of",
                    "best_of is %d; it must be at least n, %d.".formatted(best.getAsLong(), n));
        }
        if (best.isPresent() && best.getAsLong() > n) {
            throw ApiException.unsupported(
                    "best_of",
                    "best_of above n is not supported by this server: it does not rank answers. Ask for n: %d with logprobs, and choose."
                            .formatted(best.getAsLong()));
        }
    }

    private static void boundChoices(int prompts, int n) {
        if ((long) prompts * n > MOST_CHOICES) {
            throw ApiException.invalid(
                    PROMPT,
                    "prompt has %d prompts, with n: %d for each; at most %d choices can be asked for at once."
                            .formatted(prompts, n, MOST_CHOICES));
        }
    }

    private static void boundAlternatives(int choices, OptionalLong logprobs) {
        long most = MOST_VALUES / choices - 1L;
        if (logprobs.isPresent() && logprobs.getAsLong() > most) {
            throw ApiException.invalid(
                    "logprobs",
                    "logprobs is %d; with %d choices it can be %d at most."
                            .formatted(logprobs.getAsLong(), choices, most));
        }
    }

    /**
     * For all prompts together what the model bounds for each, a token taken for four characters.
     */
    private static void boundScores(List<Prompt> prompts, int n, long logprobs) {
        long tokens =
                prompts.stream()
                        .mapToLong(prompt ->
                                switch (prompt) {
                                    case Prompt.Tokens(List<Integer> ids) -> ids.size();
                                    case Prompt.Raw raw -> raw.text().length() / 4;
                                    case Prompt.Conversation _ -> 0;
                                })
                        .sum();
        if (tokens * (logprobs + 1) * n > MOST_SCORES) {
            throw ApiException.invalid(
                    "logprobs",
                    "The prompts have about %d tokens together; with logprobs: %d and n: %d these are more values than the %d that are told at once. Send fewer prompts in a request, or ask for fewer logprobs."
                            .formatted(tokens, logprobs, n, MOST_SCORES));
        }
    }

    /** A text, an array of texts, an array of ids, or an array of arrays of ids. */
    private static List<Prompt> prompts(Fields fields, int vocabulary) {
        JsonNode node =
                fields.any(PROMPT)
                        .orElseThrow(() -> ApiException.missing(PROMPT, "prompt is required."));
        Prompt.Raw.Begin begin = AnswerFields.begin(fields);
        List<Prompt> prompts = new ArrayList<>();
        if (!(node instanceof ArrayNode array)) {
            prompts.add(text(node, PROMPT, begin));
        } else if (array.isEmpty()) {
            throw ApiException.invalid(PROMPT, "prompt is empty; it must hold a text or ids.");
        } else if (array.get(0).isNumber()) {
            prompts.add(new Prompt.Tokens(TokenIds.of(array, PROMPT, vocabulary)));
        } else {
            boundChoices(array.size(), 1);
            for (int i = 0; i < array.size(); i++) {
                String path = "prompt[" + i + "]";
                prompts.add(
                        array.get(i) instanceof ArrayNode ids
                                ? new Prompt.Tokens(TokenIds.of(ids, path, vocabulary))
                                : text(array.get(i), path, begin));
            }
        }
        return prompts;
    }

    private static Prompt text(JsonNode node, String path, Prompt.Raw.Begin begin) {
        if (!node.isString()) {
            throw ApiException.invalid(
                    path,
                    "%s must be a text or token ids, or an array of texts or of arrays of ids."
                            .formatted(path));
        }
        return new Prompt.Raw(Fields.text(node, path), begin);
    }
}
