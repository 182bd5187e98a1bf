package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.serving.RunningLoop.Answer;
import dev.flagship.serving.RunningLoop.Answering;
import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.Event;
import dev.flagship.serving.api.FinishReason;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.Sampling;
import dev.flagship.serving.api.TokenLogprob;
import dev.flagship.tensor.MemoryLedger;
import dev.flagship.testing.Seed;
import java.io.IOException;
import java.io.Serial;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Many requests in one loop: equal answers, returned pages, contained failures. */
@Timeout(60)
class StepLoopTest {
    private static final int END = 1;
    private static final int VOCABULARY = 48;

    @TempDir Path temp;
    private Path folder;

    @BeforeEach
    void extract() throws IOException {
        folder = TinyModels.roomy(temp);
    }

    /** Never chooses the end token. */
    private static Sampling endless(float temperature, long seed) {
        return new Sampling(temperature, 0, 1, 0, 1, 0, 0, Map.of(END, -100f), seed);
    }

    private static RunningLoop held(Path folder, String rung, int pages) throws IOException {
        return RunningLoop.held(folder, rung, pages, new LinkedBlockingQueue<>());
    }

    private static int[] prompt(Random random, int length) {
        return random.ints(length, 0, VOCABULARY).toArray();
    }

    private record Given(List<Integer> prompt, Sampling sampling, int tokens) {
        Answering to(RunningLoop loop) {
            int[] ids = prompt.stream().mapToInt(Integer::intValue).toArray();
            return loop.submit(ids, sampling, tokens);
        }
    }

