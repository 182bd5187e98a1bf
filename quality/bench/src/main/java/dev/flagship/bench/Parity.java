package dev.flagship.bench;

import dev.flagship.nn.Step;
import dev.flagship.serving.LoadListener;
import dev.flagship.serving.LoadOptions;
import dev.flagship.serving.LoadedModel;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.Tensor;
import dev.flagship.tokenizers.ControlTokens;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Distance of the default model from the reference implementation: greedy answers, perplexity, and
 * for {@code fast} the mean Kullback-Leibler divergence to {@code exact}. The reference's figures
 * were computed by {@code tools/golden/llama}.
 */
final class Parity {
    private static final String GOLDEN = "/dev/flagship/testing/golden/smollm2/";
    private static final int WINDOW = 1024;
    private static final int CHUNK = 128;
    private static final double CLOSE_GAP = 1e-3;

    private final Path path;
    private final LoadOptions options;
    private final PrintStream out;

    Parity(Path path, LoadOptions options, PrintStream out) {
        this.path = path;
        this.options = options;
        this.out = out;
    }

    /** Runs everything; returns whether all bounds hold. */
    boolean run() throws IOException {
        try (LoadedModel exact = load(Numerics.EXACT);
                LoadedModel fast = load(Numerics.FAST)) {
            out.printf("kernels %s, %d threads%n", exact.kernels().rung(), exact.threads());
            boolean good = greedy(exact);
            good &= perplexity(exact, fast);
            boolean near = divergence(exact, fast);
            return good && near;
        }
    }

    private LoadedModel load(Numerics numerics) throws IOException {
        return LoadedModel.load(path, options.withNumerics(numerics), LoadListener.SILENT);
    }

    private static JsonNode golden(String name) throws IOException {
        try (InputStream in = open(name)) {
            return JsonMapper.shared().readTree(in);
        }
    }

    private static InputStream open(String name) throws IOException {
        InputStream in = Parity.class.getResourceAsStream(GOLDEN + name);
        if (in == null) {
            throw new IOException("the golden " + name + " is not on the class path");
        }
        return in;
    }

    private static int[] ints(JsonNode array) {
        int[] values = new int[array.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = array.get(i).asInt();
        }
        return values;
    }

    private boolean greedy(LoadedModel exact) throws IOException {
        int equal = 0;
        int total = 0;
        boolean good = true;
        try (TeacherForced runner = new TeacherForced(exact, 4096)) {
            for (JsonNode prompt : golden("greedy.json").path("prompts")) {
                int[] expected = ints(prompt.path("generated"));
                int[] ours =
                        answer(exact.kernels(), runner, ints(prompt.path("ids")), expected.length);
                int same = 0;
                while (same < expected.length && ours[same] == expected[same]) {
                    same++;
                }
                total++;
                if (same == expected.length) {
                    equal++;
                    continue;
                }
                double gap = prompt.path("gap").get(same).asDouble();
                boolean tie = gap < CLOSE_GAP;
                good &= tie;
                out.printf(
                        "greedy: %s leaves the reference at token %d, whose top-two gap is %s: %s%n",
                        prompt.path("name").asString(), same, gap, tie ? "a tie" : "WRONG");
            }
        }
        out.printf(
                "greedy, exact: %d of %d answers of 64 tokens equal the reference%n", equal, total);
        return good;
    }

    private static int[] answer(Kernels kernels, TeacherForced runner, int[] prompt, int count) {
        runner.restart();
        int[] generated = new int[count];
        int[] best = new int[1];
        float[] value = new float[1];
        int[] next = prompt;
        for (int i = 0; i < count; i++) {
            runner.run(
                    next,
                    0,
                    next.length,
                    Step.Wanted.LAST,
                    logits -> kernels.topK(logits, 0, 1, best, value));
            generated[i] = best[0];
            next = new int[] {best[0]};
        }
        return generated;
    }

    private int[] text(LoadedModel model) throws IOException {
        try (InputStream in =
                Parity.class.getResourceAsStream("/dev/flagship/testing/golden/perplexity.txt")) {
            if (in == null) {
                throw new IOException("the golden perplexity.txt is not on the class path");
            }
            String text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
            return model.tokenizer().encode(text, ControlTokens.AS_TEXT);
        }
    }

