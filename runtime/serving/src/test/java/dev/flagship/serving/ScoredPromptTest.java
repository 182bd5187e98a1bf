package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.flagship.serving.RunningLoop.Answer;
import dev.flagship.serving.RunningLoop.Answering;
import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.ChatRequest.Echo;
import dev.flagship.serving.api.FinishReason;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.Sampling;
import dev.flagship.serving.api.TokenLogprob;
import dev.flagship.testing.Seed;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Prompts that are told with their answers, and what they are worth. */
class ScoredPromptTest {
    private static final int END = 1;
    private static final int VOCABULARY = 48;

    private final Seed seed = Seed.given();
    private final Random random = seed.random();
    @TempDir Path temp;
    private Path folder;

    @BeforeEach
    void extract() throws IOException {
        folder = TinyModels.roomy(temp);
    }

    private int[] prompt(int length) {
        return random.ints(length, 2, VOCABULARY).toArray();
    }

    private static RunningLoop held(Path folder, String rung, int pages) throws IOException {
        return RunningLoop.held(folder, rung, pages, new LinkedBlockingQueue<>());
    }

    private static ChatRequest scored(int[] prompt, int tokens, int alternatives) {
        return new ChatRequest(
                new Prompt.Tokens(Arrays.stream(prompt).boxed().toList()),
                new Sampling(1, 0, 1, 0, 1, 0, 0, Map.of(END, -100f), 5),
                OptionalInt.of(tokens),
                List.of(),
                OptionalInt.of(alternatives),
                Echo.PROMPT);
    }

    private static List<Answering> submit(RunningLoop loop, int[] prompt, int tokens, int choices) {
        return loop.submit(scored(prompt, tokens, 3), prompt, tokens, false, choices);
    }

    private static Answer answer(RunningLoop loop, int[] prompt, int tokens) throws Exception {
        return submit(loop, prompt, tokens, 1).getFirst().toEnd();
    }