    @Test
    void answersDoNotDependOnTheirCompany() throws Exception {
        Seed seed = Seed.given();
        Random random = seed.random();
        List<Given> requests = new ArrayList<>();
        for (int length : new int[] {1, 15, 16, 17, 40, 100, 300, 700}) {
            float temperature = requests.size() % 2 == 0 ? 0 : 1.3f;
            requests.add(
                    new Given(
                            Arrays.stream(prompt(random, length)).boxed().toList(),
                            endless(temperature, random.nextLong()),
                            20 + random.nextInt(30)));
        }
        try (RunningLoop loop = RunningLoop.over(folder, "vector", 128)) {
            List<Answer> alone = new ArrayList<>();
            for (Given g : requests) {
                alone.add(g.to(loop).toEnd());
            }
            List<Answering> together = new ArrayList<>();
            for (Given g : requests.reversed()) {
                together.add(g.to(loop));
            }
            for (int i = 0; i < requests.size(); i++) {
                Answer expected = alone.get(i);
                Answer actual = together.get(requests.size() - 1 - i).toEnd();
                assertThat(actual.tokens()).as("%s, %s", seed, i).isEqualTo(expected.tokens());
                assertThat(actual.ids()).hasSize(requests.get(i).tokens);
                assertThat(actual.text()).isEqualTo(expected.text());
                assertThat(actual.end().reason()).isEqualTo(FinishReason.LENGTH);
            }
            assertThat(loop.cache.freePages()).isEqualTo(128);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {FaultyKernelsProvider.NAME, FaultyKernelsProvider.OVER_VECTOR})
    void aPromptInChunksGivesTheBitsOfOnePass(String rung) throws Exception {
        Seed seed = Seed.given();
        int[] prompt = prompt(seed.random(), 700);
        List<float[]> chunked = new CopyOnWriteArrayList<>(); // the logits as they were computed
        try (RunningLoop loop = RunningLoop.over(folder, rung, 64)) {
            loop.faulty()
                    .fault(logits -> {
                        if (logits.rows() > 0) {
                            chunked.add(logits.row(0));
                        }
                    });
            int[] answer = loop.submit(prompt, endless(0, 0), 12).toEnd().ids();
            loop.faulty().fault(null);
            assertThat(chunked).hasSize(12);
            try (Passes passes = Passes.of(loop.model)) {
                assertThat(passes.forward(prompt).getLast())
                        .as("%s", seed)
                        .isEqualTo(chunked.getFirst());
                for (int i = 1; i < answer.length; i++) {
                    assertThat(passes.forward(answer[i - 1]).getLast())
                            .as("%s, token %s", seed, i)
                            .isEqualTo(chunked.get(i));
                }
            }
        }
    }

    @Test
    void equalSeedsGiveEqualAnswersAndOthersDiffer() throws Exception {
        try (RunningLoop loop = RunningLoop.over(folder, "vector", 64)) {
            int[] prompt = {5, 6, 7};
            Answering a = loop.submit(prompt, endless(1, 11), 40);
            Answering b = loop.submit(prompt, endless(1, 11), 40);
            Answering c = loop.submit(prompt, endless(1, 12), 40);
            int[] first = a.toEnd().ids();
            assertThat(b.toEnd().ids()).isEqualTo(first);
            assertThat(c.toEnd().ids()).isNotEqualTo(first);
        }
    }

    @Test
    void anEndTokenEndsTheAnswerAndIsNoText() throws Exception {
        try (RunningLoop loop = RunningLoop.over(folder, "faulty", 16)) {
            AtomicInteger steps = new AtomicInteger();
            loop.faulty()
                    .fault(logits -> logits.set(0, steps.incrementAndGet() < 5 ? 2 : END, 1000f));
            Answer answer = loop.submit(new int[] {5}, Sampling.greedy(), 100).toEnd();
            assertThat(answer.text()).isEqualTo("aaaa");
            assertThat(answer.end().reason()).isEqualTo(FinishReason.STOP);
            assertThat(answer.end().usage().completionTokens()).isEqualTo(5);
            assertThat(answer.end().warnings()).isEmpty();
            assertThat(loop.cache.freePages()).isEqualTo(16);
        }
    }

    @Test
    void cancellingAtAnyPointReturnsThePages() throws Exception {
        Seed seed = Seed.given();
        Random random = seed.random();
        Map<FinishReason, Integer> ends = new HashMap<>();
        try (RunningLoop loop = RunningLoop.over(folder, "vector", 400)) {
            for (int round = 0; round < 100; round++) {
                List<Answering> running = new ArrayList<>();
                for (int i = 0; i < 5; i++) {
                    int[] prompt = prompt(random, 1 + random.nextInt(300));
                    running.addAll(
                            loop.submit(
                                    prompt,
                                    endless(1, random.nextLong()),
                                    300,
                                    random.nextBoolean(),
                                    1 + random.nextInt(3)));
                }
                for (Answering each : running) {
                    cancelAfter(each, random.nextInt(24));
                    ends.merge(each.toEnd().end().reason(), 1, Integer::sum);
                }
            }
            assertThat(loop.cache.freePages()).as("%s", seed).isEqualTo(400);
            assertThat(loop.submit(new int[] {3}, endless(0, 0), 3).toEnd().ids()).hasSize(3);
        }
        assertThat(ends.get(FinishReason.CANCELLED)).as("%s: %s", seed, ends).isGreaterThan(300);
        assertThat(ends.keySet()).isSubsetOf(FinishReason.CANCELLED, FinishReason.LENGTH);
    }

    /** Cancels after some events, so that the end is still unread. */
    private static void cancelAfter(Answering answering, int events) throws InterruptedException {
        for (int i = 0; i < events; i++) {
            if (answering.job().news.peek() instanceof Job.News.End) {
                break;
            }
            assertThat(answering.generation().next()).isNotInstanceOf(Event.Finished.class);
        }
        answering.generation().cancel();
    }

    @Test
    void cancelledWhileWaitingEndsAtOnceAndTheNextIsServed() throws Exception {
        try (RunningLoop loop = RunningLoop.over(folder, "vector", 320)) {
            Answering large = loop.submit(new int[] {4}, endless(0, 0), 5000); // 313 pages
            Answering blocked = loop.submit(new int[] {5}, endless(0, 0), 5000);
            Answering behind = loop.submit(new int[] {6}, endless(0, 0), 5);
            assertThat(large.generation().next()).isInstanceOf(Event.Started.class);
            blocked.generation().close();
            assertThat(blocked.toEnd().end().reason()).isEqualTo(FinishReason.CANCELLED);
            assertThat(behind.toEnd().ids()).hasSize(5);
            assertThat(large.job().news.stream().anyMatch(n -> n instanceof Job.News.End))
                    .as("the large one still runs")
                    .isFalse();
            large.generation().close();
            assertThat(large.toEnd().end().reason()).isEqualTo(FinishReason.CANCELLED);
            assertThat(loop.cache.freePages()).isEqualTo(320);
        }
    }

    /** All that is told of the choices of one request, and of requests of their own. */
    private static void assertChoicesEqualOwnRequests(
            RunningLoop loop, int[] prompt, float temperature, long seed, int tokens, int choices)
            throws InterruptedException {
        List<List<TokenLogprob>> own = new ArrayList<>();
        for (int i = 0; i < choices; i++) {
            own.add(loop.submit(prompt, endless(temperature, seed + i), tokens).toEnd().tokens());
        }
        List<List<TokenLogprob>> together = new ArrayList<>();
        for (Answering each :
                loop.submit(prompt, endless(temperature, seed), tokens, false, choices)) {
            together.add(each.toEnd().tokens());
        }
        assertThat(together).as("prompt of %s, seed %s", prompt.length, seed).isEqualTo(own);
    }

    @ParameterizedTest
    @ValueSource(strings = {"scalar", "vector", "x86"})
    void choicesOfOneRequestEqualRequestsOfTheirOwn(String rung) throws Exception {
        Rung.assume(rung);
        Random random = Seed.given().random();
        try (RunningLoop loop = RunningLoop.over(folder, rung, 200)) {
            for (int length : new int[] {1, 2, 15, 16, 17, 33, 300}) {
                assertChoicesEqualOwnRequests(
                        loop, prompt(random, length), 1.3f, random.nextLong(), 25, 4);
            }
            assertThat(loop.cache.freePages()).isEqualTo(200);
        }
    }

    @Test
    void theChoicesPromptIsComputedOnce() throws Exception {
        Random random = Seed.given().random();
        for (int tokens : new int[] {1, 20}) { // with one, the first has ended before others begin
            try (RunningLoop loop = held(folder, "faulty", 300)) {
                int[] prompt = prompt(random, 299);
                List<Answering> all = loop.submit(prompt, endless(1, 3), tokens, false, 8);
                loop.start();
                for (Answering each : all) {
                    assertThat(each.toEnd().ids()).hasSize(tokens);
                }
                // The prompt, its last token for each other choice, all tokens but the last.
                assertThat(loop.faulty().rows()).isEqualTo(299 + 7 + 8 * (tokens - 1));
                assertThat(loop.cache.freePages()).isEqualTo(300);
            }
        }
    }

    /** Room for few: choices wait for pages, or find the first one gone, and even its prompt. */
    @Test
    void choicesForWhichThereIsNoRoomWait() throws Exception {
        Random random = Seed.given().random();
        for (int pages : new int[] {6, 7, 8, 9, 11, 14, 20}) {
            try (RunningLoop loop = RunningLoop.over(folder, "vector", pages)) {
                for (int length : new int[] {40, 48, 49, 60}) { // 3 or 4 pages, 6 with the answer
                    int tokens = 96 - length;
                    assertChoicesEqualOwnRequests(
                            loop, prompt(random, length), 1, random.nextLong(), tokens, 4);
                    assertThat(loop.cache.freePages()).isEqualTo(pages);
                }
            }
        }
    }

    @Test
    void choicesOutliveTheOneThatComputesTheirPrompt() throws Exception {
        Random random = Seed.given().random();
        int[] prompt = prompt(random, 600); // three steps
        try (RunningLoop loop = held(folder, "faulty", 300)) {
            List<Answering> all = loop.submit(prompt, endless(1, 9), 10, false, 3);
            loop.faulty().fault(_ -> all.getFirst().generation().cancel()); // after its first step
            loop.start();
            assertThat(all.getFirst().toEnd().end().reason()).isEqualTo(FinishReason.CANCELLED);
            assertThat(all.get(1).toEnd().ids()).hasSize(10);
            List<TokenLogprob> last = all.get(2).toEnd().tokens();
            assertThat(loop.faulty().rows()).isEqualTo(256 + 600 + 1 + 2 * 9);
            assertThat(loop.submit(prompt, endless(1, 11), 10).toEnd().tokens()).isEqualTo(last);
            assertThat(loop.cache.freePages()).isEqualTo(300);
        }
    }

    /** A conversation's ids after an answer, and what its next turn adds. */
    private static int[] concat(int[]... parts) {
        return Arrays.stream(parts).flatMapToInt(Arrays::stream).toArray();
    }

    @Test
    void theNextTurnComputesItsNewTokensAlone() throws Exception {
        Random random = Seed.given().random();
        int[] opening = prompt(random, 100);
        int[] question = prompt(random, 20);
        int[] another = concat(Arrays.copyOf(opening, 70), prompt(random, 30));
        while (another[70] == opening[70]) {
            another[70] = prompt(random, 1)[0];
        }
        try (RunningLoop loop = RunningLoop.keeping(folder, "faulty", 300, 4);
                RunningLoop forgetful = RunningLoop.over(folder, "faulty", 300)) {
            Answer first = loop.submit(opening, endless(0, 0), 10).toEnd();
            int rows = 100 + 9; // the last token of an answer is never computed
            assertThat(loop.faulty().rows()).isEqualTo(rows);
            assertThat(first.end().usage().cachedTokens()).isZero();

            // Whoever else has the opening alone in common does not end that conversation.
            Answer branch = loop.submit(another, endless(0, 0), 10).toEnd();
            rows += 30 + 9;
            assertThat(loop.faulty().rows()).isEqualTo(rows);
            assertThat(branch.end().usage().cachedTokens()).isEqualTo(70);

            int[] next = concat(opening, first.ids(), question);
            Answer second = loop.submit(next, endless(0, 0), 10).toEnd();
            rows += 1 + 20 + 9;
            assertThat(loop.faulty().rows()).isEqualTo(rows);
            assertThat(second.end().usage().cachedTokens()).isEqualTo(109);

            // The same once more: the last token alone, whose logits are wanted.
            Answer again = loop.submit(next, endless(0, 0), 10).toEnd();
            rows += 1 + 9;
            assertThat(loop.faulty().rows()).isEqualTo(rows);

            assertThat(forgetful.submit(next, endless(0, 0), 10).toEnd().tokens())
                    .isEqualTo(second.tokens())
                    .isEqualTo(again.tokens());
            assertThat(forgetful.submit(another, endless(0, 0), 10).toEnd().tokens())
                    .isEqualTo(branch.tokens());
        }
    }

    /** As chats do that name no limit: the reservation is all that the context has. */
    @Test
    void aTurnThatReservesTheWholePoolKeepsItsHistory() throws Exception {
        Random random = Seed.given().random();
        int context = 128 * 16;
        for (int length : new int[] {90, 95, 96}) { // 99, 104 and 105 tokens are kept
            int[] prompt = prompt(random, length);
            try (RunningLoop loop = RunningLoop.keeping(folder, "faulty", 128, 4)) {
                loop.submit(prompt(random, 300), endless(0, 0), 5).toEnd(); // somebody else's
                Answer first = loop.submit(prompt, endless(0, 0), 10).toEnd();
                int[] next = concat(prompt, first.ids(), prompt(random, 20));
                Answering second = loop.submit(next, endless(0, 0), context - next.length, true);
                assertThat(second.generation().next()).isInstanceOf(Event.Started.class);
                assertThat(second.generation().next()).isInstanceOf(Event.Text.class);
                second.generation().cancel();
                assertThat(second.toEnd().end().usage().cachedTokens()).isEqualTo(length + 9);
            }
        }
    }

    @Test
    void aTurnThatWaitsForPagesKeepsItsHistory() throws Exception {
        Random random = Seed.given().random();
        int[] prompt = prompt(random, 90);
        try (RunningLoop loop = RunningLoop.keeping(folder, "faulty", 40, 4)) {
            Answer first = loop.submit(prompt, endless(0, 0), 10).toEnd();
            int[] next = concat(prompt, first.ids(), prompt(random, 20));
            Answering other = loop.submit(prompt(random, 10), endless(0, 0), 400); // 26 pages
            Answering second = loop.submit(next, endless(0, 0), 300); // 27 of 40
            Answer answer = second.toEnd();
            assertThat(second.job().firstStep).isGreaterThan(other.job().firstToken);
            assertThat(other.toEnd().ids()).hasSize(400);
            assertThat(answer.end().usage().cachedTokens()).isEqualTo(99);
            assertThat(answer.ids()).hasSize(300);
        }
    }

    /** What stale conversations hold is given to choices that share a prompt: all run together. */
    @Test
    void choicesHaveWhatStaleConversationsHold() throws Exception {
        Random random = Seed.given().random();
        try (RunningLoop loop = RunningLoop.keeping(folder, "faulty", 64, 8)) {
            for (int i = 0; i < 4; i++) { // 8 pages each
                loop.submit(prompt(random, 120), endless(0, 0), 5).toEnd();
            }
            // 32 pages of prompt, and for each choice a copy of the last and one more.
            List<Answering> all = loop.submit(prompt(random, 500), endless(1, 3), 20, false, 8);
            long firstEnd = Long.MAX_VALUE;
            for (Answering each : all) {
                assertThat(each.toEnd().ids()).hasSize(20);
                firstEnd = Math.min(firstEnd, each.job().ended);
            }
            for (Answering each : all) {
                assertThat(each.job().firstStep).isLessThan(firstEnd);
            }
        }
    }

    /** Questions about one long text: each computes its own words alone, also side by side. */
    @Test
    void manyMayGoOnFromOneOpening() throws Exception {
        Random random = Seed.given().random();
        int[] opening = prompt(random, 200);
        try (RunningLoop loop = RunningLoop.keeping(folder, "faulty", 300, 8)) {
            loop.submit(concat(opening, prompt(random, 4)), endless(0, 0), 2).toEnd();
            List<Answering> questions = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                questions.add(loop.submit(concat(opening, prompt(random, 6)), endless(0, 0), 2));
            }
            for (Answering each : questions) {
                assertThat(each.toEnd().end().usage().cachedTokens()).isBetween(200, 205);
            }
        }
    }

