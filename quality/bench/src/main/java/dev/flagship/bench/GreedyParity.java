package dev.flagship.bench;

import dev.flagship.nn.Step;
import dev.flagship.serving.LoadedModel;
import dev.flagship.tensor.Tensor;
import dev.flagship.tokenizers.ChatTemplate;
import dev.flagship.tokenizers.ControlTokens;
import dev.flagship.tokenizers.RenderedPrompt;
import java.io.PrintStream;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import tools.jackson.databind.JsonNode;

/**
 * Compares each committed prompt's way through template, tokenizer and model with the reference's:
 * text, ids, the ten likeliest first tokens, and 64 greedy tokens with their logits.
 */
final class GreedyParity {
    /** A reference's top two may change places below this (the bound). */
    private static final double CLOSE_GAP = 1e-3;

    /** Most that a logit may be off; F32 sums of 30 layers in another order come to 2.7e-4. */
    private static final double LOGIT_TOLERANCE = 1e-3;

    private static final int POSITIONS = 4096;
    private static final int MOST_CHARACTERS = 100_000;

    private final LoadedModel model;
    private final PrintStream out;
    private double worstLogit;

    GreedyParity(LoadedModel model, PrintStream out) {
        this.model = model;
        this.out = out;
    }

    /**
     * Compares all prompts, and tells what it finds.
     *
     * @param sources messages or text, by name
     * @param golden what the reference makes of them
     * @return whether all are equal within the bounds
     */
    boolean compare(JsonNode sources, JsonNode golden) {
        int prompts = 0;
        int sameInput = 0;
        int equal = 0;
        boolean good = true;
        try (TeacherForced runner = new TeacherForced(model, POSITIONS)) {
            for (JsonNode expected : golden.path("prompts")) {
                String name = expected.path("name").asString();
                prompts++;
                int[] ids = ints(expected.path("ids"));
                if (sameInput(source(sources, name), expected, ids)) {
                    sameInput++;
                } else {
                    out.printf("prompt: %s is not rendered or split as the reference does%n", name);
                }
                int wanted = expected.path("generated").size();
                int same = sameTokens(runner, ids, expected);
                if (same == wanted) {
                    equal++;
                    continue;
                }
                double gap = expected.path("gap").path(same).asDouble();
                boolean tie = gap < CLOSE_GAP;
                good &= tie;
                out.printf(
                        "greedy: %s leaves the reference at token %d, whose top-two gap is %s: %s%n",
                        name, same, gap, tie ? "a tie" : "WRONG");
            }
        }
        out.printf(
                "prompts: %d of %d rendered and split as the reference does%n", sameInput, prompts);
        out.printf(
                "greedy, exact: %d of %d answers equal the reference's; logits off by at most %.1e (bound %.0e)%n",
                equal, prompts, worstLogit, LOGIT_TOLERANCE);
        return good
                && prompts == sources.size()
                && sameInput == prompts
                && worstLogit <= LOGIT_TOLERANCE;
    }

    private static JsonNode source(JsonNode sources, String name) {
        for (JsonNode source : sources) {
            if (source.path("name").asString().equals(name)) {
                return source;
            }
        }
        throw new IllegalStateException("no prompt is called " + name);
    }

    private static int[] ints(JsonNode array) {
        int[] values = new int[array.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = array.get(i).asInt();
        }
        return values;
    }

    private boolean sameInput(JsonNode source, JsonNode expected, int[] ids) {
        String rendered = expected.path("rendered").asString();
        if (source.has("text")) {
            String text = source.path("text").asString();
            return text.equals(rendered)
                    && Arrays.equals(model.tokenizer().encode(text, ControlTokens.AS_TEXT), ids);
        }
        List<ChatTemplate.Turn> turns = new ArrayList<>();
        for (JsonNode message : source.path("messages")) {
            turns.add(
                    new ChatTemplate.Turn(
                            message.path("role").asString(), message.path("content").asString()));
        }
        RenderedPrompt ours =
                model.chatTemplate()
                        .orElseThrow()
                        .render(
                                turns,
                                true,
                                model.tokenizer(),
                                LocalDateTime.of(2024, 1, 1, 0, 0),
                                MOST_CHARACTERS);
        return ours.text().equals(rendered) && Arrays.equals(model.tokenizer().encode(ours), ids);
    }

    /** How many of its greedy tokens are the reference's, from the first. */
    private int sameTokens(TeacherForced runner, int[] prompt, JsonNode expected) {
        int[] generated = ints(expected.path("generated"));
        int[] best = new int[1];
        float[] value = new float[1];
        runner.restart();
        int[] next = prompt;
        for (int i = 0; i < generated.length; i++) {
            boolean first = i == 0;
            runner.run(
                    next,
                    0,
                    next.length,
                    Step.Wanted.LAST,
                    logits -> {
                        if (first) {
                            compareTop(logits, expected.path("last_prompt_top10"));
                        }
                        model.kernels().topK(logits, 0, 1, best, value);
                    });
            if (best[0] != generated[i]) {
                return i;
            }
            note(value[0], expected.path("top_logit").path(i).asDouble());
            next = new int[] {best[0]};
        }
        return generated.length;
    }

    private void compareTop(Tensor logits, JsonNode top) {
        for (int i = 0; i < top.path("ids").size(); i++) {
            int id = top.path("ids").path(i).asInt();
            note(logits.get(0, id), top.path("logits").path(i).asDouble());
        }
    }

    private void note(double ours, double theirs) {
        double off = Math.abs(ours - theirs);
        // NaN must not pass for near.
        worstLogit = off <= worstLogit ? worstLogit : Double.isNaN(off) ? Double.MAX_VALUE : off;
    }
}
