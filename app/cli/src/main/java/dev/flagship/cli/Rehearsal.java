package dev.flagship.cli;

import dev.flagship.launch.Catalogue;
import dev.flagship.launch.CatalogueModel;
import dev.flagship.launch.ModelStore;
import dev.flagship.server.FlagshipServer;
import dev.flagship.serving.LoadListener;
import dev.flagship.serving.LoadOptions;
import dev.flagship.serving.TextModel;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * What {@code run} and {@code serve} do at first, once through with the default model: Java records
 * which classes that takes, and later starts find them ready (JEP 483). The launcher calls it, in
 * the background; nothing is fetched and nothing is said.
 */
final class Rehearsal {
    /** The word by which the launcher asks for it. */
    static final String COMMAND = "rehearse";

    /** Exit code: the default model is not here yet; worth another try. */
    static final int NO_MODEL = 3;

    /** For one token, while others have the processor. */
    private static final int PATIENCE_MILLIS = 60_000;

    /** Four tokens with all that is said around them. */
    private static final int LONGEST_ANSWER = 64 << 10;

    /** In the environment of what is rehearsed: nobody asked for it, so nobody is shown it. */
    static final String MARK = "flagship.rehearsal";

    private Rehearsal() {}

    static int run(Map<String, String> given) {
        var environment = new HashMap<>(given);
        environment.put(MARK, "yes");
        environment.remove("FLAGSHIP_HUB"); // nothing is fetched, and a mistake is others' to tell
        ModelStore store = ModelStore.open(ModelStore.defaultHome(environment), environment);
        Optional<CatalogueModel> model =
                store.catalogue().stream()
                        .filter(known -> known.name().equals(Catalogue.DEFAULT_MODEL))
                        .filter(store::holds)
                        .findFirst();
        if (model.isEmpty()) {
            return NO_MODEL;
        }
        var nowhere =
                new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8);
        var streams =
                new Streams(InputStream.nullInputStream(), nowhere, nowhere, false, false, false);
        String[] words = {"run", Catalogue.DEFAULT_MODEL, "--max-tokens", "4", "Hello"};
        int code = Main.run(words, streams, environment);
        return code != 0 ? code : serve(store);
    }

    private static int serve(ModelStore store) {
        Path path = store.resolve(Catalogue.DEFAULT_MODEL);
        var options =
                LoadOptions.of(Catalogue.DEFAULT_MODEL).withPackedFolder(StoreOf.packed(store));
        try (FlagshipServer server = FlagshipServer.start(0)) {
            server.add(TextModel.open(path, options, LoadListener.SILENT));
            server.ready();
            return answers(server.address()) ? 0 : Failures.FAILED;
        } catch (IOException e) {
            return Failures.FAILED;
        }
    }

    /** Asked by hand: a client's classes are none of the server's. */
    private static boolean answers(InetSocketAddress address) throws IOException {
        byte[] body =
                """
                {"model": "%s", "max_tokens": 4, "stream": true,
                 "messages": [{"role": "user", "content": "Hello"}]}
                """
                        .formatted(Catalogue.DEFAULT_MODEL)
                        .getBytes(StandardCharsets.UTF_8);
        String head =
                "POST /v1/chat/completions HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
                        .formatted(
                                address.getAddress().getHostAddress(),
                                address.getPort(),
                                body.length);
        try (var socket = new Socket(address.getAddress(), address.getPort())) {
            socket.setSoTimeout(PATIENCE_MILLIS);
            socket.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
            socket.getOutputStream().write(body);
            socket.getOutputStream().flush();
            String answer =
                    new String(
                            socket.getInputStream().readNBytes(LONGEST_ANSWER),
                            StandardCharsets.UTF_8);
            return answer.startsWith("HTTP/1.1 200 ") && answer.contains("data: [DONE]");
        }
    }
}
