package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.serving.RunningLoop.Answer;
import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.Event;
import dev.flagship.serving.api.FinishReason;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.Sampling;
import dev.flagship.serving.api.TokenLogprob;
import dev.flagship.testing.Seed;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What a caller sees of ids that arrive one byte at a time. */
class TextGenerationTest {

    private static Job job(List<String> stop, OptionalInt topLogprobs) {
        var request =
                new ChatRequest(
                        new Prompt.Raw("x"),
                        Sampling.greedy(),
                        OptionalInt.of(100),
                        stop,
                        topLogprobs);
        return new Job(request, new int[] {'x'}, 100, false, new SharedPrompt(1));
    }

    private static TextGeneration generation(Job job) {
        return new TextGeneration(job, new ByteTokens(), Set.of(ByteTokens.END));
    }

    private static void tell(Job job, int... ids) {
        for (int id : ids) {
            job.news.add(new Job.News.Token(id, -1, List.of(new Job.Alternative(7, -2))));
        }
    }

    private static void end(Job job, FinishReason reason) {
        job.news.add(new Job.News.End(reason, List.of("a warning")));
    }

    @Test
    void startsTellsAndFinishesInThisOrder() throws Exception {
        Job job = job(List.of(), OptionalInt.empty());
        tell(job, 'h', 'i', ByteTokens.END);
        end(job, FinishReason.STOP);
        try (var generation = generation(job)) {
            assertThat(generation.next()).isEqualTo(new Event.Started(1));
            assertThat(generation.next()).isEqualTo(new Event.Text("h", List.of()));
            assertThat(generation.next()).isEqualTo(new Event.Text("i", List.of()));
            assertThat(generation.next())
                    .isInstanceOfSatisfying(
                            Event.Finished.class,
                            e -> {
                                assertThat(e.reason()).isEqualTo(FinishReason.STOP);
                                assertThat(e.usage().promptTokens()).isEqualTo(1);
                                assertThat(e.usage().completionTokens()).isEqualTo(3);
                                assertThat(e.usage().totalTokens()).isEqualTo(4);
                                assertThat(e.warnings()).containsExactly("a warning");
                            });
            assertThatThrownBy(generation::next).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void charactersComeWhole() throws Exception {
        String text = "aä€😀z";
        Job job = job(List.of(), OptionalInt.empty());
        tell(job, ByteTokens.ids(text));
        end(job, FinishReason.LENGTH);
        StringBuilder joined = new StringBuilder();
        try (var generation = generation(job)) {
            Event event = generation.next();
            while (!(event instanceof Event.Finished)) {
                if (event instanceof Event.Text(String piece, var _)) {
                    assertThat(piece.codePoints())
                            .isNotEmpty()
                            .allMatch(c -> c < 0xD800 || c > 0xDFFF);
                    joined.append(piece);
                }
                event = generation.next();
            }
        }
        assertThat(joined.toString()).isEqualTo(text);
    }

    @Test
    void anUnfinishedCharacterIsReplacedAtTheEnd() throws Exception {
        Job job = job(List.of(), OptionalInt.empty());
        tell(job, 'a', 0xE2, 0x82);
        end(job, FinishReason.LENGTH);
        assertThat(Answer.of(generation(job)).text()).isEqualTo("a\uFFFD");
    }

    @Test
    void aStopStringOfWideCharactersIsFoundAndItsJobCancelled() throws Exception {
        Job job = job(List.of("€😀"), OptionalInt.empty());
        tell(job, ByteTokens.ids("a€€😀b"));
        try (var generation = generation(job)) {
            Answer answer = Answer.of(generation);
            assertThat(answer.text()).isEqualTo("a€");
            assertThat(answer.end().reason()).isEqualTo(FinishReason.STOP);
            assertThat(job.cancelled).as("before anybody closes it").isTrue();
        }
    }

    @Test
    void heldBackTextComesWithTheEnd() throws Exception {
        Job job = job(List.of("stop"), OptionalInt.empty());
        tell(job, ByteTokens.ids("a sto"));
        end(job, FinishReason.LENGTH);
        assertThat(Answer.of(generation(job)).text()).isEqualTo("a sto");
    }

    @Test
    void aStopThatOnlyTheLastReplacementCompletesStillStops() throws Exception {
        Job job = job(List.of("\uFFFD"), OptionalInt.empty());
        tell(job, 'a', 0xE2);
        end(job, FinishReason.LENGTH);
        assertThat(Answer.of(generation(job)).text()).isEqualTo("a");
    }

    @Test
    void everyTokenIsToldOnceWithItsLogprob() throws Exception {
        Seed seed = Seed.given();
        Random random = seed.random();
        for (int round = 0; round < 200; round++) {
            Job job = job(List.of("ab", "€"), OptionalInt.of(1));
            int[] ids = ByteTokens.ids(random.nextBoolean() ? "a€" : "aaxa\u00e4a");
            tell(job, ids);
            end(job, FinishReason.LENGTH);
            List<TokenLogprob> told = Answer.of(generation(job)).tokens();
            assertThat(told.stream().mapToInt(TokenLogprob::id))
                    .as("%s", seed)
                    .containsExactly(box(ids));
            assertThat(told)
                    .allSatisfy(t -> {
                        assertThat(t.logprob()).isEqualTo(-1);
                        assertThat(t.bytes()).containsExactly(t.id());
                        assertThat(t.top())
                                .singleElement()
                                .satisfies(top -> {
                                    assertThat(top.id()).isEqualTo(7);
                                    assertThat(top.logprob()).isEqualTo(-2);
                                });
                    });
        }
    }

    private static Integer[] box(int[] ids) {
        return Arrays.stream(ids).boxed().toArray(Integer[]::new);
    }

    @Test
    void idsBeyondTheTokenizerAreNoText() throws Exception {
        Job job = job(List.of(), OptionalInt.of(1));
        tell(job, 'a', 300, 'b');
        job.news.add(new Job.News.Token('c', -1, List.of(new Job.Alternative(301, -2))));
        end(job, FinishReason.LENGTH);
        Answer answer = Answer.of(generation(job));
        assertThat(answer.text()).isEqualTo("abc");
        assertThat(answer.ids()).containsExactly('a', 300, 'b', 'c');
        assertThat(answer.tokens().get(1).bytes()).isEmpty();
    }

    @Test
    void timesAreThoseOfTheModelAndNotOfASlowReader() throws Exception {
        Job job = job(List.of(), OptionalInt.empty());
        job.firstStep = job.accepted + 100;
        job.firstToken = job.accepted + 300;
        job.ended = job.accepted + 700;
        tell(job, 'a');
        end(job, FinishReason.LENGTH);
        var usage = Answer.of(generation(job)).end().usage();
        assertThat(usage.queuedNanos()).isEqualTo(100);
        assertThat(usage.prefillNanos()).isEqualTo(200);
        assertThat(usage.decodeNanos()).isEqualTo(400);
    }

    private static Answer told(Prompt prompt, boolean logprobs, String ids, String answer)
            throws InterruptedException {
        var request =
                new ChatRequest(
                        prompt,
                        Sampling.greedy(),
                        OptionalInt.of(100),
                        List.of("ab"),
                        logprobs ? OptionalInt.of(0) : OptionalInt.empty(),
                        ChatRequest.Echo.PROMPT);
        int[] given = ByteTokens.ids(ids);
        Job job = new Job(request, given, 100, false, new SharedPrompt(1));
        if (logprobs) {
            for (int id : given) {
                job.news.add(new Job.News.PromptToken(id, -1, List.of()));
            }
        }
        tell(job, ByteTokens.ids(answer));
        tell(job, ByteTokens.END);
        end(job, FinishReason.STOP);
        return Answer.of(generation(job));
    }

    @Test
    void thePromptIsToldFirstAndEndsNothing() throws Exception {
        Answer answer = told(new Prompt.Raw("cab €"), false, "cab €", "x€aby");
        assertThat(answer.text()).isEqualTo("cab €x€");
        assertThat(answer.tokens()).isEmpty();
        Answer scored = told(new Prompt.Tokens(List.of()), true, "cab €", "x€aby");
        assertThat(scored.text()).isEqualTo("cab €x€");
    }

    /** In code points; a token of part of a character stands where that begins. */
    @Test
    void offsetsAreThoseOfTheToldText() throws Exception {
        Answer answer = told(new Prompt.Raw("a😀"), true, "a😀", "é!");
        assertThat(answer.tokens().stream().map(TokenLogprob::offset))
                .containsExactly(0, 1, 1, 1, 1, 2, 2, 3, 4); // the end token's is the last
        assertThat(answer.text()).isEqualTo("a😀é!");
    }

    /** An answer may end a character that a prompt of ids began. */
    @Test
    void promptOfIdsAndAnswerAreOneText() throws Exception {
        var request =
                new ChatRequest(
                        new Prompt.Tokens(List.of()),
                        Sampling.greedy(),
                        OptionalInt.of(100),
                        List.of(),
                        OptionalInt.empty(),
                        ChatRequest.Echo.PROMPT);
        int[] euro = ByteTokens.ids("€");
        Job job = new Job(request, new int[] {'a', euro[0]}, 100, false, new SharedPrompt(1));
        tell(job, euro[1], euro[2]);
        end(job, FinishReason.LENGTH);
        assertThat(Answer.of(generation(job)).text()).isEqualTo("a€");
    }

    @Test
    void anInterruptedCallerStopsWaiting() throws Exception {
        Job job = job(List.of(), OptionalInt.empty());
        try (var generation = generation(job)) {
            assertThat(generation.next()).isInstanceOf(Event.Started.class);
            Thread.currentThread().interrupt();
            assertThatThrownBy(generation::next).isInstanceOf(InterruptedException.class);
        }
        assertThat(job.cancelled).isTrue();
    }
}
