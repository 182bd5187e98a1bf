package dev.flagship.bench;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/**
 * llama.cpp in a Python process, through {@code llamacpp_peer.py}. It runs with flash attention and
 * without, as two contenders, and the better one counts. One thread.
 */
final class LlamaCpp implements AutoCloseable {
    private static final String SCRIPT = "llamacpp_peer.py";

    /** What Linux calls a feature, and what llama.cpp must report where the processor has it. */
    private static final Map<String, String> REPORTED = reported();

    private final Peer peer;
    private final int threads;
    private final Workload work;
    private final JsonNode loaded;

    private LlamaCpp(Peer peer, int threads, Workload work, JsonNode loaded) {
        this.peer = peer;
        this.threads = threads;
        this.work = work;
        this.loaded = loaded;
    }

    private static Map<String, String> reported() {
        var map = new LinkedHashMap<String, String>();
        map.put("avx2", "AVX2");
        map.put("fma", "FMA");
        map.put("f16c", "F16C");
        map.put("avx_vnni", "AVX_VNNI");
        map.put("avx512f", "AVX512");
        map.put("avx512_vnni", "AVX512_VNNI");
        map.put("asimd", "NEON");
        map.put("asimddp", "DOTPROD");
        map.put("i8mm", "MATMUL_INT8");
        return map;
    }

    /**
     * Starts Python and loads the file.
     *
     * @throws BenchException {@code peer_failed} if one of them fails
     */
    static LlamaCpp start(String python, Path model, int threads, Workload work) {
        return start(List.of(python, "-u", "-c", script()), model, threads, work);
    }

    static LlamaCpp start(List<String> command, Path model, int threads, Workload work) {
        Peer peer = Peer.start(command);
        boolean loaded = false;
        try {
            JsonNode answer =
                    peer.ask(
                            Map.of(
                                    "op",
                                    "load",
                                    "model",
                                    model.toString(),
                                    "threads",
                                    threads,
                                    "positions",
                                    work.positions() + 64));
            loaded = true;
            return new LlamaCpp(peer, threads, work, answer);
        } finally {
            if (!loaded) {
                peer.close();
            }
        }
    }

    private static String script() {
        try (InputStream in = LlamaCpp.class.getResourceAsStream(SCRIPT)) {
            if (in == null) {
                throw new IllegalStateException(SCRIPT + " is not on the class path");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new IllegalStateException(e); // a resource of our own jar
        }
    }

    ProcessHandle handle() {
        return peer.handle();
    }

    int threads() {
        return threads;
    }

    String version() {
        return loaded.path("version").asString();
    }

    /** What it says it was built for and found. */
    String systemInfo() {
        return loaded.path("system_info").asString().strip();
    }

    double loadSeconds() {
        return loaded.path("seconds").asDouble();
    }

    long peakBytes() {
        return peer.ask(Map.of("op", "memory")).path("peak_bytes").asLong();
    }

    /** Features of the processor that this build does not use, as llama.cpp calls them. */
    static List<String> missing(Machine machine, String systemInfo) {
        var missing = new ArrayList<String>();
        REPORTED.forEach((feature, name) -> {
            // The wider VNNI makes the narrower one unnecessary.
            boolean superseded = feature.equals("avx_vnni") && machine.has("avx512_vnni");
            boolean told = systemInfo.contains(" " + name + " = 1");
            if (machine.has(feature) && !superseded && !told) {
                missing.add(name);
            }
        });
        return missing;
    }

    /** It with one setting. */
    Contender with(boolean flash) {
        return figure -> Contender.Reading.speedOnly(perSecond(figure, flash));
    }

    private double perSecond(Figure figure, boolean flash) {
        JsonNode answer =
                switch (figure) {
                    case PREFILL -> ask("prefill", work.prefill(), flash);
                    case DECODE_SHORT, DECODE_LONG -> ask("decode", work.prefix(figure) + 1, flash);
                };
        return answer.path("tokens").asDouble() / answer.path("seconds").asDouble();
    }

    /** The tokens that its decode at short context gives. */
    int[] greedy(boolean flash) {
        JsonNode ids = ask("decode", work.shortPrefix() + 1, flash).path("ids");
        int[] decoded = new int[ids.size()];
        for (int i = 0; i < decoded.length; i++) {
            decoded[i] = ids.get(i).asInt();
        }
        return decoded;
    }

    /** Mean negative log-likelihood of ids [start, start + count), the first not counted. */
    double nll(int start, int count) {
        return ask("nll", Arrays.copyOfRange(work.ids(), start, start + count), false)
                .path("nll")
                .asDouble();
    }

    private JsonNode ask(String op, int count, boolean flash) {
        return ask(op, Arrays.copyOf(work.ids(), count), flash);
    }

    private JsonNode ask(String op, int[] ids, boolean flash) {
        return peer.ask(
                Map.of(
                        "op", op,
                        "ids", ids,
                        "count", work.decode(),
                        "seconds", work.seconds(),
                        "flash", flash));
    }

    @Override
    public void close() {
        peer.close();
    }
}
