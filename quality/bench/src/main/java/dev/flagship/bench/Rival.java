package dev.flagship.bench;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/**
 * Another engine in a process of its own, through its script. Each of its settings is a contender
 * of its own, and the best counts. One thread.
 */
final class Rival implements AutoCloseable {
    private final Engine engine;
    private final Peer peer;
    private final int threads;
    private final Workload work;
    private final JsonNode loaded;

    private Rival(Engine engine, Peer peer, int threads, Workload work, JsonNode loaded) {
        this.engine = engine;
        this.peer = peer;
        this.threads = threads;
        this.work = work;
        this.loaded = loaded;
    }

    /**
     * Starts it and loads the file.
     *
     * @param where it lives: a Python interpreter; for llama3.java the file Llama3.java, for jlama
     *     the folder of its jars
     * @param scratch an empty folder, for what must be compiled first
     * @throws BenchException {@code peer_failed} if one of them fails
     */
    static Rival start(
            Engine engine, String where, Path model, int threads, Workload work, Path scratch) {
        String script = Peer.script(engine.script());
        List<String> command =
                switch (engine) {
                    case LLAMA3_JAVA -> JavaPeer.llama3(Path.of(where), script, scratch);
                    case JLAMA -> JavaPeer.jlama(Path.of(where), script, scratch);
                    case LLAMA_CPP, IK_LLAMA_CPP, PYTORCH -> List.of(where, "-u", "-c", script);
                };
        return start(engine, command, model, threads, work);
    }

    static Rival start(
            Engine engine, List<String> command, Path model, int threads, Workload work) {
        Peer peer = Peer.start(command);
        boolean loaded = false;
        try {
            JsonNode answer =
                    peer.ask(
                            Map.of(
                                    "op",
                                    "load",
                                    "engine",
                                    engine.title(),
                                    "model",
                                    model.toString(),
                                    "threads",
                                    threads,
                                    "positions",
                                    work.positions() + 64));
            loaded = true;
            return new Rival(engine, peer, threads, work, answer);
        } finally {
            if (!loaded) {
                peer.close();
            }
        }
    }

    Engine engine() {
        return engine;
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

    /** It with one setting. */
    Contender with(Engine.Setting setting) {
        return figure -> Contender.Reading.speedOnly(perSecond(figure, setting));
    }

    private double perSecond(Figure figure, Engine.Setting setting) {
        JsonNode answer =
                switch (figure) {
                    case PREFILL -> ask("prefill", ids(work.prefill()), 1, setting);
                    case DECODE_SHORT, DECODE_LONG ->
                            ask("decode", ids(work.prefix(figure) + 1), 1, setting);
                    case DECODE_MANY ->
                            ask(
                                    "decode",
                                    ids(work.sequences() * (work.shortPrefix() + 1)),
                                    work.sequences(),
                                    setting);
                };
        return answer.path("tokens").asDouble() / answer.path("seconds").asDouble();
    }

    /** The tokens that its decode at short context gives. */
    int[] greedy(Engine.Setting setting) {
        JsonNode ids = ask("decode", ids(work.shortPrefix() + 1), 1, setting).path("ids");
        int[] decoded = new int[ids.size()];
        for (int i = 0; i < decoded.length; i++) {
            decoded[i] = ids.get(i).asInt();
        }
        return decoded;
    }

    /** Mean negative log-likelihood of ids [start, start + count), the first not counted. */
    double nll(Engine.Setting setting, int start, int count) {
        int[] window = Arrays.copyOfRange(work.ids(), start, start + count);
        return ask("nll", window, 1, setting).path("nll").asDouble();
    }

    private int[] ids(int count) {
        return Arrays.copyOf(work.ids(), count);
    }

    private JsonNode ask(String op, int[] ids, int sequences, Engine.Setting setting) {
        return peer.ask(
                Map.of(
                        "op", op,
                        "ids", ids,
                        "sequences", sequences,
                        "count", work.decode(),
                        "seconds", work.seconds(),
                        "setting", setting.title(),
                        "flash", setting.flash(),
                        "repack", setting.repack()));
    }

    @Override
    public void close() {
        peer.close();
    }
}
