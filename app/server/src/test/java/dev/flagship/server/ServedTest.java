package dev.flagship.server;

import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** A server with one fake model named {@code fake}, and a client. */
abstract class ServedTest {
    static final Duration HEARTBEAT = Duration.ofMillis(100);

    final FakeChatModel model = new FakeChatModel("fake");
    FlagshipServer server;
    Client client;

    @BeforeEach
    void start() {
        server = FlagshipServer.start(0, HEARTBEAT);
        server.add(model);
        server.ready();
        client = new Client(server);
    }

    @AfterEach
    void stop() {
        client.close();
        server.close();
    }
}
