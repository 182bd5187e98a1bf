package com.github.tjake.jlama.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.github.tjake.jlama.safetensors.DType;
import com.github.tjake.jlama.safetensors.SafeTensorSupport;
import com.github.tjake.jlama.tensor.AbstractTensor;
import com.github.tjake.jlama.tensor.KvBufferCache;
import com.github.tjake.jlama.tensor.operations.TensorOperationsProvider;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Stream;

/**
 * Jlama as the other side of {@code ./flagship bench --against jlama}: compiled by bench against the jars in the folder
 * that the user names. The protocol is that of llamacpp_peer.py, with the name of a setting in each request; several
 * sequences are decoded one after another, for it has no batch of them. It is in Jlama's own package because the output
 * layer is not public.
 */
final class JlamaPeer {
    /** The setting in which it runs the folder as it is. */
    private static final String STORED = "as stored";

    private static final ObjectMapper JSON = new ObjectMapper();

    /** As many tokens of a prompt at once as it takes itself. */
    private static final int BATCH = Integer.getInteger("jlama.max_batch_size", 256);

    private Loaded stored;
    private Loaded quantised;

    public static void main(String[] args) throws IOException {
        JlamaPeer peer = new JlamaPeer();
        // What it prints on stdout must not mix with the answers.
        var answers = System.out;
        System.setOut(System.err);
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ObjectNode answer = JSON.createObjectNode();
            try {
                peer.answer(JSON.readTree(line), answer);
            } catch (Exception | Error e) {
                answer.removeAll().put("error", reason(e));
            }
            answers.println(answer);
            answers.flush();
        }
    }

    /** It wraps what went wrong several times. */
    private static String reason(Throwable e) {
        Throwable at = e;
        while (at.getCause() != null) {
            at = at.getCause();
        }
        return at.toString();
    }

    private void answer(JsonNode request, ObjectNode answer) throws IOException {
        switch (request.path("op").asText()) {
            case "load" -> load(Path.of(request.path("model").asText()), request.path("threads").asInt(), answer);
            case "prefill" -> of(request).prefill(ids(request), request.path("seconds").asDouble(), answer);
            case "decode" -> of(request)
                    .decode(
                            ids(request),
                            request.path("sequences").asInt(),
                            request.path("count").asInt(),
                            request.path("seconds").asDouble(),
                            answer);
            case "nll" -> answer.put("nll", of(request).nll(ids(request)));
            case "memory" -> answer.put("peak_bytes", peakBytes());
            default -> throw new IllegalArgumentException("op");
        }
    }

    private Loaded of(JsonNode request) {
        return request.path("setting").asText().equals(STORED) ? stored : quantised;
    }

    private static int[] ids(JsonNode request) {
        var ids = new int[request.path("ids").size()];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = request.path("ids").get(i).asInt();
        }
        return ids;
    }

    /** Resident at most, its mapped and native memory included, where Linux tells. */
    private static long peakBytes() throws IOException {
        Path status = Path.of("/proc/self/status");
        if (Files.isReadable(status)) {
            for (String line : Files.readAllLines(status)) {
                if (line.startsWith("VmHWM:")) {
                    return Long.parseLong(line.replaceAll("\\D", "")) << 10;
                }
            }
        }
        return Runtime.getRuntime().totalMemory();
    }

    /** Both settings; the time is that of the folder as it is. */
    private void load(Path folder, int threads, ObjectNode answer) throws IOException {
        long started = System.nanoTime();
        stored = new Loaded(folder, Optional.of(threads));
        double seconds = (System.nanoTime() - started) / 1e9;
        quantised = new Loaded(quantise(folder), Optional.empty());
        Path jar = Path.of(AbstractModel.class.getProtectionDomain().getCodeSource().getLocation().getPath());
        answer.put("version", jar.getFileName().toString().replaceAll("-core|\\.jar$", ""))
                .put(
                        "system_info",
                        "%s; as stored: %s; Q4: %s; Java %s, %s"
                                .formatted(
                                        TensorOperationsProvider.get().name(),
                                        stored.types(),
                                        quantised.types(),
                                        Runtime.version(),
                                        System.getProperty("java.vm.name")))
                .put("seconds", seconds);
    }

    /** A folder in its own Q4, made as {@code jlama quantize} makes it; bench deletes it. */
    private static Path quantise(Path folder) throws IOException {
        Path scratch = Files.createTempDirectory("jlama");
        Path source = Files.createDirectory(scratch.resolve("source"));
        List<Path> files;
        try (Stream<Path> all = Files.list(folder)) {
            files = all.filter(Files::isRegularFile).toList();
        }
        for (Path file : files) {
            Files.createSymbolicLink(source.resolve(file.getFileName()), file.toAbsolutePath());
        }
        // It copies one without asking whether it is there.
        if (Files.notExists(source.resolve("README.md"))) {
            Files.createFile(source.resolve("README.md"));
        }
        return SafeTensorSupport.quantizeModel(
                source, DType.Q4, new String[] {"norm"}, null, Optional.of(scratch.resolve("q4")));
    }

    /** A model, one cache, and the ids that the cache holds. */
    private static final class Loaded {
        private final AbstractModel model;
        private final AbstractTensor logits;
        private final KvBufferCache.KvBuffer cache;
        private int[] held = {};

        /**
         * Asks for activations in int8, as its own command line does: whether it takes them depends on the weights' type
         * and widths.
         *
         * @param threads may be given once in a process
         */
        Loaded(Path folder, Optional<Integer> threads) {
            model = ModelSupport.loadModel(folder.toFile(), null, DType.F32, DType.I8, Optional.empty(), threads);
            logits = model.makeDenseTensor(model.getConfig().vocabularySize);
            cache = new KvBufferCache(model).getKvBuffer(UUID.randomUUID());
        }

        String types() {
            return "weights %s, activations %s, output layer %s"
                    .formatted(
                            model.modelDType,
                            model.workingQType,
                            model.sampleOutput.getOutputLogitsWeights().dType());
        }

        private int vocabulary() {
            return model.getConfig().vocabularySize;
        }

        /** The last batch's rows, to be closed. */
        private AbstractTensor feed(int[] ids) {
            AbstractTensor rows =
                    ids.length == 1
                            ? model.forward(ids[0], held.length, cache)
                            : model.batchForward(ids, held.length, cache);
            int before = held.length;
            held = Arrays.copyOf(held, before + ids.length);
            System.arraycopy(ids, 0, held, before, ids.length);
            return rows;
        }

        /** Leaves the row's logits behind. */
        private int best(AbstractTensor rows, int row) {
            return model.sample(rows.slice(row), 0, 0, logits);
        }

        /** The cache holds these ids; what it holds already stays. */
        private void prepare(int[] ids) {
            int same = 0;
            while (same < Math.min(ids.length, held.length) && ids[same] == held[same]) {
                same++;
            }
            held = Arrays.copyOf(held, same);
            if (same < ids.length) {
                feed(Arrays.copyOfRange(ids, same, ids.length)).close();
            }
        }

        void prefill(int[] ids, double least, ObjectNode answer) {
            long nanos = 0;
            long tokens = 0;
            while (nanos < least * 1e9) {
                held = new int[0];
                long started = System.nanoTime();
                try (AbstractTensor rows = feed(ids)) {
                    best(rows, rows.shape().first() - 1);
                }
                nanos += System.nanoTime() - started;
                tokens += ids.length;
            }
            answer.put("tokens", tokens).put("seconds", nanos / 1e9);
        }

        void decode(int[] ids, int sequences, int count, double least, ObjectNode answer) {
            int each = ids.length / sequences;
            long nanos = 0;
            long tokens = 0;
            var first = new ArrayList<Integer>();
            while (nanos < least * 1e9) {
                for (int s = 0; s < sequences; s++) {
                    int token = ids[(s + 1) * each - 1];
                    prepare(Arrays.copyOfRange(ids, s * each, (s + 1) * each - 1));
                    long started = System.nanoTime();
                    for (int i = 0; i < count; i++) {
                        try (AbstractTensor row = feed(new int[] {token})) {
                            token = best(row, 0);
                        }
                        if (first.size() < count) {
                            first.add(token);
                        }
                    }
                    nanos += System.nanoTime() - started;
                    tokens += count;
                }
            }
            answer.put("tokens", tokens).put("seconds", nanos / 1e9).set("ids", JSON.valueToTree(first));
        }

        double nll(int[] ids) {
            held = new int[0];
            double sum = 0;
            for (int from = 0; from < ids.length; from += BATCH) {
                int[] part = Arrays.copyOfRange(ids, from, Math.min(from + BATCH, ids.length));
                try (AbstractTensor rows = feed(part)) {
                    for (int i = 0; i < part.length && from + i + 1 < ids.length; i++) {
                        best(rows, i);
                        sum += nllOf(ids[from + i + 1]);
                    }
                }
            }
            return sum / (ids.length - 1);
        }

        private double nllOf(int id) {
            double top = Double.NEGATIVE_INFINITY;
            for (int t = 0; t < vocabulary(); t++) {
                top = Math.max(top, logits.get(0, t));
            }
            double all = 0;
            for (int t = 0; t < vocabulary(); t++) {
                all += Math.exp(logits.get(0, t) - top);
            }
            return top + Math.log(all) - logits.get(0, id);
        }
    }
}
