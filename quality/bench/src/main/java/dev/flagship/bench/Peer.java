package dev.flagship.bench;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A child process that answers a line of JSON with a line of JSON. One thread. */
final class Peer implements AutoCloseable {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final int MOST_MINUTES = 10;

    private final Process process;
    private final BufferedWriter requests;
    private final BufferedReader answers;

    private Peer(Process process) {
        this.process = process;
        this.requests = process.outputWriter();
        this.answers = process.inputReader();
    }

    /**
     * Starts it; what it says on stderr goes to ours.
     *
     * @throws BenchException {@code peer_failed} if it cannot be started
     */
    static Peer start(List<String> command) {
        try {
            return new Peer(
                    new ProcessBuilder(command)
                            .redirectError(ProcessBuilder.Redirect.INHERIT)
                            .start());
        } catch (IOException e) {
            throw failed(
                    "%s cannot be started (%s)".formatted(command.getFirst(), e.getMessage()), e);
        }
    }

    /** The text of a script of our own jar. */
    static String script(String name) {
        try (InputStream in = Peer.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalStateException(name + " is not on the class path");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new IllegalStateException(e); // a resource of our own jar
        }
    }

    ProcessHandle handle() {
        return process.toHandle();
    }

    /**
     * Asks and waits.
     *
     * @throws BenchException {@code peer_failed} if it answers with an error, or not at all
     */
    JsonNode ask(Object request) {
        String line = exchange(JSON.writeValueAsString(request));
        try {
            JsonNode answer = JSON.readTree(line);
            if (answer.has("error")) {
                throw failed(answer.path("error").asString(), null);
            }
            return answer;
        } catch (JacksonException e) {
            throw failed("it answered something that is no JSON: " + line, e);
        }
    }

    private String exchange(String request) {
        try {
            requests.write(request);
            requests.newLine();
            requests.flush();
            String line =
                    CompletableFuture.supplyAsync(this::readLine)
                            .get(MOST_MINUTES, TimeUnit.MINUTES);
            if (line == null) {
                throw failed("it ended with exit code " + process.waitFor(), null);
            }
            return line;
        } catch (IOException | ExecutionException e) {
            throw failed("it went away", e);
        } catch (TimeoutException e) {
            throw failed("it did not answer for %d minutes".formatted(MOST_MINUTES), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw failed("the wait for it was interrupted", e);
        }
    }

    private @Nullable String readLine() {
        try {
            return answers.readLine();
        } catch (IOException e) {
            return null; // closed: the process has ended
        }
    }

    private static BenchException failed(String what, @Nullable Throwable cause) {
        return new BenchException("peer_failed", "The peer failed: " + what + ".", cause);
    }

    @Override
    public void close() {
        process.destroy();
        try {
            if (!process.waitFor(5, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
