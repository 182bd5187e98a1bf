package dev.flagship.server;

import dev.flagship.http.EventStream;
import dev.flagship.http.Exchange;
import dev.flagship.serving.api.ChatModel;
import dev.flagship.serving.api.Event;
import dev.flagship.serving.api.ModelInfo;
import dev.flagship.serving.api.RequestException;
import dev.flagship.serving.api.TokenLogprob;
import dev.flagship.serving.api.Usage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Answers completions of all kinds, whole or as streams. */
final class Completions {
    /** How a kind of completion is asked for. */
    private interface Kind {
        CompletionRequest read(ObjectNode body, ModelInfo model);
    }

    private final Models models;
    private final Duration heartbeat;

    /**
     * @param heartbeat after so long without an event a stream shows a sign of life
     */
    Completions(Models models, Duration heartbeat) {
        this.models = models;
        this.heartbeat = heartbeat;
    }

    /** {@code POST /v1/chat/completions}. */
    void chat(Exchange exchange) throws InterruptedException {
        answer(exchange, (body, model) -> ChatCompletionRequest.of(body, model.sampling()));
    }

    /** {@code POST /v1/completions}. */
    void text(Exchange exchange) throws InterruptedException {
        answer(exchange, TextCompletionRequest::of);
    }

    private void answer(Exchange exchange, Kind kind) throws InterruptedException {
        ObjectNode body = Wire.read(exchange.body());
        ChatModel model = models.find(CompletionRequest.model(body));
        CompletionRequest request = kind.read(body, model.info());
        checkBiases(request, model.info().vocabularySize());
        var writer = new CompletionWriter(model.info(), request);
        try (Choices choices = start(model, request)) {
            exchange.onClientGone(choices::cancel);
            if (request.stream()) {
                stream(exchange, choices, writer, request);
            } else {
                ObjectNode whole = whole(choices, writer, request);
                exchange.respond(200, Wire.JSON, Wire.bytes(whole));
            }
        }
    }

    private static void checkBiases(CompletionRequest request, int vocabulary) {
        for (int id : request.prompts().getFirst().sampling().logitBias().keySet()) {
            if (id >= vocabulary) {
                throw ApiException.invalid(
                        "logit_bias",
                        "logit_bias names token %d; this model has %d tokens."
                                .formatted(id, vocabulary));
            }
        }
    }

    private static Choices start(ChatModel model, CompletionRequest request) {
        try {
            return Choices.start(model, request);
        } catch (RequestException e) {
            throw ApiException.of(e, request.form().promptField());
        }
    }

    /** What a choice has said so far. */
    private static final class Answer {
        final StringBuilder text = new StringBuilder();
        final List<TokenLogprob> logprobs = new ArrayList<>();
        String reason = "";
    }

    private ObjectNode whole(Choices choices, CompletionWriter writer, CompletionRequest request)
            throws InterruptedException {
        var answers = new ArrayList<Answer>();
        for (int i = 0; i < choices.count(); i++) {
            answers.add(new Answer());
        }
        var warnings = new ArrayList<>(request.warnings());
        var tally = new Tally(request);
        while (tally.running()) {
            Choices.Heard heard = choices.next(heartbeat);
            if (heard == null) {
                continue; // a whole answer has no signs of life
            }
            Answer answer = answers.get(heard.choice());
            switch (heard.event()) {
                case Event.Started _ -> {}
                case Event.Text text -> {
                    answer.text.append(text.text());
                    answer.logprobs.addAll(text.tokens());
                }
                case Event.Finished end -> {
                    answer.reason = CompletionWriter.finishReason(end);
                    warnings.addAll(end.warnings());
                    tally.add(heard.choice(), end);
                }
            }
        }
        ObjectNode json = writer.completion(warnings);
        ArrayNode array = json.putArray("choices");
        for (int i = 0; i < answers.size(); i++) {
            Answer answer = answers.get(i);
            writer.addChoice(array, i, answer.text.toString(), answer.logprobs, answer.reason);
        }
        return json.set("usage", tally.usage());
    }

    private void stream(
            Exchange exchange, Choices choices, CompletionWriter writer, CompletionRequest request)
            throws InterruptedException {
        EventStream events = exchange.events(); // not closed on failure: a broken stream looks so
        var tally = new Tally(request);
        while (tally.running()) {
            Choices.Heard heard = choices.next(heartbeat);
            if (heard == null) {
                events.comment("waiting");
                continue;
            }
            int choice = heard.choice();
            switch (heard.event()) {
                case Event.Started _ ->
                        writer.openingChunk(choice)
                                .ifPresent(chunk -> events.send(Wire.text(chunk)));
                case Event.Text text -> events.send(Wire.text(writer.textChunk(choice, text)));
                case Event.Finished end -> {
                    events.send(Wire.text(lastChunk(writer, choice, end, request)));
                    tally.add(choice, end);
                }
            }
        }
        if (request.includeUsage()) {
            events.send(Wire.text(writer.usageChunk(tally.usage())));
        }
        events.send("[DONE]");
        events.close();
    }

    private static ObjectNode lastChunk(
            CompletionWriter writer, int choice, Event.Finished end, CompletionRequest request) {
        try {
            var warnings = new ArrayList<>(request.warnings());
            warnings.addAll(end.warnings());
            return writer.endChunk(choice, CompletionWriter.finishReason(end), warnings);
        } catch (ApiException e) {
            return writer.errorChunk(choice, e);
        }
    }

    /** Counts ends and tokens; a prompt counts once, however many choices it has. */
    private static final class Tally {
        private final int n;
        private final int[] promptTokens;
        private final int[] cachedTokens;
        private int running;
        private int completionTokens;

        Tally(CompletionRequest request) {
            n = request.n();
            running = request.choices();
            promptTokens = new int[request.prompts().size()];
            cachedTokens = new int[promptTokens.length];
        }

        boolean running() {
            return running > 0;
        }

        void add(int choice, Event.Finished end) {
            running--;
            Usage usage = end.usage();
            int prompt = choice / n;
            promptTokens[prompt] = Math.max(promptTokens[prompt], usage.promptTokens());
            // 0 if it never began
            cachedTokens[prompt] = Math.max(cachedTokens[prompt], usage.cachedTokens());
            completionTokens += usage.completionTokens();
        }

        ObjectNode usage() {
            return CompletionWriter.usage(
                    Arrays.stream(promptTokens).sum(),
                    Arrays.stream(cachedTokens).sum(),
                    completionTokens);
        }
    }
}
