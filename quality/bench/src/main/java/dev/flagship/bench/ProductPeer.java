package dev.flagship.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;

/** F32 products of PyTorch and ONNX Runtime, through {@code products_peer.py}. One thread. */
final class ProductPeer implements AutoCloseable {
    private static final String SCRIPT = "products_peer.py";

    private final Peer peer;
    private JsonNode last;

    private ProductPeer(Peer peer, JsonNode loaded) {
        this.peer = peer;
        this.last = loaded;
    }

    /**
     * Starts Python.
     *
     * @throws BenchException {@code peer_failed} if it cannot be started or has neither
     */
    static ProductPeer start(String python, int threads) {
        return start(List.of(python, "-u", "-c", Peer.script(SCRIPT)), threads);
    }

    static ProductPeer start(List<String> command, int threads) {
        Peer peer = Peer.start(command);
        boolean loaded = false;
        try {
            JsonNode answer = peer.ask(Map.of("op", "load", "threads", threads));
            if (answer.path("engines").isEmpty()) {
                throw new BenchException(
                        "peer_failed",
                        "%s has neither torch nor onnxruntime with onnx."
                                .formatted(command.getFirst()),
                        null);
            }
            loaded = true;
            return new ProductPeer(peer, answer);
        } finally {
            if (!loaded) {
                peer.close();
            }
        }
    }

    ProcessHandle handle() {
        return peer.handle();
    }

    /** Names with versions; to be asked for before the first shape. */
    String versions() {
        return last.path("engines").properties().stream()
                .map(e -> e.getKey() + " " + e.getValue().asString())
                .collect(Collectors.joining(", "));
    }

    /**
     * One way to compute the product.
     *
     * @param setting how the engine is asked
     */
    record Way(String engine, String setting) {}

    /** Prepares a product; the ways to compute it. */
    List<Way> prepare(ShapeBench.Shape shape) {
        last =
                peer.ask(
                        Map.of(
                                "op",
                                "shape",
                                "m",
                                shape.rows(),
                                "k",
                                shape.inputs(),
                                "n",
                                shape.outputs()));
        var ways = new ArrayList<Way>();
        last.path("last")
                .properties()
                .forEach(engine ->
                        engine.getValue()
                                .propertyNames()
                                .forEach(setting -> ways.add(new Way(engine.getKey(), setting))));
        return ways;
    }

    /** The last number of the prepared product, computed in this way. */
    double lastNumber(Way way) {
        return last.path("last").path(way.engine()).path(way.setting()).asDouble();
    }

    /** Products a second. */
    double perSecond(Way way, double seconds) {
        JsonNode answer =
                peer.ask(
                        Map.of(
                                "op",
                                "run",
                                "engine",
                                way.engine(),
                                "setting",
                                way.setting(),
                                "seconds",
                                seconds));
        return answer.path("products").asDouble() / answer.path("seconds").asDouble();
    }

    @Override
    public void close() {
        peer.close();
    }
}
