package dev.flagship.server;

import dev.flagship.http.EventStream;
import dev.flagship.http.Exchange;
import dev.flagship.serving.api.ChatModel;
import dev.flagship.serving.api.Event;
import dev.flagship.serving.api.RequestException;
import dev.flagship.serving.api.TokenLogprob;
import dev.flagship.serving.api.Usage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** {@code POST /v1/chat/completions}. */
final class ChatCompletions {
    private final Models models;
    private final Duration heartbeat;

    /**
     * @param heartbeat after so long without an event a stream shows a sign of life
     */
    ChatCompletions(Models models, Duration heartbeat) {
        this.models = models;
        this.heartbeat = heartbeat;
    }

    void handle(Exchange exchange) throws InterruptedException {
        ObjectNode body = Wire.read(exchange.body());
        ChatModel model = models.find(ChatCompletionRequest.model(body));
        var request = ChatCompletionRequest.of(body, model.info().sampling());
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

    private static void checkBiases(ChatCompletionRequest request, int vocabulary) {
        for (int id : request.chat().sampling().logitBias().keySet()) {
            if (id >= vocabulary) {
                throw ApiException.invalid(
                        "logit_bias",
                        "logit_bias names token %d; this model has %d tokens."
                                .formatted(id, vocabulary));
            }
        }
    }

    private static Choices start(ChatModel model, ChatCompletionRequest request) {
        try {
            return Choices.start(model, request);
        } catch (RequestException e) {
            throw ApiException.of(e);
        }
    }

    /** What a choice has said so far. */
    private static final class Answer {
        final StringBuilder text = new StringBuilder();
        final List<TokenLogprob> logprobs = new ArrayList<>();
        String reason = "";
    }

    private ObjectNode whole(
            Choices choices, CompletionWriter writer, ChatCompletionRequest request)
            throws InterruptedException {
        var answers = new ArrayList<Answer>();
        for (int i = 0; i < choices.count(); i++) {
            answers.add(new Answer());
        }
        var warnings = new ArrayList<>(request.warnings());
        var tally = new Tally(choices.count());
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
                    tally.add(end);
                }
            }
        }
        ObjectNode json = writer.completion(warnings);
        ArrayNode array = json.putArray("choices");
        boolean logprobs = request.chat().topLogprobs().isPresent();
        for (int i = 0; i < answers.size(); i++) {
            Answer answer = answers.get(i);
            CompletionWriter.addChoice(
                    array,
                    i,
                    answer.text.toString(),
                    logprobs ? CompletionWriter.logprobs(answer.logprobs) : null,
                    answer.reason);
        }
        return json.set("usage", tally.usage());
    }

    private void stream(
            Exchange exchange,
            Choices choices,
            CompletionWriter writer,
            ChatCompletionRequest request)
            throws InterruptedException {
        EventStream events = exchange.events(); // not closed on failure: a broken stream looks so
        var tally = new Tally(choices.count());
        while (tally.running()) {
            Choices.Heard heard = choices.next(heartbeat);
            if (heard == null) {
                events.comment("waiting");
                continue;
            }
            int choice = heard.choice();
            switch (heard.event()) {
                case Event.Started _ -> events.send(Wire.text(writer.roleChunk(choice)));
                case Event.Text text -> events.send(Wire.text(writer.textChunk(choice, text)));
                case Event.Finished end -> {
                    events.send(Wire.text(lastChunk(writer, choice, end, request)));
                    tally.add(end);
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
            CompletionWriter writer,
            int choice,
            Event.Finished end,
            ChatCompletionRequest request) {
        try {
            var warnings = new ArrayList<>(request.warnings());
            warnings.addAll(end.warnings());
            return writer.endChunk(choice, CompletionWriter.finishReason(end), warnings);
        } catch (ApiException e) {
            return writer.errorChunk(choice, e);
        }
    }

    /** Counts ends and tokens; the prompt counts once, however many choices it has. */
    private static final class Tally {
        private int running;
        private int promptTokens;
        private int cachedTokens;
        private int completionTokens;

        Tally(int choices) {
            running = choices;
        }

        boolean running() {
            return running > 0;
        }

        void add(Event.Finished end) {
            running--;
            Usage usage = end.usage();
            promptTokens = Math.max(promptTokens, usage.promptTokens());
            cachedTokens = Math.max(cachedTokens, usage.cachedTokens()); // 0 if it never began
            completionTokens += usage.completionTokens();
        }

        ObjectNode usage() {
            return CompletionWriter.usage(promptTokens, cachedTokens, completionTokens);
        }
    }
}
