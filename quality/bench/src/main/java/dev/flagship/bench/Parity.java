package dev.flagship.bench;

import dev.flagship.nn.Step;
import dev.flagship.serving.LoadListener;
import dev.flagship.serving.LoadOptions;
import dev.flagship.serving.LoadedModel;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.Tensor;
import dev.flagship.tokenizers.ControlTokens;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.stream.DoubleStream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Distance of the default model from the reference implementation: rendered prompts, their ids,
 * greedy answers and their logits, perplexity, and for {@code fast} the mean Kullback-Leibler
 * divergence to {@code exact}; for a type of KV cache the same of {@code fast} with it, beside
 * {@code fast} with the usual one. The reference's figures were computed by {@code
 * tools/golden/llama}.
 */
final class Parity {
    private static final String GOLDEN = "/dev/flagship/testing/golden/";
    private static final int WINDOW = 1024;
    private static final int CHUNK = 128;

    private final Path path;
    private final LoadOptions options;
    private final Optional<DType> kvCache;
    private final PrintStream out;

    /**
     * @param options numerics are not looked at; a KV cache is one to measure beside the usual
     */
    Parity(Path path, LoadOptions options, PrintStream out) {
        this.path = path;
        this.options = options;
        this.kvCache = options.kvCache();
        this.out = out;
    }

    /**
     * Compares, and tells what it finds.
     *
     * @param greedyOnly without perplexity and divergence, which take minutes
     * @return whether all bounds hold
     * @throws BenchException {@code wrong_model} if the goldens are of another file
     */
    boolean run(boolean greedyOnly) throws IOException {
        JsonNode greedy = golden("greedy.json");
        checkFile(greedy);
        try (LoadedModel exact = load(Numerics.EXACT)) {
            out.printf("kernels %s, %d threads%n", exact.kernels().rung(), exact.threads());
            boolean good = new GreedyParity(exact, out).compare(golden("prompts.json"), greedy);
            if (greedyOnly) {
                return good;
            }
            try (LoadedModel fast = load(Numerics.FAST)) {
                good &= perplexity(exact, fast);
                good &= divergence(exact, fast);
                if (kvCache.isPresent()) {
                    try (LoadedModel other = load(Numerics.FAST, kvCache)) {
                        good &= kvCache(exact, fast, other);
                    }
                }
            }
            return good;
        }
    }

    private void checkFile(JsonNode golden) throws IOException {
        String wanted = golden.path("model_sha256").asString();
        String found;
        try (InputStream in = Files.newInputStream(path)) {
            found = sha256(in);
        }
        if (!found.equals(wanted)) {
            throw new BenchException(
                    "wrong_model",
                    "The reference's figures are those of the file with SHA-256 %s, and %s has %s. Use the default model."
                            .formatted(wanted, path, found),
                    null);
        }
    }

    private static String sha256(InputStream in) throws IOException {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            try (var out = new DigestOutputStream(OutputStream.nullOutputStream(), digest)) {
                in.transferTo(out);
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every Java has it
        }
    }

    private LoadedModel load(Numerics numerics) throws IOException {
        return load(numerics, Optional.empty());
    }

    private LoadedModel load(Numerics numerics, Optional<DType> pages) throws IOException {
        LoadOptions mode =
                new LoadOptions(
                        options.id(),
                        Optional.of(numerics),
                        pages,
                        options.kernels(),
                        options.threads(),
                        options.context(),
                        options.quantize(),
                        options.template(),
                        options.packedFolder());
        return LoadedModel.load(path, mode, LoadListener.SILENT);
    }

    private static JsonNode golden(String name) throws IOException {
        try (InputStream in = open(GOLDEN + "smollm2/" + name)) {
            return JsonMapper.shared().readTree(in);
        }
    }

    private static InputStream open(String name) throws IOException {
        InputStream in = Parity.class.getResourceAsStream(name);
        if (in == null) {
            throw new IOException("the golden " + name + " is not on the class path");
        }
        return in;
    }

    private static byte[] text() throws IOException {
        try (InputStream in = open(GOLDEN + "perplexity.txt")) {
            return in.readAllBytes();
        }
    }

    private static int[] ids(LoadedModel model) throws IOException {
        String text = new String(text(), StandardCharsets.UTF_8);
        return model.tokenizer().encode(text, ControlTokens.AS_TEXT);
    }

