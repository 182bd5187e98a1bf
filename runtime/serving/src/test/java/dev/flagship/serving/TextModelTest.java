package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.serving.RunningLoop.Answer;
import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.Event;
import dev.flagship.serving.api.FinishReason;
import dev.flagship.serving.api.Generation;
import dev.flagship.serving.api.Message;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.RequestException;
import dev.flagship.serving.api.Sampling;
import dev.flagship.tensor.MemoryLedger;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A model as programs see it. */
@Timeout(60)
class TextModelTest {
    private static final int END = 1;

    @TempDir Path temp;

    private TextModel open(int context) throws IOException {
        return open(TinyModels.roomy(temp), context);
    }

    private static TextModel open(Path path, int context) throws IOException {
        LoadOptions options =
                LoadOptions.of("tiny").withKernels("vector").withThreads(1).withContext(context);
        return TextModel.open(path, options, LoadListener.SILENT);
    }

    private static Sampling endless(float temperature, long seed) {
        return new Sampling(temperature, 0, 1, 0, 1, 0, 0, Map.of(END, -100f), seed);
    }

    private static ChatRequest tokens(int count, OptionalInt maxTokens, String... stop) {
        return new ChatRequest(
                new Prompt.Tokens(Collections.nCopies(count, 5)),
                endless(0, 0),
                maxTokens,
                List.of(stop),
                OptionalInt.empty());
    }

    private static ChatRequest raw(String text) {
        return new ChatRequest(
                new Prompt.Raw(text),
                endless(0, 0),
                OptionalInt.of(4),
                List.of(),
                OptionalInt.empty());
    }

    private static RequestException refused(TextModel model, ChatRequest request) {
        RequestException refusal =
                catchThrowableOfType(RequestException.class, () -> model.generate(request));
        assertThat(refusal).isNotNull();
        assertThat(refusal.clientSafe()).isTrue();
        return refusal;
    }

    @Test
    void scoresAreToldUpToALimit() throws Exception {
        try (TextModel model = open(8192)) {
            ChatRequest most = // 8192 · 16 · 8 values
                    new ChatRequest(
                            tokens(8192, OptionalInt.empty()).prompt(),
                            Sampling.greedy(),
                            OptionalInt.of(0),
                            List.of(),
                            OptionalInt.of(15),
                            ChatRequest.Echo.PROMPT);
            model.generate(most, 8).forEach(Generation::close);
            RequestException refusal =
                    catchThrowableOfType(RequestException.class, () -> model.generate(most, 9));
            assertThat(refusal.code()).isEqualTo("too_many_logprobs");
            assertThat(refusal).hasMessageContainingAll("8192", "15", "9 choices", "1048576");
        }
    }

    @Test
    void whatDoesNotFitIsRefusedAndNeverCut() throws Exception {
        try (TextModel model = open(64)) {
            assertThat(refused(model, tokens(64, OptionalInt.empty())))
                    .hasMessageContainingAll("64 tokens", "holds 64")
                    .extracting(RequestException::code)
                    .isEqualTo("context_length_exceeded");
            assertThat(refused(model, tokens(60, OptionalInt.of(5))))
                    .hasMessageContainingAll("60 tokens", "5 more", "holds 64")
                    .extracting(RequestException::code)
                    .isEqualTo("context_length_exceeded");
            assertThat(refused(model, raw("a".repeat(64 * 16 + 1))).code())
                    .isEqualTo("context_length_exceeded");
            assertThat(refused(model, raw("a".repeat(65))).code())
                    .isEqualTo("context_length_exceeded");

            Answer most = Answer.of(model.generate(tokens(60, OptionalInt.of(4))));
            assertThat(most.end().usage().promptTokens()).isEqualTo(60);
            assertThat(most.end().usage().completionTokens()).isEqualTo(4);
            Answer open = Answer.of(model.generate(tokens(63, OptionalInt.empty())));
            assertThat(open.end().usage().completionTokens()).isEqualTo(1);
            assertThat(open.end().reason()).isEqualTo(FinishReason.LENGTH);
            assertThat(open.end().warnings()).isEmpty();
        }
    }

