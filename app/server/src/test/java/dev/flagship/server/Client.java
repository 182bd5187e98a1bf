package dev.flagship.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A client of a server under test. */
final class Client implements AutoCloseable {
    private static final JsonMapper JSON = JsonMapper.shared();

    /** A response with its body read as JSON. */
    record Reply(int status, HttpResponse<String> response, JsonNode json) {
        JsonNode error() {
            return json.get("error");
        }
    }

    /** A stream, taken apart. */
    record Streamed(List<JsonNode> chunks, List<String> comments, String last) {
        /** What a choice said in all. */
        String text(int choice) {
            var text = new StringBuilder();
            for (JsonNode chunk : chunks) {
                for (JsonNode each : chunk.get("choices")) {
                    if (each.get("index").intValue() == choice) {
                        text.append(each.path("delta").path("content").stringValue(""));
                        text.append(each.path("text").stringValue(""));
                    }
                }
            }
            return text.toString();
        }

        /** The reasons that a choice's chunks give for its end. */
        List<String> reasons(int choice) {
            var reasons = new ArrayList<String>();
            for (JsonNode chunk : chunks) {
                for (JsonNode each : chunk.get("choices")) {
                    if (each.get("index").intValue() == choice
                            && !each.get("finish_reason").isNull()) {
                        reasons.add(each.get("finish_reason").stringValue());
                    }
                }
            }
            return reasons;
        }
    }

    private final HttpClient http = HttpClient.newHttpClient();
    private final String base;

    Client(FlagshipServer server) {
        base = "http://127.0.0.1:" + server.address().getPort();
    }

    /** A body with one user message and these further fields, {@code "seed": 1}. */
    static String body(String... fields) {
        var all =
                new ArrayList<>(
                        List.of("\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]"));
        all.addAll(List.of(fields));
        return "{" + String.join(", ", all) + "}";
    }

    Reply get(String path) throws IOException, InterruptedException {
        return send(HttpRequest.newBuilder(URI.create(base + path)).build());
    }

    Reply chat(String body) throws IOException, InterruptedException {
        return send(post(HttpRequest.BodyPublishers.ofString(body)));
    }

    Reply chat(byte[] body) throws IOException, InterruptedException {
        return send(post(HttpRequest.BodyPublishers.ofByteArray(body)));
    }

    Reply send(String method, String path, HttpRequest.BodyPublisher body)
            throws IOException, InterruptedException {
        return send(HttpRequest.newBuilder(URI.create(base + path)).method(method, body).build());
    }

    /** A text completion, or whatever else the path is for. */
    Reply post(String path, String body) throws IOException, InterruptedException {
        return send(post(path, HttpRequest.BodyPublishers.ofString(body)));
    }

    private HttpRequest post(HttpRequest.BodyPublisher body) {
        return post("/v1/chat/completions", body);
    }

    private HttpRequest post(String path, HttpRequest.BodyPublisher body) {
        return HttpRequest.newBuilder(URI.create(base + path))
                .header("Content-Type", "application/json")
                .POST(body)
                .build();
    }

    private Reply send(HttpRequest request) throws IOException, InterruptedException {
        var response = http.send(request, HttpResponse.BodyHandlers.ofString());
        assertThat(response.headers().firstValue("Content-Type")).contains("application/json");
        return new Reply(response.statusCode(), response, JSON.readTree(response.body()));
    }

    Streamed stream(String... fields) throws IOException, InterruptedException {
        var all = new ArrayList<>(List.of(fields));
        all.add("\"stream\": true");
        return stream("/v1/chat/completions", body(all.toArray(String[]::new)));
    }

    Streamed stream(String path, String body) throws IOException, InterruptedException {
        var request = post(path, HttpRequest.BodyPublishers.ofString(body));
        var response = http.send(request, HttpResponse.BodyHandlers.ofString());
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        assertThat(response.headers().firstValue("Content-Type"))
                .contains("text/event-stream; charset=utf-8");
        var chunks = new ArrayList<JsonNode>();
        var comments = new ArrayList<String>();
        String last = "";
        for (String line : response.body().split("\n", -1)) {
            if (line.startsWith("data: ")) {
                assertThat(last).as("nothing follows [DONE]").isNotEqualTo("[DONE]");
                last = line.substring(6);
                if (!last.equals("[DONE]")) {
                    chunks.add(JSON.readTree(last));
                }
            } else if (line.startsWith(":")) {
                comments.add(line.substring(1).strip());
            }
        }
        return new Streamed(chunks, comments, last);
    }

    @Override
    public void close() {
        http.close();
    }
}
