package dev.flagship.http;

import static dev.flagship.base.Check.check;

import io.helidon.common.buffers.BufferData;
import io.helidon.common.socket.SocketOptions;
import io.helidon.http.DirectHandler.EventType;
import io.helidon.http.encoding.ContentEncodingContext;
import io.helidon.http.media.MediaContext;
import io.helidon.service.registry.GlobalServiceRegistry;
import io.helidon.service.registry.ServiceRegistryConfig;
import io.helidon.service.registry.ServiceRegistryManager;
import io.helidon.webserver.ConnectionContext;
import io.helidon.webserver.WebServer;
import io.helidon.webserver.http.DirectHandlers;
import io.helidon.webserver.http.HttpRouting;
import io.helidon.webserver.http1.Http1Config;
import io.helidon.webserver.http1.Http1ConnectionSelector;
import io.helidon.webserver.spi.ServerConnection;
import io.helidon.webserver.spi.ServerConnectionSelector;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import org.jspecify.annotations.Nullable;

/** A running server. */
public final class HttpServer implements AutoCloseable {
    /**
     * Where to listen and what to allow.
     *
     * @param address must be a loopback address
     * @param port 0 takes any free one
     */
    public record Config(InetAddress address, int port, Limits limits) {
        public Config {
            check(port >= 0 && port <= 65535, "http: port %s is not between 0 and 65535", port);
        }

        /** 127.0.0.1, with {@link Limits#DEFAULT}. */
        public static Config loopback(int port) {
            return new Config(InetAddress.ofLiteral("127.0.0.1"), port, Limits.DEFAULT);
        }
    }

    private final WebServer server;
    private final ScheduledExecutorService alarms;
    private final InetSocketAddress address;

    private HttpServer(
            WebServer server, ScheduledExecutorService alarms, InetSocketAddress address) {
        this.server = server;
        this.alarms = alarms;
        this.address = address;
    }

    /**
     * Starts a server, which accepts connections when this returns.
     *
     * @throws HttpStartException if the address is not loopback or cannot be bound
     */
    public static HttpServer start(Config config, List<Route> routes, ErrorRenderer errors) {
        if (!config.address().isLoopbackAddress()) {
            throw new HttpStartException(
                    "address_refused",
                    "http: cannot listen on %s: the server has no authentication yet, so it listens on loopback only. Use 127.0.0.1 or ::1, and a tunnel (ssh -L) to reach it from another machine"
                            .formatted(config.address().getHostAddress()),
                    null);
        }
        probe(config);
        var alarms =
                new ScheduledThreadPoolExecutor(
                        1, Thread.ofPlatform().daemon().name("http-alarms").factory());
        alarms.setRemoveOnCancelPolicy(true);
        var dispatcher = new Dispatcher(new Router(routes), config.limits(), errors);
        WebServer server = server(config, dispatcher, alarms).start();
        if (!server.isRunning()) {
            alarms.shutdownNow();
            throw unavailable(config, null);
        }
        return new HttpServer(
                server, alarms, new InetSocketAddress(config.address(), server.port()));
    }

    /**
     * Helidon logs a failed bind with its stack and keeps the reason; this asks for the reason
     * first.
     */
    private static void probe(Config config) {
        try (var socket = new ServerSocket()) {
            socket.setReuseAddress(true);
            socket.bind(new InetSocketAddress(config.address(), config.port()));
        } catch (IOException e) {
            throw unavailable(config, e);
        }
    }

    private static HttpStartException unavailable(Config config, @Nullable IOException cause) {
        return new HttpStartException(
                "address_unavailable",
                "http: cannot listen on %s port %s%s. If another program uses the port, choose another one, or 0 for any"
                        .formatted(
                                config.address().getHostAddress(),
                                config.port(),
                                cause == null ? "" : " (" + cause.getMessage() + ")"),
                cause);
    }

    private static WebServer server(
            Config config, Dispatcher dispatcher, ScheduledExecutorService alarms) {
        Limits limits = config.limits();
        var refusals = DirectHandlers.builder();
        for (var type : EventType.values()) {
            refusals.addHandler(type, dispatcher::refusal);
        }
        var http1 =
                Http1ConnectionSelector.builder()
                        .config(
                                Http1Config.builder()
                                        // Connection counts the head exactly; these only must not
                                        // be smaller.
                                        .maxPrologueLength(limits.headBytes() + 2)
                                        .maxHeadersSize(limits.headBytes() + 2)
                                        .validateResponseHeaders(true) // no line breaks in values
                                        .build())
                        .build();
        withoutDiscovery();
        return WebServer.builder()
                .address(config.address())
                .port(config.port())
                .shutdownHook(false) // the program that owns this server closes it
                .featuresDiscoverServices(false)
                .mediaContext(MediaContext.builder().mediaSupportsDiscoverServices(false).build())
                .contentEncoding(
                        ContentEncodingContext.builder()
                                .contentEncodingsDiscoverServices(false)
                                .build())
                .protocolsDiscoverServices(false) // no other protocol than the one below
                .addConnectionSelector(new Selector(http1, limits, alarms))
                .maxPayloadSize(limits.bodyBytes())
                .maxTcpConnections(limits.connections())
                .shutdownGracePeriod(limits.closeTime())
                .connectionOptions(SocketOptions.builder().tcpNoDelay(true).build())
                .directHandlers(refusals.build())
                .routing(HttpRouting.builder().any(dispatcher::dispatch))
                .build();
    }

    /**
     * Gives Helidon an empty registry of services, unless the process has one: finding those on the
     * class path costs a fifth of a start, and this server uses none.
     */
    private static void withoutDiscovery() {
        var config =
                ServiceRegistryConfig.builder()
                        .discoverServices(false)
                        .discoverServicesFromServiceLoader(false)
                        .build();
        GlobalServiceRegistry.registry(() -> ServiceRegistryManager.create(config).registry());
    }

    /** Where the server listens, with the port that was found. */
    public InetSocketAddress address() {
        return address;
    }

    /**
     * Stops accepting, lets requests in flight end for {@link Limits#closeTime}, then interrupts
     * their handlers. Further calls do nothing.
     */
    @Override
    public void close() {
        server.stop();
        alarms.shutdownNow();
    }

    /** Puts {@link Connection} between Helidon's socket and its HTTP/1.1. */
    private record Selector(
            Http1ConnectionSelector http1, Limits limits, ScheduledExecutorService alarms)
            implements ServerConnectionSelector {
        @Override
        public int bytesToIdentifyConnection() {
            return http1.bytesToIdentifyConnection();
        }

        @Override
        public Support supports(BufferData data) {
            return http1.supports(data);
        }

        @Override
        public Set<String> supportedApplicationProtocols() {
            return http1.supportedApplicationProtocols();
        }

        @Override
        public ServerConnection connection(ConnectionContext context) {
            return new Connection(context, http1, limits, alarms);
        }
    }
}
