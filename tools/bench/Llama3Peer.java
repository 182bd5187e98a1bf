package com.llama4j;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * llama3.java as the other side of {@code ./flagship bench --against llama3.java}: compiled by bench together with the
 * Llama3.java that the user names. The protocol is that of llamacpp_peer.py; several sequences are decoded one after
 * another, for it has no batch of them.
 */
final class Llama3Peer {
    /** As many tokens of a prompt at once as its own main method takes. */
    private static final int BATCH = Integer.getInteger("llama.BatchSize", 16);

    private Llama model;
    private Llama.State state;
    private int[] held = {};

    public static void main(String[] args) throws IOException {
        Llama3Peer peer = new Llama3Peer();
        // What it prints on stdout must not mix with the answers.
        var answers = System.out;
        System.setOut(System.err);
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String answer;
            try {
                answer = peer.answer(line);
            } catch (Exception | Error e) {
                answer = "{\"error\": \"%s\"}".formatted(e.toString().replaceAll("[^ -~]|[\"\\\\]", "?"));
            }
            answers.println(answer);
            answers.flush();
        }
    }

    private static String text(String json, String key) {
        Matcher m = Pattern.compile("\"" + key + "\"\\s*:\\s*(\"([^\"]*)\"|[^,}\\[]*)").matcher(json);
        if (!m.find()) {
            throw new IllegalArgumentException("no " + key);
        }
        return m.group(2) != null ? m.group(2) : m.group(1).strip();
    }

    private static int[] ids(String json) {
        Matcher m = Pattern.compile("\"ids\"\\s*:\\s*\\[([^]]*)]").matcher(json);
        if (!m.find()) {
            throw new IllegalArgumentException("no ids");
        }
        return Arrays.stream(m.group(1).split(",")).map(String::strip).mapToInt(Integer::parseInt).toArray();
    }

    private String answer(String json) throws IOException {
        return switch (text(json, "op")) {
            case "load" -> load(Path.of(text(json, "model")), Integer.parseInt(text(json, "positions")));
            case "prefill" -> prefill(ids(json), Double.parseDouble(text(json, "seconds")));
            case "decode" -> decode(
                    ids(json),
                    Integer.parseInt(text(json, "sequences")),
                    Integer.parseInt(text(json, "count")),
                    Double.parseDouble(text(json, "seconds")));
            case "nll" -> nll(ids(json));
            case "memory" -> "{\"peak_bytes\": %d}".formatted(Runtime.getRuntime().totalMemory());
            default -> throw new IllegalArgumentException("op");
        };
    }

    /** Without its tokenizer, which knows Llama 3's vocabulary only. */
    private String load(Path path, int positions) throws IOException {
        long started = System.nanoTime();
        try (FileChannel file = FileChannel.open(path, StandardOpenOption.READ)) {
            GGUF gguf = GGUF.loadModel(file, path.toString());
            Map<String, Object> m = gguf.getMetadata();
            int heads = (int) m.get("llama.attention.head_count");
            var config =
                    new Llama.Configuration(
                            (int) m.get("llama.embedding_length"),
                            (int) m.get("llama.feed_forward_length"),
                            (int) m.get("llama.block_count"),
                            heads,
                            (int) m.getOrDefault("llama.attention.head_count_kv", heads),
                            ((String[]) m.get("tokenizer.ggml.tokens")).length,
                            positions,
                            (float) m.getOrDefault("llama.attention.layer_norm_rms_epsilon", 1e-5f),
                            (float) m.getOrDefault("llama.rope.freq_base", 10000f));
            var tensors = GGUF.loadTensors(file, gguf.getTensorDataOffset(), gguf.getTensorInfos());
            model = new Llama(config, null, ModelLoader.loadWeights(tensors, config));
        }
        restart();
        return "{\"version\": \"llama3.java\", \"system_info\": \"Java %s, %s\", \"seconds\": %.3f}"
                .formatted(
                        Runtime.version(),
                        System.getProperty("java.vm.name"),
                        (System.nanoTime() - started) / 1e9);
    }

    private void restart() {
        if (state == null) {
            state = new Llama.State(model.configuration(), BATCH);
        }
        held = new int[0];
    }

    private void feed(int[] ids, boolean logits) {
        for (int from = 0; from < ids.length; from += BATCH) {
            int[] part = Arrays.copyOfRange(ids, from, Math.min(from + BATCH, ids.length));
            boolean last = from + part.length == ids.length;
            Llama.forward(model, state, part, held.length, logits && last);
            int before = held.length;
            held = Arrays.copyOf(held, before + part.length);
            System.arraycopy(part, 0, held, before, part.length);
        }
    }

    /** The cache holds these ids; what it holds already stays. */
    private void prepare(int[] ids) {
        int same = 0;
        while (same < Math.min(ids.length, held.length) && ids[same] == held[same]) {
            same++;
        }
        held = Arrays.copyOf(held, same);
        feed(Arrays.copyOfRange(ids, same, ids.length), false);
    }

    private String prefill(int[] ids, double least) {
        long nanos = 0;
        long tokens = 0;
        while (nanos < least * 1e9) {
            restart();
            long started = System.nanoTime();
            feed(ids, true);
            nanos += System.nanoTime() - started;
            tokens += ids.length;
        }
        return rate(tokens, nanos, "");
    }

    private static String rate(long tokens, long nanos, String more) {
        return String.format(Locale.ROOT, "{\"tokens\": %d, \"seconds\": %.6f%s}", tokens, nanos / 1e9, more);
    }

    private String decode(int[] ids, int sequences, int count, double least) {
        int each = ids.length / sequences;
        long nanos = 0;
        long tokens = 0;
        int[] first = {};
        while (nanos < least * 1e9) {
            for (int s = 0; s < sequences; s++) {
                int[] part = Arrays.copyOfRange(ids, s * each, (s + 1) * each);
                prepare(Arrays.copyOf(part, each - 1));
                int[] chosen = new int[count];
                int token = part[each - 1];
                long started = System.nanoTime();
                for (int i = 0; i < count; i++) {
                    feed(new int[] {token}, true);
                    token = state.logits.argmax();
                    chosen[i] = token;
                }
                nanos += System.nanoTime() - started;
                tokens += count;
                first = first.length == 0 ? chosen : first;
            }
        }
        return rate(tokens, nanos, ", \"ids\": " + Arrays.toString(first));
    }

    private String nll(int[] ids) {
        restart();
        int vocabulary = model.configuration().vocabularySize;
        double sum = 0;
        for (int i = 0; i + 1 < ids.length; i++) {
            feed(new int[] {ids[i]}, true);
            double top = Float.NEGATIVE_INFINITY;
            for (int t = 0; t < vocabulary; t++) {
                top = Math.max(top, state.logits.getFloat(t));
            }
            double all = 0;
            for (int t = 0; t < vocabulary; t++) {
                all += Math.exp(state.logits.getFloat(t) - top);
            }
            sum += top + Math.log(all) - state.logits.getFloat(ids[i + 1]);
        }
        return String.format(Locale.ROOT, "{\"nll\": %.6f}", sum / (ids.length - 1));
    }
}