    /**
     * Conversations that branch and are broken off, in pools with hardly room for what they keep.
     */
    @ParameterizedTest
    @ValueSource(ints = {20, 31, 64})
    void whatIsKeptChangesNoBitAndGivesWayToRequests(int pages) throws Exception {
        Seed seed = Seed.given();
        Random random = seed.random();
        List<int[]> stems = new ArrayList<>();
        stems.add(prompt(random, 60));
        int cached = 0;
        try (RunningLoop loop = RunningLoop.keeping(folder, "vector", pages, 5);
                RunningLoop forgetful = RunningLoop.over(folder, "vector", pages)) {
            for (int round = 0; round < 60; round++) {
                List<Given> requests = new ArrayList<>();
                List<Answering> answering = new ArrayList<>();
                for (int i = 0; i < 3; i++) {
                    int[] stem = stems.get(random.nextInt(stems.size()));
                    int[] kept = Arrays.copyOf(stem, 1 + random.nextInt(stem.length));
                    int[] ids = concat(kept, prompt(random, random.nextInt(40)));
                    ids = Arrays.copyOf(ids, Math.min(ids.length, 280));
                    Given given =
                            new Given(
                                    Arrays.stream(ids).boxed().toList(),
                                    endless(1.3f, random.nextLong()),
                                    1 + random.nextInt(20));
                    requests.add(given);
                    answering.add(given.to(loop));
                }
                answering.add(loop.submit(stems.getFirst(), endless(1, 1), 200));
                cancelAfter(answering.getLast(), random.nextInt(4));
                for (int i = 0; i < 3; i++) {
                    Answer actual = answering.get(i).toEnd();
                    Answer expected = requests.get(i).to(forgetful).toEnd();
                    assertThat(actual.tokens())
                            .as("%s, round %s", seed, round)
                            .isEqualTo(expected.tokens());
                    assertThat(actual.end().reason()).isEqualTo(FinishReason.LENGTH);
                    cached += actual.end().usage().cachedTokens();
                    int[] ids = requests.get(i).prompt.stream().mapToInt(id -> id).toArray();
                    stems.add(concat(ids, actual.ids()));
                }
                answering.getLast().toEnd();
            }
        }
        assertThat(cached).as("%s", seed).isPositive(); // how many is the seed's luck
    }

