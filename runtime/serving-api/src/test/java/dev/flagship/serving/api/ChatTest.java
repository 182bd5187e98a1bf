package dev.flagship.serving.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

final class ChatTest {

    /** Answers with the number of messages that it was shown, a piece at a time. */
    private static final class Counting implements ChatModel {
        final List<ChatRequest> requests = new ArrayList<>();
        int closed;
        FinishReason end = FinishReason.STOP;
        Optional<RequestException> refusal = Optional.empty();

        @Override
        public ModelInfo info() {
            var sampling = Sampling.at(0.5f, 0);
            return new ModelInfo(
                    "fake",
                    "fake",
                    1,
                    1,
                    1,
                    "exact",
                    "none",
                    1,
                    "f32",
                    1,
                    1,
                    sampling,
                    Instant.MIN);
        }

        @Override
        public Optional<String> failure() {
            return Optional.empty();
        }

        @Override
        public List<Generation> generate(ChatRequest request, int choices) {
            refusal.ifPresent(refused -> {
                throw refused;
            });
            requests.add(request);
            var messages = ((Prompt.Conversation) request.prompt()).messages();
            Queue<Event> events = new ArrayDeque<>();
            events.add(new Event.Started(1));
            events.add(new Event.Text("I saw ", List.of()));
            events.add(new Event.Text("", List.of()));
            events.add(new Event.Text(messages.size() + ".", List.of()));
            events.add(new Event.Finished(end, new Usage(1, 0, 1, 0, 0, 0), List.of("because")));
            return List.of(
                    new Generation() {
                        @Override
                        public Event next() {
                            return events.remove();
                        }

                        @Override
                        public void cancel() {}

                        @Override
                        public void close() {
                            closed++;
                        }
                    });
        }

        @Override
        public int[] ids(Prompt prompt) {
            throw new AssertionError("a chat counts nothing");
        }

        @Override
        public String text(int[] ids) {
            throw new AssertionError("a chat decodes nothing");
        }

        @Override
        public String spelling(int id) {
            throw new AssertionError("a chat spells nothing");
        }

        @Override
        public void close() {}
    }

    @Test
    void remembersWhatWasSaid() throws InterruptedException {
        var model = new Counting();
        var chat = new Chat(model, List.of(Message.system("Be brief.")), UnaryOperator.identity());
        assertThat(chat.say("One")).isEqualTo("I saw 2.");
        assertThat(chat.say("Two")).isEqualTo("I saw 4.");
        assertThat(chat.messages())
                .containsExactly(
                        Message.system("Be brief."),
                        Message.user("One"),
                        Message.assistant("I saw 2."),
                        Message.user("Two"),
                        Message.assistant("I saw 4."));
        assertThat(model.closed).isEqualTo(2);
    }

    @Test
    void samplesAsTheMakersRecommendWithANewSeedEachTime() throws InterruptedException {
        var model = new Counting();
        model.answer("One");
        model.answer("One");
        assertThat(model.requests)
                .extracting(request -> request.sampling().withSeed(0))
                .containsOnly(model.info().sampling());
        assertThat(model.requests.getFirst().sampling().seed())
                .isNotEqualTo(model.requests.getLast().sampling().seed());
    }

    @Test
    void takesSettingsOfOnesOwn() throws InterruptedException {
        var model = new Counting();
        var chat =
                new Chat(
                        model,
                        List.of(),
                        r ->
                                r.withMaxTokens(7)
                                        .withSampling(Sampling.greedy())
                                        .withStop(List.of("\n")));
        chat.say("One");
        ChatRequest request = model.requests.getFirst();
        assertThat(request.maxTokens()).hasValue(7);
        assertThat(request.sampling()).isEqualTo(Sampling.greedy());
        assertThat(request.stop()).containsExactly("\n");
    }

    @Test
    void givesPiecesAsTheyComeAndTellsTheEnd() throws InterruptedException {
        var model = new Counting();
        model.end = FinishReason.LENGTH;
        List<String> pieces = new ArrayList<>();
        Event.Finished end = new Chat(model).say("One", pieces::add);
        assertThat(pieces).containsExactly("I saw ", "1.");
        assertThat(end.reason()).isEqualTo(FinishReason.LENGTH);
    }

    @Test
    void whoThrowsStopsTheAnswerAndKeepsItsBeginning() {
        var model = new Counting();
        var chat = new Chat(model);
        assertThatThrownBy(() ->
                        chat.say(
                                "One",
                                _ -> {
                                    throw new IllegalStateException("enough");
                                }))
                .hasMessage("enough");
        assertThat(model.closed).isEqualTo(1);
        assertThat(chat.messages())
                .containsExactly(Message.user("One"), Message.assistant("I saw "));
    }

    @Test
    void aRefusedMessageIsForgotten() {
        var model = new Counting();
        model.refusal = Optional.of(RequestException.overloaded("busy"));
        var chat = new Chat(model);
        assertThatThrownBy(() -> chat.say("One")).hasMessage("busy");
        assertThat(chat.messages()).isEmpty();
    }

    @Test
    void aWholeAnswerIsNeverHalfOne() {
        var model = new Counting();
        model.end = FinishReason.ERROR;
        assertThatThrownBy(() -> model.answer("One"))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining("because");
        model.end = FinishReason.CANCELLED;
        assertThatThrownBy(() -> model.answer("One"))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining("closed");
    }
}
