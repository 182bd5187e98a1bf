package dev.flagship.serving;

import com.sun.management.ThreadMXBean;
import dev.flagship.nn.PagedKvCache;
import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.Event;
import dev.flagship.serving.api.Generation;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.Sampling;
import dev.flagship.serving.api.TokenLogprob;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Numerics;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** A step loop over a tiny model with its pool in the test's hands. */
final class RunningLoop implements AutoCloseable {
    final LoadedModel model;
    final PagedKvCache cache;
    final StepLoop loop;
    private final BlockingQueue<Job> arrivals;
    private final Thread thread;

    private RunningLoop(LoadedModel model, int pages, int prefixes, BlockingQueue<Job> arrivals) {
        this.model = model;
        this.cache = new PagedKvCache(model.lm().kvLayout(DType.F32), pages);
        this.arrivals = arrivals;
        this.loop = new StepLoop(model, cache, new PrefixCache(cache, prefixes), arrivals);
        this.thread = Thread.ofPlatform().name("flagship-step-test").daemon().unstarted(loop);
    }

    /** A loop over {@link TinyModels#roomy} that keeps nothing of requests that ended. */
    static RunningLoop over(Path folder, String rung, int pages) throws IOException {
        RunningLoop running = held(folder, rung, pages, new LinkedBlockingQueue<>());
        running.start();
        return running;
    }

    /** As {@link #over}, and keeps so many prefixes. */
    static RunningLoop keeping(Path folder, String rung, int pages, int prefixes)
            throws IOException {
        RunningLoop running = held(folder, rung, pages, prefixes, new LinkedBlockingQueue<>());
        running.start();
        return running;
    }

    /**
     * As {@link #over}, but nothing is computed before {@link #start}: what arrives is together.
     */
    static RunningLoop held(Path folder, String rung, int pages, BlockingQueue<Job> arrivals)
            throws IOException {
        return held(folder, rung, pages, 0, arrivals);
    }

    private static RunningLoop held(
            Path folder, String rung, int pages, int prefixes, BlockingQueue<Job> arrivals)
            throws IOException {
        LoadOptions options =
                LoadOptions.of("tiny")
                        .withNumerics(Numerics.EXACT)
                        .withKernels(rung)
                        .withThreads(1);
        return new RunningLoop(
                LoadedModel.load(folder, options, LoadListener.SILENT), pages, prefixes, arrivals);
    }

    void start() {
        thread.start();
    }

    /** Bytes that the step thread has allocated on the heap. */
    long allocated() {
        return ((ThreadMXBean) ManagementFactory.getThreadMXBean())
                .getThreadAllocatedBytes(thread.threadId());
    }

    FaultyKernels faulty() {
        return (FaultyKernels) ((RecordedKernels) model.kernels()).recorded();
    }

    /** An answer of exactly this many tokens. */
    Answering submit(int[] prompt, Sampling sampling, int tokens) {
        return submit(prompt, sampling, tokens, false);
    }

    Answering submit(int[] prompt, Sampling sampling, int mostTokens, boolean openEnded) {
        return submit(prompt, sampling, mostTokens, openEnded, 1).getFirst();
    }

    /** Several answers to one prompt, with seeds that count up. */
    List<Answering> submit(
            int[] prompt, Sampling sampling, int mostTokens, boolean openEnded, int choices) {
        ChatRequest request =
                new ChatRequest(
                        new Prompt.Tokens(Arrays.stream(prompt).boxed().toList()),
                        sampling,
                        openEnded ? OptionalInt.empty() : OptionalInt.of(mostTokens),
                        List.of(),
                        OptionalInt.of(0));
        return submit(request, prompt, mostTokens, openEnded, choices);
    }

    List<Answering> submit(
            ChatRequest request, int[] prompt, int mostTokens, boolean openEnded, int choices) {
        SharedPrompt shared = new SharedPrompt(choices);
        List<Answering> answers = new ArrayList<>();
        for (int i = 0; i < choices; i++) {
            Job job = new Job(request.choice(i), prompt, mostTokens, openEnded, shared);
            offer(job);
            answers.add(
                    new Answering(
                            job, new TextGeneration(job, model.tokenizer(), model.endTokens())));
        }
        return answers;
    }

    void offer(Job job) {
        arrivals.add(job);
    }

    /** Waits until the loop has ended and freed everything. */
    void join() throws InterruptedException {
        thread.join();
    }

    @Override
    public void close() {
        loop.shutDown();
        thread.interrupt();
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** An answer and the job behind it. */
    record Answering(Job job, Generation generation) {
        Answer toEnd() throws InterruptedException {
            return Answer.of(generation);
        }
    }

    /** All that an answer told. */
    record Answer(String text, List<TokenLogprob> tokens, Event.Finished end) {
        static Answer of(Generation generation) throws InterruptedException {
            StringBuilder text = new StringBuilder();
            List<TokenLogprob> tokens = new ArrayList<>();
            while (true) {
                switch (generation.next()) {
                    case Event.Started _ -> {}
                    case Event.Text t -> {
                        text.append(t.text());
                        tokens.addAll(t.tokens());
                    }
                    case Event.Finished end -> {
                        return new Answer(text.toString(), tokens, end);
                    }
                }
            }
        }

        int[] ids() {
            return tokens.stream().mapToInt(TokenLogprob::id).toArray();
        }
    }
}