    @Test
    void aShortPromptDoesNotWaitForAllOfALongOne() throws Exception {
        Random random = Seed.given().random();
        try (RunningLoop loop = held(folder, "faulty", 400)) {
            List<Integer> steps = new CopyOnWriteArrayList<>(); // rows so far, at each
            loop.faulty().fault(_ -> steps.add(loop.faulty().rows()));
            Answering large = loop.submit(prompt(random, 2000), endless(0, 0), 1);
            Answering small = loop.submit(prompt(random, 300), endless(0, 0), 1);
            Answering tiny = loop.submit(prompt(random, 20), endless(0, 0), 1);
            loop.start();
            large.toEnd();
            small.toEnd();
            tiny.toEnd();
            // 20 of the tiny one; then 128 of the small one in each of the next three.
            assertThat(tiny.job().firstToken).isLessThan(small.job().firstToken);
            assertThat(small.job().firstToken).isLessThan(large.job().firstToken);
            assertThat(steps).startsWith(256, 512, 768, 1024).hasSize((2000 + 300 + 20) / 256 + 1);
        }
    }

    @Test
    void aLargeRequestIsNotOvertaken() throws Exception {
        try (RunningLoop loop = RunningLoop.over(folder, "vector", 40)) {
            Answering first = loop.submit(new int[] {4}, endless(0, 0), 300);
            Answering large = loop.submit(new int[] {5}, endless(0, 0), 600);
            Answering small = loop.submit(new int[] {6}, endless(0, 0), 5);
            first.toEnd();
            large.toEnd();
            small.toEnd();
            assertThat(large.job().firstStep).isGreaterThan(first.job().firstToken);
            assertThat(small.job().firstStep).isGreaterThanOrEqualTo(large.job().firstStep);
        }
    }

