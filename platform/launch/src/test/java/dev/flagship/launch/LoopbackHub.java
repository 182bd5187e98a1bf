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
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** A hub that answers each connection with whatever bytes a test writes. */
final class LoopbackHub implements AutoCloseable {
    interface Answer {
        void write(String path, OutputStream out) throws IOException, InterruptedException;
    }

    private final ServerSocket server;
    private final Answer answer;
    private final List<String> paths = new CopyOnWriteArrayList<>();

    LoopbackHub(Answer answer) throws IOException {
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
            for (String line = path; !line.isEmpty(); line = in.readLine()) {
                // headers do not matter here
            }
            paths.add(path);
            answer.write(path, socket.getOutputStream());
            socket.getOutputStream().flush();
        } catch (IOException | InterruptedException e) {
            return; // the client has had enough
        }
    }

    List<String> paths() {
        return List.copyOf(paths);
    }

    URI base() {
        return URI.create("http://127.0.0.1:" + server.getLocalPort() + "/");
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