    private boolean perplexity(LoadedModel exact, LoadedModel fast) throws IOException {
        JsonNode golden = golden("perplexity.json");
        int[] ids = text(exact);
        int windows = golden.path("windows").asInt();
        double reference = golden.path("perplexity").asDouble();
        double ours = Math.exp(meanNll(exact, ids, windows));
        double quick = Math.exp(meanNll(fast, ids, windows));
        double exactOff = ours / reference - 1;
        double fastOff = quick / ours - 1;
        out.printf(
                "perplexity over %d tokens: reference %.5f, exact %.5f (%+.4f %%), fast %.5f (%+.3f %% of exact)%n",
                windows * WINDOW, reference, ours, 100 * exactOff, quick, 100 * fastOff);
        return Math.abs(exactOff) <= 0.001 && fastOff <= 0.005;
    }

    private static double meanNll(LoadedModel model, int[] ids, int windows) {
        double sum = 0;
        try (TeacherForced runner = new TeacherForced(model, WINDOW)) {
            double[] nll = new double[1];
            for (int w = 0; w < windows; w++) {
                runner.restart();
                for (int at = w * WINDOW; at < (w + 1) * WINDOW; at += CHUNK) {
                    int from = at;
                    int end = (w + 1) * WINDOW;
                    runner.run(
                            ids,
                            at,
                            CHUNK,
                            Step.Wanted.ALL,
                            logits -> {
                                for (int i = 0; i < CHUNK && from + i + 1 < end; i++) {
                                    nll[0] +=
                                            (double) model.kernels().logSumExp(logits, i)
                                                    - logits.get(i, ids[from + i + 1]);
                                }
                            });
                }
            }
            sum = nll[0];
        }
        return sum / ((double) windows * (WINDOW - 1));
    }

    private boolean divergence(LoadedModel exact, LoadedModel fast) throws IOException {
        JsonNode peer = golden("llamacpp.json");
        int windows = peer.path("windows").asInt();
        int[] ids = text(exact);
        Divergence d = new Divergence();
        try (TeacherForced truth = new TeacherForced(exact, WINDOW);
                TeacherForced tested = new TeacherForced(fast, WINDOW)) {
            for (int w = 0; w < windows; w++) {
                truth.restart();
                tested.restart();
                for (int at = w * WINDOW; at < (w + 1) * WINDOW; at += CHUNK) {
                    List<float[]> rows = new ArrayList<>();
                    truth.run(ids, at, CHUNK, Step.Wanted.ALL, l -> copy(l, rows));
                    tested.run(ids, at, CHUNK, Step.Wanted.ALL, l -> d.add(rows, l));
                }
            }
        }
        double kl = d.sum / d.rows;
        double agreement = (double) d.agreeing / d.rows;
        double peerKl = peer.path("mean").path("mean_kl").asDouble();
        double peerAgreement = peer.path("mean").path("top1_agreement").asDouble();
        out.printf(
                "fast to exact over %d positions: mean KL %.6f (llama.cpp %.6f, ratio %.3f), top-1 agreement %.4f (llama.cpp %.4f; disagreement ratio %.3f)%n",
                d.rows,
                kl,
                peerKl,
                kl / peerKl,
                agreement,
                peerAgreement,
                (1 - agreement) / (1 - peerAgreement));
        return kl <= 1.1 * peerKl && 1 - agreement <= 1.1 * (1 - peerAgreement);
    }

    private static void copy(Tensor logits, List<float[]> rows) {
        for (int i = 0; i < logits.rows(); i++) {
            rows.add(logits.row(i));
        }
    }

    /** Sums KL(exact ‖ fast) in double precision. */
    private static final class Divergence {
        private double sum;
        private int rows;
        private int agreeing;

        void add(List<float[]> exact, Tensor fast) {
            for (int i = 0; i < exact.size(); i++) {
                float[] p = exact.get(i);
                float[] q = fast.row(i);
                double pNorm = logSumExp(p);
                double qNorm = logSumExp(q);
                int bestP = 0;
                int bestQ = 0;
                for (int id = 0; id < p.length; id++) {
                    double logP = p[id] - pNorm;
                    sum += Math.exp(logP) * (logP - (q[id] - qNorm));
                    bestP = p[id] > p[bestP] ? id : bestP;
                    bestQ = q[id] > q[bestQ] ? id : bestQ;
                }
                rows++;
                agreeing += bestP == bestQ ? 1 : 0;
            }
        }

        private static double logSumExp(float[] values) {
            double max = Double.NEGATIVE_INFINITY;
            for (float v : values) {
                max = Math.max(max, v);
            }
            double sum = 0;
            for (float v : values) {
                sum += Math.exp(v - max);
            }
            return max + Math.log(sum);
        }
    }
}
