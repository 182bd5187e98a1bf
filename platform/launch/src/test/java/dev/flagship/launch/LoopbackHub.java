package dev.flagship.launch;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A hub that answers each connection with whatever bytes a test writes. */
final class LoopbackHub implements AutoCloseable {
    private static final Pattern RANGE = Pattern.compile("bytes=(\\d+)-(\\d+)");

    interface Answer {
        void write(String path, OutputStream out) throws IOException, InterruptedException;
    }

    private final ServerSocket server;

    /**
     * What was asked.
     *
     * @param headers by their names in lower case
     */
    record Request(String path, Map<String, String> headers) {
        String header(String name) {
            return headers.getOrDefault(name, "");
        }
    }

    interface Exchange {
        void write(Request request, OutputStream out) throws IOException, InterruptedException;
    }

    private final Exchange answer;
    private final List<Request> requests = new CopyOnWriteArrayList<>();

    LoopbackHub(Answer answer) throws IOException {
        this((Exchange) (request, out) -> answer.write(request.path(), out));
    }

    static LoopbackHub of(Exchange answer) throws IOException {
        return new LoopbackHub(answer);
    }

    private LoopbackHub(Exchange answer) throws IOException {
        this.server = new ServerSocket(0, 10, InetAddress.ofLiteral("127.0.0.1"));
        this.answer = answer;
        Thread.ofVirtual().start(this::accept);
    }

    static Answer ok(byte[] body) {
        return (path, out) -> {
            head(out, "200 OK", "Content-Length: " + body.length);
            out.write(body);
        };
    }

    /** Gives ranges of the content, as RFC 9110 section 14 says. */
    static Exchange ranges(byte[] content) {
        return (request, out) -> {
            Matcher range = RANGE.matcher(request.header("range"));
            if (!range.matches()) {
                ok(content).write(request.path(), out);
                return;
            }
            int from = Integer.parseInt(range.group(1));
            int to = Math.min(Integer.parseInt(range.group(2)), content.length - 1);
            if (from >= content.length) {
                head(out, "416 Range Not Satisfiable", "Content-Range: bytes */" + content.length);
                return;
            }
            head(
                    out,
                    "206 Partial Content",
                    "Content-Length: " + (to - from + 1),
                    "ETag: \"one\"",
                    "Content-Range: bytes %d-%d/%d".formatted(from, to, content.length));
            out.write(content, from, to - from + 1);
        };
    }

    static void head(OutputStream out, String status, String... headers) throws IOException {
        var head = "HTTP/1.1 " + status + "\r\nConnection: close\r\n";
        for (var header : headers) {
            head += header + "\r\n";
        }
        out.write((head + "\r\n").getBytes(StandardCharsets.US_ASCII));
    }

    private void accept() {
        try {
            while (true) {
                Socket socket = server.accept();
                Thread.ofVirtual().start(() -> serve(socket));
            }
        } catch (IOException e) {
            return; // closed
        }
    }

    private void serve(Socket socket) {
        try (socket) {
            var in =
                    new BufferedReader(
                            new InputStreamReader(
                                    socket.getInputStream(), StandardCharsets.US_ASCII));
            String path = in.readLine().split(" ", -1)[1];
            Map<String, String> headers = new HashMap<>();
            for (String line = in.readLine(); !line.isEmpty(); line = in.readLine()) {
                int colon = line.indexOf(':');
                headers.put(
                        line.substring(0, colon).toLowerCase(Locale.ROOT),
                        line.substring(colon + 1).strip());
            }
            var request = new Request(path, Map.copyOf(headers));
            requests.add(request);
            answer.write(request, socket.getOutputStream());
            socket.getOutputStream().flush();
        } catch (IOException | InterruptedException e) {
            return; // the client has had enough
        }
    }

    List<String> paths() {
        return requests.stream().map(Request::path).toList();
    }

    List<Request> requests() {
        return List.copyOf(requests);
    }

    URI base() {
        return URI.create("http://127.0.0.1:" + server.getLocalPort() + "/");
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
