package dev.flagship.serving;

import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.Event;
import dev.flagship.serving.api.FinishReason;
import dev.flagship.serving.api.Generation;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.TokenLogprob;
import dev.flagship.serving.api.Usage;
import dev.flagship.tokenizers.StreamingDecoder;
import dev.flagship.tokenizers.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Set;

/**
 * The caller's end of an answer: turns ids into whole characters, holds back what may become a stop
 * string, and tells the prompt before if that is asked for.
 */
final class TextGeneration implements Generation {
    private final Job job;
    private final Tokenizer tokenizer;
    private final Set<Integer> endTokens;
    private final StreamingDecoder decoder;
    private final StreamingDecoder promptDecoder;
    private final StopStrings stops;
    private final Deque<Event> ready = new ArrayDeque<>();
    private final List<TokenLogprob> untold = new ArrayList<>();
    private final StringBuilder prompt = new StringBuilder();

    /** Code points of prompt and answer until now, told or held back. */
    private int characters;

    private int completionTokens;
    private boolean finished;

    TextGeneration(Job job, Tokenizer tokenizer, Set<Integer> endTokens) {
        this.job = job;
        this.tokenizer = tokenizer;
        this.endTokens = endTokens;
        this.decoder = decoder(job.request, tokenizer);
        this.promptDecoder =
                job.request.prompt() instanceof Prompt.Tokens ? decoder : tokenizer.streaming();
        this.stops = new StopStrings(job.request.stop());
        ready.add(new Event.Started(job.prompt.length));
        if (job.request.echo() == ChatRequest.Echo.PROMPT && !job.request.scoresPrompt()) {
            for (int id : job.prompt) {
                spell(id);
            }
            tellPrompt();
        }
    }

    /** An answer is a text of its own; what continues a text keeps the space in front. */
    private static StreamingDecoder decoder(ChatRequest request, Tokenizer tokenizer) {
        return switch (request.prompt()) {
            case Prompt.Conversation _ -> tokenizer.streaming();
            case Prompt.Raw _ -> tokenizer.continuing();
            case Prompt.Tokens _ ->
                    request.echo() == ChatRequest.Echo.PROMPT
                            ? tokenizer.streaming() // one text, whose first ids are the prompt
                            : tokenizer.continuing();
        };
    }

    /** Goes on with the prompt's text. */
    private void spell(int id) {
        String text = known(id) ? promptDecoder.accept(id) : "";
        prompt.append(text);
        characters += text.codePointCount(0, text.length());
    }

    private void tellPrompt() {
        if (job.request.prompt() instanceof Prompt.Raw raw) { // not every tokenizer spells it back
            prompt.replace(0, prompt.length(), raw.text());
            characters = prompt.codePointCount(0, prompt.length());
        }
        ready.add(new Event.Text(prompt.toString(), untold));
        untold.clear();
    }

    @Override
    public Event next() throws InterruptedException {
        if (finished && ready.isEmpty()) {
            throw new IllegalStateException("the generation has finished");
        }
        while (ready.isEmpty()) {
            switch (job.news.take()) {
                case Job.News.Token token -> accept(token);
                case Job.News.PromptToken token -> accept(token);
                case Job.News.End end -> finish(end.reason(), end.warnings());
            }
        }
        return ready.remove();
    }

    private void accept(Job.News.PromptToken token) {
        untold.add(told(token.id(), token.logprob(), token.top()));
        spell(token.id());
        if (untold.size() == job.prompt.length) {
            tellPrompt();
        }
    }

    private void accept(Job.News.Token token) {
        completionTokens++;
        boolean logprobs = job.request.topLogprobs().isPresent();
        boolean ends = endTokens.contains(token.id());
        // A turn ends by it; a text might have gone on, so that it is one of the text's tokens.
        if (logprobs && !(ends && job.request.prompt() instanceof Prompt.Conversation)) {
            untold.add(told(token.id(), token.logprob(), token.top()));
        }
        if (ends) {
            return; // the end follows
        }
        String decoded = known(token.id()) ? decoder.accept(token.id()) : "";
        characters += decoded.codePointCount(0, decoded.length());
        String text = stops.accept(decoded);
        if (!text.isEmpty() || logprobs && !stops.stopped()) {
            ready.add(new Event.Text(text, untold));
            untold.clear();
        }
        if (stops.stopped()) {
            job.cancelled = true;
            finish(FinishReason.STOP, List.of());
        }
    }

    /** A table of embeddings may be padded beyond the last token, with rows that mean nothing. */
    private boolean known(int id) {
        return id < tokenizer.vocabularySize();
    }

    private TokenLogprob told(int id, float logprob, List<Job.Alternative> top) {
        return logprob(
                id,
                logprob,
                top.stream().map(a -> logprob(a.id(), a.logprob(), List.of())).toList());
    }

    private TokenLogprob logprob(int id, float logprob, List<TokenLogprob> top) {
        byte[] bytes = known(id) ? spelled(id) : new byte[0];
        List<Integer> unsigned = new ArrayList<>(bytes.length);
        for (byte b : bytes) {
            unsigned.add(b & 0xFF);
        }
        return new TokenLogprob(
                id, new String(bytes, StandardCharsets.UTF_8), unsigned, characters, logprob, top);
    }

    private byte[] spelled(int id) {
        return tokenizer.isSpecial(id)
                ? tokenizer.token(id).getBytes(StandardCharsets.UTF_8)
                : tokenizer.bytes(id);
    }

    private void finish(FinishReason reason, List<String> warnings) {
        String rest = stops.stopped() ? "" : stops.accept(decoder.finish()) + stops.finish();
        if (!rest.isEmpty() || !untold.isEmpty()) {
            ready.add(new Event.Text(rest, untold));
            untold.clear();
        }
        finished = true;
        ready.add(new Event.Finished(reason, usage(), warnings));
    }

    private Usage usage() {
        long end = job.ended == 0 ? System.nanoTime() : job.ended; // a stop string ends it here
        long firstStep = job.firstStep == 0 ? end : job.firstStep;
        long firstToken = job.firstToken == 0 ? end : job.firstToken;
        return new Usage(
                job.prompt.length,
                job.cached,
                completionTokens,
                Math.max(0, firstStep - job.accepted),
                Math.max(0, firstToken - firstStep),
                Math.max(0, end - firstToken));
    }

    @Override
    public void cancel() {
        job.cancelled = true;
    }

    @Override
    public void close() {
        cancel();
    }
}