    @Test
    void whereThePoolIsShortOneOfTwoOpenAnswersGrowsAndTheOtherSaysWhyNot() throws Exception {
        // Two open-ended answers reserve 2,048 each; the pool lets only one of them grow.
        int each = (4 + StepLoop.OPEN_RESERVE + 15) / 16;
        int pages = 2 * each + 17;
        try (RunningLoop loop = held(folder, "vector", pages)) {
            Answering a = loop.submit(new int[] {4, 5, 6, 7}, endless(0, 0), 2400, true);
            Answering b = loop.submit(new int[] {8, 9, 10, 11}, endless(0, 0), 2400, true);
            loop.start();
            Answer grown = a.toEnd();
            Answer cut = b.toEnd();
            assertThat(grown.ids()).hasSize(2400);
            assertThat(grown.end().reason()).isEqualTo(FinishReason.LENGTH);
            assertThat(grown.end().warnings()).isEmpty();
            assertThat(cut.ids()).hasSizeBetween(StepLoop.OPEN_RESERVE, StepLoop.OPEN_RESERVE + 16);
            assertThat(cut.end().reason()).isEqualTo(FinishReason.LENGTH);
            assertThat(cut.end().warnings())
                    .singleElement()
                    .asString()
                    .contains("KV pool", "max_tokens");
            assertThat(loop.cache.freePages()).isEqualTo(pages);
        }
    }