    @Test
    void promptsThatCannotBeLaidOutAreRefused() throws Exception {
        try (TextModel model = open(64)) {
            assertThat(refused(model, tokens(0, OptionalInt.empty())).code())
                    .isEqualTo("invalid_prompt");
            assertThat(refused(model, raw("")).code()).isEqualTo("invalid_prompt");
            for (int id : new int[] {-1, 48, Integer.MAX_VALUE}) {
                ChatRequest request =
                        new ChatRequest(
                                new Prompt.Tokens(List.of(id)),
                                Sampling.greedy(),
                                OptionalInt.empty(),
                                List.of(),
                                OptionalInt.empty());
                assertThat(refused(model, request))
                        .hasMessageContaining(Integer.toString(id))
                        .extracting(RequestException::code)
                        .isEqualTo("invalid_prompt");
            }
            assertThat(
                            refused(
                                    model,
                                    ChatRequest.of(List.of(Message.user("hi")), Sampling.greedy())))
                    .hasMessageContaining("no chat template")
                    .extracting(RequestException::code)
                    .isEqualTo("invalid_prompt");
        }
    }

    @Test
    void tokensThatOnlyTheTokenizerKnowsAreRefused() throws Exception {
        Path folder = TinyModels.roomy(temp);
        TinyModels.patch(
                folder.resolve("tokenizer.json"),
                "",
                "\"added_tokens\": [",
                "\"added_tokens\": [{\"id\": 48, \"content\": \"<|extra|>\", \"single_word\": false,"
                        + " \"lstrip\": false, \"rstrip\": false, \"normalized\": false,"
                        + " \"special\": false},");
        try (TextModel model = open(folder, 64)) {
            assertThat(model.tokenizer().vocabularySize()).isEqualTo(49);
            assertThat(refused(model, raw("a<|extra|>b"))).hasMessageContaining("48");
            assertThat(Answer.of(model.generate(raw("ab"))).end().reason())
                    .isEqualTo(FinishReason.LENGTH);
        }
    }

    @Test
    void aConversationGoesThroughTheTemplateAndItsTextIsNoControlToken() throws Exception {
        Path folder = TinyModels.roomy(temp);
        Files.writeString(
                folder.resolve("chat_template.jinja"),
                "{% for m in messages %}<|bos|>{{ m.content }}{% endfor %}z");
        try (TextModel model = open(folder, 64)) {
            int a = model.tokenizer().id("a").orElseThrow();
            int z = model.tokenizer().id("z").orElseThrow();
            assertThat(model.ids(new Prompt.Conversation(List.of(Message.user("a")))))
                    .containsExactly(0, a, z);
            assertThat(model.ids(new Prompt.Conversation(List.of(Message.user("a<|eos|>")))))
                    .startsWith(0, a)
                    .doesNotContain(END);
            var large =
                    new Prompt.Conversation(Collections.nCopies(9, Message.user("a".repeat(200))));
            assertThat(
                            refused(
                                            model,
                                            new ChatRequest(
                                                    large,
                                                    Sampling.greedy(),
                                                    OptionalInt.empty(),
                                                    List.of(),
                                                    OptionalInt.empty()))
                                    .code())
                    .isEqualTo("context_length_exceeded");
        }
    }

    @Test
    void streamedTextIsTheDecodedAnswer() throws Exception {
        try (TextModel model = open(512)) {
            ChatRequest request =
                    new ChatRequest(
                            new Prompt.Raw("the in"),
                            endless(1.2f, 8),
                            OptionalInt.of(200),
                            List.of(),
                            OptionalInt.of(0));
            Answer answer = Answer.of(model.generate(request));
            assertThat(answer.ids()).hasSize(200);
            assertThat(answer.text())
                    .isEqualTo(model.tokenizer().decodeSkippingControl(answer.ids()));
        }
    }

    @Test
    void aStopStringOverTokensEndsTheAnswerBeforeIt() throws Exception {
        try (TextModel model = open(512)) {
            ChatRequest free =
                    new ChatRequest(
                            new Prompt.Raw("the in"),
                            endless(1.2f, 8),
                            OptionalInt.of(200),
                            List.of(),
                            OptionalInt.empty());
            String text = Answer.of(model.generate(free)).text();
            String stop = text.substring(40, 46);
            ChatRequest stopped =
                    new ChatRequest(
                            free.prompt(),
                            free.sampling(),
                            free.maxTokens(),
                            List.of("never", stop),
                            OptionalInt.empty());
            Answer answer = Answer.of(model.generate(stopped));
            assertThat(answer.text()).isEqualTo(text.substring(0, text.indexOf(stop)));
            assertThat(answer.end().reason()).isEqualTo(FinishReason.STOP);
        }
    }

