package dev.flagship.server;

import dev.flagship.http.ErrorRenderer;
import dev.flagship.http.Exchange;
import dev.flagship.http.Handler;
import dev.flagship.http.HttpServer;
import dev.flagship.http.Route;
import dev.flagship.serving.api.ChatModel;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;

/**
 * Models behind OpenAI's API, on loopback. It listens at once and answers 503 until {@link #ready};
 * so a port that is taken is known before a model is loaded.
 */
public final class FlagshipServer implements AutoCloseable {
    /** Where the server listens unless told otherwise. */
    public static final int DEFAULT_PORT = 11435;

    /** Proxies and clients that watch for silence give up after 30 s or more. */
    private static final Duration HEARTBEAT = Duration.ofSeconds(10);

    private final HttpServer http;
    private final Models models;

    private FlagshipServer(HttpServer http, Models models) {
        this.http = http;
        this.models = models;
    }

    /**
     * Starts listening on 127.0.0.1, without models.
     *
     * @param port 0 takes any free one
     * @throws dev.flagship.http.HttpStartException if the port cannot be had
     */
    public static FlagshipServer start(int port) {
        return start(port, HEARTBEAT);
    }

    static FlagshipServer start(int port, Duration heartbeat) {
        var models = new Models();
        var completions = new Completions(models, heartbeat);
        var tokenization = new Tokenization(models);
        var routes =
                List.of(
                        Route.post("/v1/chat/completions", typed(completions::chat)),
                        Route.post("/v1/completions", typed(completions::text)),
                        Route.post("/tokenize", typed(tokenization::tokenize)),
                        Route.post("/detokenize", typed(tokenization::detokenize)),
                        Route.get("/v1/models", typed(models::list)),
                        Route.get("/v1/models/{id}", typed(models::show)),
                        Route.get("/health", typed(models::health)));
        ErrorRenderer errors = Wire::error;
        return new FlagshipServer(
                HttpServer.start(HttpServer.Config.loopback(port), routes, errors), models);
    }

    /** Answers errors that name a parameter, which HTTP knows nothing about. */
    private static Handler typed(Handler handler) {
        return exchange -> {
            try {
                handler.handle(exchange);
            } catch (ApiException e) {
                refuse(exchange, e);
            }
        };
    }

    private static void refuse(Exchange exchange, ApiException e) {
        exchange.respond(e.status(), Wire.JSON, Wire.bytes(Wire.errorJson(e)), e.headers());
    }

    /**
     * Serves a model under the name that its info tells, and owns it from now on.
     *
     * @throws dev.flagship.base.InvalidArgumentException if the name is taken
     */
    public void add(ChatModel model) {
        models.add(model);
    }

    /** All models have been added. */
    public void ready() {
        models.complete();
    }

    /** Where the server listens. */
    public InetSocketAddress address() {
        return http.address();
    }

    /** Ends running answers, closes the models and stops listening. */
    @Override
    public void close() {
        models.all().values().forEach(ChatModel::close);
        http.close();
    }
}