    /** One request's rows make every step that holds them fail, in the midst of its layers. */
    @Test
    void aRequestThatMakesStepsFailEndsAloneAndTheOthersKeepTheirBits() throws Exception {
        Seed seed = Seed.given();
        int poison = 47;
        for (Throwable failure :
                List.of(
                        new IllegalStateException("fault"),
                        new AssertionError("fault"),
                        new OutOfMemoryError("fault"))) {
            Random random = seed.random();
            List<Given> sound = new ArrayList<>();
            for (int length : new int[] {1, 16, 17, 150, 300}) {
                int[] ids = random.ints(length, 0, poison).toArray();
                sound.add(
                        new Given(
                                Arrays.stream(ids).boxed().toList(),
                                without(poison, length % 2, random.nextLong()),
                                60));
            }
            int[] atTheEnd = random.ints(290, 0, poison).toArray();
            atTheEnd[285] = poison;
            try (HeardLog log = new HeardLog(StepLoop.class);
                    RunningLoop loop = held(folder, "faulty", 200)) {
                loop.faulty().poison(poison, failure);
                List<Answering> answers = new ArrayList<>();
                sound.subList(0, 3).forEach(g -> answers.add(g.to(loop)));
                Answering inPrefill = loop.submit(atTheEnd, endless(0, 0), 60);
                // Its first answer is the poison, so that its second step fails.
                Answering inDecode = loop.submit(new int[] {3}, only(poison), 60);
                sound.subList(3, 5).forEach(g -> answers.add(g.to(loop)));
                loop.start();
                for (Answering sick : List.of(inPrefill, inDecode)) {
                    Event.Finished end = sick.toEnd().end();
                    assertThat(end.reason()).isEqualTo(FinishReason.ERROR);
                    assertThat(end.warnings())
                            .singleElement()
                            .asString()
                            .contains("the log says why")
                            .doesNotContain("fault");
                }
                assertThat(inDecode.job().generated).isEqualTo(1);
                assertThat(log.messages()).filteredOn("a request failed"::equals).hasSize(2);
                List<Answer> together = new ArrayList<>();
                for (Answering each : answers) {
                    together.add(each.toEnd());
                }
                for (int i = 0; i < sound.size(); i++) {
                    Answer alone = sound.get(i).to(loop).toEnd();
                    assertThat(alone.end().reason()).isEqualTo(FinishReason.LENGTH);
                    assertThat(together.get(i).tokens())
                            .as("%s, %s", seed, i)
                            .isEqualTo(alone.tokens());
                }
                assertThat(loop.cache.freePages()).isEqualTo(200);
            }
        }
    }

    private static Sampling without(int token, float temperature, long seed) {
        return new Sampling(temperature, 0, 1, 0, 1, 0, 0, Map.of(END, -100f, token, -100f), seed);
    }

    private static Sampling only(int token) {
        return new Sampling(0, 0, 1, 0, 1, 0, 0, Map.of(token, 100f), 0);
    }