    @Test
    void logprobsAreThoseOfTheUnmodifiedLogits() throws Exception {
        Path folder = TinyModels.roomy(temp);
        LoadOptions options =
                LoadOptions.of("tiny").withKernels("vector").withThreads(1).withContext(64);
        try (TextModel model = open(folder, 64);
                LoadedModel bare = LoadedModel.load(folder, options, LoadListener.SILENT)) {
            for (Sampling sampling :
                    List.of(
                            Sampling.greedy(),
                            Sampling.at(2, 5),
                            new Sampling(
                                    0.5f,
                                    5,
                                    0.9f,
                                    0.1f,
                                    1.5f,
                                    1,
                                    1,
                                    Map.of(7, 50f, END, -50f),
                                    5))) {
                ChatRequest request =
                        new ChatRequest(
                                new Prompt.Tokens(List.of(9, 8, 7)),
                                sampling,
                                OptionalInt.of(12),
                                List.of(),
                                OptionalInt.of(3));
                Answer answer = Answer.of(model.generate(request));
                try (Passes passes = Passes.of(bare)) {
                    float[] logits = passes.forward(9, 8, 7).getLast();
                    for (var token : answer.tokens()) {
                        double[] expected = logSoftmax(logits);
                        assertThat((double) token.logprob())
                                .isCloseTo(expected[token.id()], within());
                        assertThat(token.top())
                                .hasSize(3)
                                .allSatisfy(t ->
                                        assertThat((double) t.logprob())
                                                .isCloseTo(expected[t.id()], within()));
                        assertThat((double) token.top().getFirst().logprob())
                                .isCloseTo(max(expected), within());
                        logits = passes.forward(token.id()).getLast();
                    }
                }
            }
        }
    }

    private static Offset<Double> within() {
        return Offset.offset(1e-5);
    }