    private boolean perplexity(LoadedModel exact, LoadedModel fast) throws IOException {
        JsonNode golden = golden("perplexity.json");
        int[] ids = ids(exact);
        boolean good = sameText(golden, ids);
        int windows = golden.path("windows").asInt();
        double reference = golden.path("perplexity").asDouble();
        double[] exactNll = nll(exact, ids, windows);
        double worst = 0;
        for (int w = 0; w < windows; w++) {
            double theirs = golden.path("nll").path(w).path("mean_nll").asDouble();
            worst = Math.max(worst, Math.abs(Math.exp(exactNll[w] - theirs) - 1));
        }
        double ours = Math.exp(mean(exactNll));
        double quick = Math.exp(mean(nll(fast, ids, windows)));
        double exactOff = ours / reference - 1;
        double fastOff = quick / ours - 1;
        out.printf(
                "perplexity over %d tokens: reference %.5f, exact %.5f (%+.4f %%, in a window at most %.4f %%), fast %.5f (%+.3f %% of exact)%n",
                windows * WINDOW,
                reference,
                ours,
                100 * exactOff,
                100 * worst,
                quick,
                100 * fastOff);
        return good && worst <= 0.001 && Math.abs(exactOff) <= 0.001 && fastOff <= 0.005;
    }

    /** Whether text and ids are those that the reference read. */
    private boolean sameText(JsonNode golden, int[] ids) throws IOException {
        ByteBuffer bytes =
                ByteBuffer.allocate(Integer.BYTES * ids.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asIntBuffer().put(ids);
        boolean text =
                sha256(new ByteArrayInputStream(text()))
                        .equals(golden.path("text_sha256").asString());
        boolean same =
                sha256(new ByteArrayInputStream(bytes.array()))
                        .equals(golden.path("ids_sha256_as_int32_little_endian").asString());
        out.printf(
                "text of %d tokens: %s, ids %s%n",
                ids.length,
                text ? "the reference's" : "NOT the reference's",
                same ? "equal" : "DIFFERENT");
        return text && same;
    }

    private static double mean(double[] values) {
        return DoubleStream.of(values).average().orElseThrow();
    }

    /** Mean negative log-likelihood of each window, its first token not counted. */
    private static double[] nll(LoadedModel model, int[] ids, int windows) {
        double[] nll = new double[windows];
        try (TeacherForced runner = new TeacherForced(model, WINDOW)) {
            for (int w = 0; w < windows; w++) {
                int window = w;
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
                                    nll[window] +=
                                            (double) model.kernels().logSumExp(logits, i)
                                                    - logits.get(i, ids[from + i + 1]);
                                }
                            });
                }
                nll[w] /= WINDOW - 1;
            }
        }
        return nll;
    }

    /** What keys and values in other pages cost, products being the same. */
    private boolean kvCache(LoadedModel exact, LoadedModel usual, LoadedModel other)
            throws IOException {
        int windows = golden("perplexity.json").path("windows").asInt();
        int[] ids = ids(exact);
        double before = Math.exp(mean(nll(usual, ids, windows)));
        double after = Math.exp(mean(nll(other, ids, windows)));
        int few = golden("llamacpp.json").path("windows").asInt();
        Divergence toExact = divergence(exact, other, ids, few);
        Divergence toUsual = divergence(usual, other, ids, few);
        out.printf(
                "fast with a KV cache of %s: perplexity %.5f (%s: %.5f, %+.4f %%); mean KL to exact %.6f, to %s %.6f, top-1 agreement with it %.4f%n",
                other.kvLayout().type(),
                after,
                usual.kvLayout().type(),
                before,
                100 * (after / before - 1),
                toExact.mean(),
                usual.kvLayout().type(),
                toUsual.mean(),
                toUsual.agreement());
        return after / before - 1 <= 0.005;
    }

    private boolean divergence(LoadedModel exact, LoadedModel fast) throws IOException {
        JsonNode peer = golden("llamacpp.json");
        Divergence d = divergence(exact, fast, ids(exact), peer.path("windows").asInt());
        double kl = d.mean();
        double agreement = d.agreement();
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

    private static Divergence divergence(
            LoadedModel exact, LoadedModel fast, int[] ids, int windows) {
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
        return d;
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

        double mean() {
            return sum / rows;
        }

        double agreement() {
            return (double) agreeing / rows;
        }

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