    @Test
    void aStepThatFailsOnceCostsNobodyHisAnswer() throws Exception {
        try (HeardLog log = new HeardLog(StepLoop.class);
                RunningLoop loop = held(folder, "faulty", 200)) {
            AtomicInteger steps = new AtomicInteger();
            loop.faulty()
                    .fault(logits -> {
                        if (logits.rows() == 3 && steps.incrementAndGet() == 3) {
                            throw new IllegalStateException("once");
                        }
                    });
            List<Answering> all = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                all.add(loop.submit(new int[] {3, 4}, endless(0, 0), 30));
            }
            loop.start();
            Answer first = all.getFirst().toEnd();
            assertThat(first.ids()).hasSize(30);
            assertThat(all.get(1).toEnd().tokens()).isEqualTo(first.tokens());
            assertThat(all.get(2).toEnd().tokens()).isEqualTo(first.tokens());
            loop.faulty().fault(null);
            assertThat(loop.submit(new int[] {3, 4}, endless(0, 0), 30).toEnd().tokens())
                    .isEqualTo(first.tokens());
            assertThat(log.messages()).singleElement().asString().contains("one by one");
        }
    }

    @Test
    void logitsThatAreNotNumbersEndTheirAnswerAlone() throws Exception {
        try (HeardLog log = new HeardLog(StepLoop.class);
                RunningLoop loop = RunningLoop.over(folder, "faulty", 64)) {
            Answer expected = loop.submit(new int[] {9, 10}, endless(1, 5), 30).toEnd();
            for (float temperature : new float[] {0, 1}) {
                AtomicInteger steps = new AtomicInteger();
                loop.faulty()
                        .fault(logits -> {
                            if (logits.rows() == 2 && steps.incrementAndGet() == 4) {
                                float[] row = new float[logits.rowSize()];
                                Arrays.fill(row, Float.NaN);
                                logits.put(0, row);
                            }
                        });
                Answering broken = loop.submit(new int[] {3, 4}, endless(temperature, 0), 500);
                Answering sound = loop.submit(new int[] {9, 10}, endless(1, 5), 30);
                Event.Finished end = broken.toEnd().end();
                assertThat(end.reason()).isEqualTo(FinishReason.ERROR);
                assertThat(end.warnings()).singleElement().asString().contains("best logit is NaN");
                assertThat(sound.toEnd().tokens()).isEqualTo(expected.tokens());
                assertThat(loop.cache.freePages()).isEqualTo(64);
            }
            assertThat(log.messages()).containsExactly("a request failed", "a request failed");
        }
    }

    @Test
    void moreAlternativesThanTokensAreAllTokens() throws Exception {
        try (RunningLoop loop = RunningLoop.over(folder, "vector", 16)) {
            var request =
                    new ChatRequest(
                            new Prompt.Tokens(List.of(4)),
                            endless(0, 0),
                            OptionalInt.of(3),
                            List.of(),
                            OptionalInt.of(20));
            Job job = new Job(request, new int[] {4}, 3, false, new SharedPrompt(1));
            loop.offer(job);
            Answer answer =
                    Answer.of(
                            new TextGeneration(
                                    job, loop.model.tokenizer(), loop.model.endTokens()));
            assertThat(answer.tokens())
                    .hasSize(3)
                    .allSatisfy(token -> {
                        assertThat(token.top()).hasSize(20);
                        assertThat(token.top().getFirst().id()).isIn(token.id(), END);
                        assertThat(token.top())
                                .isSortedAccordingTo(
                                        (a, b) -> Float.compare(b.logprob(), a.logprob()));
                    });
        }
    }

    /**
     * A token costs the step thread no more garbage than its news, for which another thread waits:
     * the record (24 bytes) and its node in the queue (24); a lock that is contended for adds to
     * that. What a request costs once is the same in both runs, and counts out.
     */
    @ParameterizedTest
    @ValueSource(floats = {0, 0.9f})
    void aTokenCostsNoMoreGarbageThanItsNews(float temperature) throws Exception {
        int[] prompt = {3, 4, 5};
        Sampling sampling =
                new Sampling(temperature, 40, 0.95f, 0.05f, 1.1f, 1, 1, Map.of(END, -100f), 7);
        ChatRequest request =
                new ChatRequest(
                        new Prompt.Tokens(List.of(3, 4, 5)),
                        sampling,
                        OptionalInt.empty(),
                        List.of(),
                        OptionalInt.empty());
        try (RunningLoop loop =
                RunningLoop.held(folder, "vector", 64, new ArrayBlockingQueue<>(64))) {
            loop.start();
            long perToken = Long.MAX_VALUE;
            // What is not compiled yet may allocate what later stays in registers.
            for (int round = 0; round < 20 && perToken > 64; round++) {
                long[] bytes = new long[2];
                for (int i = 0; i < 2; i++) {
                    long before = loop.allocated();
                    int tokens = 300 * (i + 1);
                    Answering one = loop.submit(request, prompt, tokens, false, 1).getFirst();
                    assertThat(one.toEnd().end().usage().completionTokens()).isEqualTo(tokens);
                    loop.submit(prompt, endless(0, 0), 1).toEnd(); // all of it is over
                    bytes[i] = loop.allocated() - before;
                }
                perToken = (bytes[1] - bytes[0]) / 300;
            }
            assertThat(perToken).as("bytes a token").isLessThanOrEqualTo(64);
        }
    }

    /** A prompt that breaks whenever a choice has ended. */
    private static final class BreaksAtEnds extends SharedPrompt {
        BreaksAtEnds() {
            super(1);
        }

        @Override
        void ended(Job job) {
            super.ended(job);
            throw new IllegalStateException("broken");
        }
    }

    private static int ends(Job job) {
        return (int) job.news.stream().filter(n -> n instanceof Job.News.End).count();
    }

    /** Whether it ends by its length, by a failed step, cancelled, or with the loop. */
    @Test
    void aRequestWhoseEndFailsIsAnsweredOnceAndTheLoopGoesOn() throws Exception {
        List<Job> jobs = new ArrayList<>();
        try (HeardLog log = new HeardLog(StepLoop.class)) {
            try (RunningLoop loop = RunningLoop.over(folder, "faulty", 400)) {
                loop.faulty().poison(47, new IllegalStateException("fault"));
                for (int token : new int[] {3, 47, 4, 5}) {
                    int tokens = token < 4 ? 2 : 5000;
                    ChatRequest request =
                            new ChatRequest(
                                    new Prompt.Tokens(List.of(token)),
                                    without(47, 0, 0),
                                    OptionalInt.of(tokens),
                                    List.of(),
                                    OptionalInt.empty());
                    Job job =
                            new Job(request, new int[] {token}, tokens, false, new BreaksAtEnds());
                    jobs.add(job);
                    loop.offer(job);
                    if (token == 4) { // it runs: its first token is here
                        assertThat(job.news.take()).isInstanceOf(Job.News.Token.class);
                        job.cancelled = true;
                    }
                }
                Answer sound = loop.submit(new int[] {9}, endless(0, 0), 3).toEnd();
                assertThat(sound.end().reason()).isEqualTo(FinishReason.LENGTH);
                assertThat(ends(jobs.getLast())).as("of the one that runs on").isZero();
            }
            assertThat(jobs).allSatisfy(job -> assertThat(ends(job)).isEqualTo(1));
            assertThat(log.messages())
                    .filteredOn("a request could not be ended properly"::equals)
                    .hasSize(4);
            assertThat(log.messages()).doesNotContain("the step thread died");
        }
    }

    /** A queue whose inspection fails: nothing the loop expects. */
    private static final class BrokenQueue extends LinkedBlockingQueue<Job> {
        @Serial private static final long serialVersionUID = 1L;
        private volatile boolean broken;

        @Override
        public boolean removeIf(Predicate<? super Job> filter) {
            if (broken) {
                throw new IllegalStateException("broken queue");
            }
            return super.removeIf(filter);
        }
    }

    @Test
    void whenTheThreadDiesNobodyWaitsForEverAndAllMemoryIsFreed() throws Exception {
        long arenas = MemoryLedger.arenas();
        BrokenQueue queue = new BrokenQueue();
        try (HeardLog log = new HeardLog(StepLoop.class);
                RunningLoop loop = RunningLoop.held(folder, "vector", 64, queue)) {
            loop.start();
            List<Answering> all = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                all.add(loop.submit(new int[] {3}, endless(0, 0), 1000));
            }
            all.getFirst().generation().next();
            queue.broken = true;
            for (Answering each : all) {
                Event.Finished end = each.toEnd().end();
                assertThat(end.reason()).isEqualTo(FinishReason.ERROR);
                assertThat(end.warnings()).singleElement().asString().contains("has stopped");
            }
            loop.join();
            assertThat(log.messages()).containsExactly("the step thread died");
            assertThat(loop.loop.ended()).isTrue();
            assertThat(loop.loop.death())
                    .hasValueSatisfying(why -> assertThat(why).contains("has stopped", "log"));
            assertThat(MemoryLedger.arenas()).isEqualTo(arenas);
        }
    }

    @Test
    void closingEndsRunningAndWaiting() throws Exception {
        long bytes = MemoryLedger.bytes();
        List<Answering> all = new ArrayList<>();
        try (RunningLoop loop = RunningLoop.over(folder, "vector", 320)) {
            for (int i = 0; i < 20; i++) {
                all.add(loop.submit(new int[] {3}, endless(0, 0), 5000));
            }
            Event first = all.getFirst().generation().next();
            assertThat(first).isEqualTo(new Event.Started(1));
        }
        for (Answering each : all) {
            assertThat(each.toEnd().end().reason()).isEqualTo(FinishReason.CANCELLED);
        }
        assertThat(MemoryLedger.bytes()).isEqualTo(bytes);
    }
}