    private static double[] logSoftmax(float[] logits) {
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit);
        }
        double[] out = new double[logits.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = logits[i] - Math.log(sum);
        }
        return out;
    }

    private static double max(double[] values) {
        return Arrays.stream(values).max().orElseThrow();
    }

    @Test
    void quantisedAnswersInFastNumericsDoNotDependOnTheirCompany() throws Exception {
        for (String name : TinyModels.GGUF_ONLY) {
            Path folder = Files.createDirectory(temp.resolve(name));
            try (TextModel model = open(TinyModels.gguf(name, folder), 256)) {
                assertThat(model.info().numerics()).isEqualTo("fast");
                List<ChatRequest> requests = new ArrayList<>();
                for (int i = 0; i < 8; i++) {
                    requests.add(
                            new ChatRequest(
                                    new Prompt.Tokens(Collections.nCopies(1 + 2 * i, 5 + i)),
                                    endless(i % 2, i),
                                    OptionalInt.of(12),
                                    List.of(),
                                    OptionalInt.of(2)));
                }
                List<Answer> alone = new ArrayList<>();
                for (ChatRequest request : requests) {
                    alone.add(Answer.of(model.generate(request)));
                }
                List<Generation> together = new ArrayList<>();
                requests.forEach(request -> together.add(model.generate(request)));
                for (int i = 0; i < together.size(); i++) {
                    assertThat(Answer.of(together.get(i)).tokens())
                            .as("%s, %s", name, i)
                            .isEqualTo(alone.get(i).tokens());
                }
            }
        }
    }

    @Test
    void choicesAreTheAnswersToRequestsWithTheirSeeds() throws Exception {
        try (TextModel model = open(512)) {
            ChatRequest request =
                    new ChatRequest(
                            new Prompt.Raw("the in"),
                            endless(1.2f, Long.MAX_VALUE),
                            OptionalInt.of(40),
                            List.of(),
                            OptionalInt.of(2));
            List<Generation> choices = model.generate(request, 3);
            for (int i = 0; i < 3; i++) {
                assertThat(Answer.of(choices.get(i)).tokens())
                        .isEqualTo(Answer.of(model.generate(request.choice(i))).tokens());
            }
            for (int count : new int[] {0, -1, 65}) {
                assertThat(catchThrowable(() -> model.generate(request, count)))
                        .isInstanceOf(InvalidArgumentException.class);
            }
            assertThat(model.failure()).isEmpty();
        }
    }

    /** Choices wait together or are refused together. */
    @Test
    void choicesThatCannotAllWaitAreRefusedBeforeTheirPromptIsEncoded() throws Exception {
        try (TextModel model = open(8192)) {
            List<Generation> accepted = new ArrayList<>();
            int full = 0;
            while (full < 50) { // running ones leave the queue, at first
                try {
                    accepted.addAll(model.generate(tokens(1, OptionalInt.of(8000)), 33));
                } catch (RequestException e) {
                    assertThat(e.code()).isEqualTo("overloaded");
                    full++;
                    Thread.sleep(1);
                }
            }
            assertThat(accepted.size() % 33).isZero();
            // Half a character: encoding it is an error, but nobody gets so far.
            assertThat(catchThrowable(() -> model.generate(raw("\uD800"), 64)))
                    .isInstanceOfSatisfying(
                            RequestException.class,
                            e -> assertThat(e.code()).isEqualTo("overloaded"));
            accepted.forEach(Generation::close);
        }
    }

    @Test
    void aFullQueueRefusesAndRecovers() throws Exception {
        try (TextModel model = open(8192)) {
            List<Generation> accepted = new ArrayList<>();
            List<RequestException> refusals = new ArrayList<>();
            for (int i = 0; i < 300; i++) {
                try {
                    accepted.add(model.generate(tokens(1, OptionalInt.of(900))));
                } catch (RequestException e) {
                    refusals.add(e);
                }
            }
            assertThat(refusals)
                    .isNotEmpty()
                    .allSatisfy(e -> assertThat(e.code()).isEqualTo("overloaded"));
            assertThat(accepted).hasSizeBetween(64, 150);
            accepted.forEach(Generation::close);
            for (Generation each : accepted) {
                assertThat(Answer.of(each).end().reason()).isEqualTo(FinishReason.CANCELLED);
            }
            assertThat(Answer.of(model.generate(tokens(1, OptionalInt.of(3)))).end().reason())
                    .isEqualTo(FinishReason.LENGTH);
        }
    }

    @Test
    void closingCancelsAndFreesAndRefuses() throws Exception {
        long arenas = MemoryLedger.arenas();
        long bytes = MemoryLedger.bytes();
        TextModel model = open(8192);
        List<Generation> running = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            running.add(model.generate(tokens(3, OptionalInt.of(4000))));
        }
        running.getFirst().next();
        running.getFirst().next(); // the first text: it runs
        model.close();
        for (Generation each : running) {
            assertThat(Answer.of(each).end().reason()).isEqualTo(FinishReason.CANCELLED);
        }
        assertThat(MemoryLedger.arenas()).isEqualTo(arenas);
        assertThat(MemoryLedger.bytes()).isEqualTo(bytes);
        assertThat(ModelThreads.alive()).isEmpty();
        assertThat(refused(model, tokens(3, OptionalInt.empty())).code()).isEqualTo("model_closed");
        model.close();
    }

    @Test
    void closingWhileOthersAskLeavesNobodyWaiting() throws Exception {
        for (int round = 0; round < 20; round++) {
            TextModel model = open(TinyModels.roomy(temp.resolve("round" + round)), 64);
            Callable<FinishReason> client =
                    () -> {
                        while (true) {
                            try {
                                var end =
                                        Answer.of(model.generate(tokens(2, OptionalInt.of(5))))
                                                .end();
                                if (end.reason() != FinishReason.LENGTH) {
                                    return end.reason();
                                }
                            } catch (RequestException e) {
                                assertThat(e.code()).isIn("model_closed", "overloaded");
                                return FinishReason.CANCELLED;
                            }
                        }
                    };
            try (var clients = Executors.newVirtualThreadPerTaskExecutor()) {
                List<Future<FinishReason>> asked = new ArrayList<>();
                for (int i = 0; i < 6; i++) {
                    asked.add(clients.submit(client));
                }
                Thread.sleep(ThreadLocalRandom.current().nextInt(10));
                model.close();
                for (Future<FinishReason> each : asked) {
                    assertThat(each.get()).isEqualTo(FinishReason.CANCELLED);
                }
            }
        }
    }

    @Test
    void aRequestThatWaitsToBeReadEndsWithTheModel() throws Exception {
        TextModel model = open(64);
        for (int i = 0; i < Runtime.getRuntime().availableProcessors(); i++) {
            assertThat(model.encoding.begin(Duration.ofHours(1))).isTrue();
        }
        try (var clients = Executors.newVirtualThreadPerTaskExecutor()) {
            var refusal = clients.submit(() -> refused(model, tokens(2, OptionalInt.of(5))));
            while (model.encoding.waiting() == 0) {
                Thread.sleep(1);
            }
            model.close();
            assertThat(refusal.get().code()).isEqualTo("model_closed");
        }
    }

    @Test
    void aRequestOfAnInterruptedThreadIsCancelled() throws Exception {
        try (TextModel model = open(64)) {
            Thread.currentThread().interrupt();
            var refusal = refused(model, tokens(2, OptionalInt.of(5)));
            assertThat(Thread.interrupted()).as("still interrupted").isTrue();
            assertThat(refusal.code()).isEqualTo("request_cancelled");
            assertThat(Answer.of(model.generate(tokens(2, OptionalInt.of(5)))).end().reason())
                    .isEqualTo(FinishReason.LENGTH);
        }
    }

    @Test
    void anInterruptedCloserClosesAllTheSame() throws Exception {
        long bytes = MemoryLedger.bytes();
        TextModel model = open(64);
        Thread.currentThread().interrupt();
        model.close();
        assertThat(Thread.interrupted()).isTrue();
        assertThat(MemoryLedger.bytes()).isEqualTo(bytes);
    }

    @Test
    void rawTextBeginsWithBosWhereTheModelWantsIt() throws Exception {
        String key = "tokenizer.ggml.add_bos_token";
        Path plain = TinyModels.gguf("llama", Files.createDirectory(temp.resolve("plain")));
        assertThat(rawIds(plain)).containsExactly(2, 3);

        Path said = TinyModels.gguf("llama", Files.createDirectory(temp.resolve("said")));
        TinyModels.patch(said, key, "\u0007\0\0\0\0", "\u0007\0\0\0\u0001");
        assertThat(rawIds(said)).containsExactly(0, 2, 3);

        Path silent = TinyModels.gguf("llama", Files.createDirectory(temp.resolve("silent")));
        TinyModels.patch(silent, key, "add_bos_token", "add_bos_tokes");
        assertThat(rawIds(silent)).containsExactly(2, 3);

        Path llama3 = TinyModels.gguf("llama", Files.createDirectory(temp.resolve("llama3")));
        asLlama3(llama3);
        assertThat(rawIds(llama3)).containsExactly(2, 3); // the key says no

        TinyModels.patch(llama3, key, "add_bos_token", "add_bos_tokes");
        assertThat(rawIds(llama3)).containsExactly(0, 2, 3);
    }

    /** Renames the pre-tokeniser; another string pays for the longer name, so that offsets stay. */
    private static void asLlama3(Path gguf) throws IOException {
        TinyModels.patch(
                gguf,
                "tokenizer.ggml.pre",
                "\u0005\0\0\0\0\0\0\0gpt-2",
                "\u0006\0\0\0\0\0\0\0llama3");
        TinyModels.patch(
                gguf,
                "",
                "\u0010\0\0\0\0\0\0\0llama.vocab_size",
                "\u000f\0\0\0\0\0\0\0llama.vocab_siz");
    }

    private static int[] rawIds(Path gguf) throws IOException {
        try (TextModel model = open(gguf, 64)) {
            return model.ids(new Prompt.Raw("ab"));
        }
    }

    @Test
    void factsAreThoseOfTheModel() throws Exception {
        try (TextModel model = open(128)) {
            var info = model.info();
            assertThat(info.id()).isEqualTo("tiny");
            assertThat(info.contextLength()).isEqualTo(128);
            assertThat(info.vocabularySize()).isEqualTo(48);
            assertThat(info.numerics()).isEqualTo("exact");
            assertThat(info.rung()).startsWith("vector-");
            assertThat(info.kvCache()).isEqualTo("f32");
            assertThat(info.kvBytesPerToken()).isEqualTo(2 * 2 * 16 * 4); // layers, k and v, F32
            assertThat(info.kvPoolBytes()).isEqualTo(128 * info.kvBytesPerToken());
            // embedding and head, two blocks, last norm
            int block = 64 * 64 * 2 + 2 * 16 * 64 + 3 * 96 * 64 + 2 * 64;
            assertThat(info.parameters()).isEqualTo(2 * 48 * 64 + 2 * block + 64);
            assertThat(info.weightBytes()).isGreaterThanOrEqualTo(4 * info.parameters());
        }
    }

    @Test
    void eventsKeepTheirOrder() throws Exception {
        try (TextModel model = open(64);
                Generation generation = model.generate(tokens(3, OptionalInt.of(5)))) {
            assertThat(generation.next()).isEqualTo(new Event.Started(3));
            Event event = generation.next();
            while (event instanceof Event.Text) {
                event = generation.next();
            }
            assertThat(event)
                    .isInstanceOfSatisfying(
                            Event.Finished.class,
                            end -> {
                                assertThat(end.usage().queuedNanos()).isNotNegative();
                                assertThat(end.usage().prefillNanos()).isPositive();
                                assertThat(end.usage().decodeNanos()).isPositive();
                            });
        }
    }
}