    /** Of each row in double precision, from the definition. */
    private static double logprob(float[] logits, int id) {
        double most = IntStream.range(0, logits.length).mapToDouble(i -> logits[i]).max().orElse(0);
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit - most);
        }
        return logits[id] - most - Math.log(sum);
    }

    @Test
    void eachTokenIsWorthItsLogitInOnePass() throws Exception {
        int[] prompt = prompt(700);
        try (RunningLoop loop = RunningLoop.over(folder, "vector", 64);
                Passes passes = Passes.of(loop.model)) {
            Answer answer = answer(loop, prompt, 2);
            assertThat(answer.ids()).startsWith(prompt).hasSize(702);
            List<float[]> rows = passes.forward(prompt);
            assertThat(answer.tokens().getFirst().logprob()).isNaN();
            assertThat(answer.tokens().getFirst().top()).isEmpty();
            for (int at = 1; at < prompt.length; at++) {
                TokenLogprob token = answer.tokens().get(at);
                float[] row = rows.get(at - 1);
                assertThat((double) token.logprob())
                        .as("%s, token %s", seed, at)
                        .isCloseTo(logprob(row, prompt[at]), within(1e-5));
                int[] best =
                        IntStream.range(0, VOCABULARY)
                                .boxed()
                                .sorted(Comparator.comparingDouble(id -> -row[id]))
                                .limit(3)
                                .mapToInt(Integer::intValue)
                                .toArray();
                assertThat(token.top().stream().mapToInt(TokenLogprob::id).toArray())
                        .isEqualTo(best);
            }
            assertThat(loop.cache.freePages()).isEqualTo(64);
        }
    }

    @Test
    void neitherCompanyNorChunksNorKeptPrefixesChangeABit() throws Exception {
        int[] prompt = prompt(300);
        int[] other = prompt(150);
        try (RunningLoop loop = RunningLoop.keeping(folder, "vector", 256, 8)) {
            List<TokenLogprob> alone = answer(loop, prompt, 8).tokens();
            assertThat(answer(loop, prompt, 8).tokens()).as("kept, %s", seed).isEqualTo(alone);
            List<Answering> together = new ArrayList<>();
            together.add(loop.submit(other, Sampling.greedy(), 60));
            together.addAll(submit(loop, other, 3, 1));
            together.addAll(submit(loop, prompt, 8, 1));
            assertThat(together.getLast().toEnd().tokens())
                    .as("in company, %s", seed)
                    .isEqualTo(alone);
            int[] half = Arrays.copyOf(prompt, 140);
            assertThat(answer(loop, half, 0).tokens()).isEqualTo(alone.subList(0, 140));
        }
    }

    @Test
    void choicesAreToldTheSameScoresAndGoOnFromOneComputation() throws Exception {
        int[] prompt = prompt(130);
        try (RunningLoop loop = RunningLoop.over(folder, "vector", 64)) {
            List<TokenLogprob> alone = answer(loop, prompt, 6).tokens();
            List<Answer> answers = new ArrayList<>();
            for (Answering each : submit(loop, prompt, 6, 3)) {
                answers.add(each.toEnd());
            }
            assertThat(answers.getFirst().tokens()).isEqualTo(alone);
            for (Answer answer : answers) {
                assertThat(answer.tokens()).hasSize(136);
                assertThat(answer.tokens().subList(0, 130)).isEqualTo(alone.subList(0, 130));
            }
            assertThat(answers.get(1).ids()).isNotEqualTo(answers.get(0).ids());
            assertThat(loop.cache.freePages()).isEqualTo(64);
        }
    }

    @Test
    void theNextChoiceGoesOnWhereACancelledOneStopped() throws Exception {
        int[] prompt = prompt(600);
        try (RunningLoop loop = held(folder, FaultyKernelsProvider.OVER_VECTOR, 128)) {
            List<Answering> choices = submit(loop, prompt, 2, 2);
            AtomicInteger steps = new AtomicInteger();
            loop.faulty()
                    .fault(_ -> {
                        if (steps.incrementAndGet() == 4) {
                            choices.getFirst().job().cancelled = true; // amid its prompt
                        }
                    });
            loop.start();
            assertThat(choices.getFirst().toEnd().end().reason()).isEqualTo(FinishReason.CANCELLED);
            List<TokenLogprob> second = choices.getLast().toEnd().tokens();
            assertThat(second.subList(0, 600))
                    .as("%s", seed)
                    .isEqualTo(answer(loop, prompt, 0).tokens());
            assertThat(loop.cache.freePages()).isEqualTo(128);
        }
    }

    @Test
    void aStepHoldsNoMoreLogitsThanItMay() throws Exception {
        List<Integer> rows = new ArrayList<>();
        try (RunningLoop loop = held(folder, FaultyKernelsProvider.OVER_VECTOR, 256)) {
            loop.faulty()
                    .fault(logits -> {
                        synchronized (rows) {
                            rows.add(logits.rows());
                        }
                    });
            List<Answering> all = new ArrayList<>();
            for (int length : new int[] {500, 90, 333, 20}) {
                all.addAll(submit(loop, prompt(length), 1, 1));
            }
            loop.start();
            for (Answering each : all) {
                assertThat(each.toEnd().end().reason()).isEqualTo(FinishReason.LENGTH);
            }
            assertThat(rows).allMatch(count -> count <= StepLoop.SCORED_ROWS + 4);
            assertThat(rows).anyMatch(count -> count >= StepLoop.SCORED_ROWS);
        }
    }

    @Test
    void noTokensComputesThePromptAlone() throws Exception {
        int[] prompt = prompt(70);
        try (RunningLoop loop = RunningLoop.over(folder, "vector", 64)) {
            List<TokenLogprob> scores = answer(loop, prompt, 1).tokens().subList(0, 70);
            for (Answering each : submit(loop, prompt, 0, 2)) {
                Answer answer = each.toEnd();
                assertThat(answer.tokens()).isEqualTo(scores);
                assertThat(answer.end().reason()).isEqualTo(FinishReason.LENGTH);
                assertThat(answer.end().usage().completionTokens()).isZero();
            }
            Answer one = answer(loop, new int[] {7}, 0);
            assertThat(one.ids()).containsExactly(7);
            assertThat(one.tokens().getFirst().logprob()).isNaN();
        }
    }

    @Test
    void aPromptWhoseLogitsAreNoNumbersIsAnError() throws Exception {
        try (HeardLog log = new HeardLog(StepLoop.class);
                RunningLoop loop =
                        RunningLoop.over(folder, FaultyKernelsProvider.OVER_VECTOR, 64)) {
            loop.faulty()
                    .fault(logits -> {
                        if (logits.rows() > 3) {
                            logits.set(2, 5, Float.NaN);
                        }
                    });
            Answer answer = answer(loop, prompt(20), 0);
            assertThat(answer.end().reason()).isEqualTo(FinishReason.ERROR);
            assertThat(answer.end().warnings().getFirst()).contains("best logit is NaN");
            assertThat(answer.tokens()).isEmpty();
            assertThat(log.messages()).containsExactly("a request failed");
            loop.faulty().fault(null);
            assertThat(answer(loop, prompt(20), 2).tokens()).hasSize(22);
            assertThat(loop.cache.freePages()).isEqualTo(64);
        }
    }
}
