package dev.flagship.launch;

import dev.flagship.base.Quoted;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serial;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Asks a hub, or any web server, for files. Follows few redirects, over HTTPS, and takes the token
 * to the hub's own host only. Waits where a server asks for it. Safe for several threads.
 */
final class HubClient implements AutoCloseable {
    private static final Duration CONNECT = Duration.ofSeconds(5); // many machines reach no hub
    private static final int REDIRECTS = 5;
    private static final int ATTEMPTS = 3;
    private static final Set<Integer> REDIRECT = Set.of(301, 302, 303, 307, 308);

    /** RFC 9110, section 14.4. */
    private static final Pattern CONTENT_RANGE =
            Pattern.compile("bytes (?:(\\d{1,18})-(\\d{1,18})|\\*)/(\\d{1,18}|\\*)");

    private final Hub hub;
    private final URI page;
    private final HttpClient client;
    private final Pause pause;

    /**
     * @param page where people read about what is asked for
     */
    HubClient(Hub hub, URI page) {
        this.hub = hub;
        this.page = page;
        this.pause = new Pause(hub.transfer().longestWait());
        this.client =
                HttpClient.newBuilder()
                        .connectTimeout(CONNECT)
                        .followRedirects(HttpClient.Redirect.NEVER)
                        // with version 2 all ranges would share one connection
                        .version(HttpClient.Version.HTTP_1_1)
                        .build();
    }

    Transfer transfer() {
        return hub.transfer();
    }

    /** A server that may be well again soon. */
    static final class TroubleException extends IOException {
        @Serial private static final long serialVersionUID = 1L;

        TroubleException(String message) {
            super(message);
        }
    }

    /**
     * What a server sends.
     *
     * @param at where it was in the end
     * @param digest of the whole file, where a redirect told one
     */
    record Answer(URI at, HttpResponse<InputStream> response, FileDigest digest)
            implements AutoCloseable {

        /** Whether only the range that was asked for comes. */
        boolean partial() {
            return response.statusCode() == 206;
        }

        /** The first byte of the range. */
        OptionalLong from() {
            Matcher range = CONTENT_RANGE.matcher(header("content-range"));
            return range.matches() && range.group(1) != null
                    ? OptionalLong.of(Long.parseLong(range.group(1)))
                    : OptionalLong.empty();
        }

        /** Size of the whole file; empty if it is not told. */
        OptionalLong size() {
            if (!partial()) {
                return response.headers().firstValueAsLong("content-length");
            }
            Matcher range = CONTENT_RANGE.matcher(header("content-range"));
            return range.matches() && !range.group(3).equals("*")
                    ? OptionalLong.of(Long.parseLong(range.group(3)))
                    : OptionalLong.empty();
        }

        String header(String name) {
            return response.headers().firstValue(name).orElse("");
        }

        @Override
        public void close() throws IOException {
            response.body().close();
        }
    }

    /**
     * Asks for a file for the first time, and again where that may help.
     *
     * @param range as {@code bytes=0-0}; empty: all of it
     * @throws SourceException if the server has nothing for us
     * @throws IOException if it cannot be reached
     */
    Answer open(URI first, String range) throws SourceException, IOException, InterruptedException {
        for (int attempt = 1; ; attempt++) {
            try {
                return get(first, range);
            } catch (ConnectException | HttpTimeoutException e) {
                throw e; // another source is quicker than waiting once more
            } catch (IOException e) {
                if (attempt == ATTEMPTS) {
                    throw e;
                }
                Thread.sleep(hub.transfer().backoff().multipliedBy(1L << (attempt - 1)));
            }
        }
    }

    /** Asks once, but for the waits that the server asks for. */
    Answer get(URI first, String range) throws SourceException, IOException, InterruptedException {
        URI at = first;
        FileDigest digest = new FileDigest.Unknown();
        for (int hop = 0; hop <= REDIRECTS; ) {
            if (!Hub.mayFetch(first, at)) {
                throw new SourceException("%s is not HTTPS".formatted(shown(at)));
            }
            pause.await();
            HttpResponse<InputStream> response =
                    client.send(request(at, range), BodyHandlers.ofInputStream());
            int status = response.statusCode();
            if (status == 200 || status == 206) {
                return new Answer(at, response, digest);
            }
            response.body().close();
            if (status == 429
                    || status == 503 && response.headers().map().containsKey("retry-after")) {
                pause.ask(Pause.wish(response, hub.transfer()), status);
            } else if (REDIRECT.contains(status)) {
                digest = linked(response).orElse(digest);
                at = target(at, response);
                hop++;
            } else {
                throw refusal(at, response);
            }
        }
        throw new SourceException(
                "redirect_loop", "it redirected more than " + REDIRECTS + " times");
    }

    private HttpRequest request(URI at, String range) {
        HttpRequest.Builder request =
                HttpRequest.newBuilder(at)
                        .timeout(hub.transfer().patience())
                        .header("User-Agent", "flagship")
                        // what is hashed is what is meant, not a compressed form of it
                        .header("Accept-Encoding", "identity");
        if (!range.isEmpty()) {
            request.header("Range", range);
        }
        if (hub.isOwn(at)) {
            hub.token().ifPresent(token -> request.header("Authorization", token.authorization()));
        }
        return request.build();
    }

    /** Hugging Face's hub tells the SHA-256 of a large file where it sends one on to its store. */
    private static Optional<FileDigest> linked(HttpResponse<?> response) {
        String tag = response.headers().firstValue("x-linked-etag").orElse("").replace("\"", "");
        return tag.matches("[0-9a-f]{64}")
                ? Optional.of(new FileDigest.Sha256(tag))
                : Optional.empty();
    }

    private static URI target(URI at, HttpResponse<?> response) throws SourceException {
        var location = response.headers().firstValue("location").orElse("");
        try {
            return at.resolve(location);
        } catch (IllegalArgumentException e) {
            throw new SourceException(
                    "it redirected to %s, which is no URL".formatted(Quoted.of(location)), e);
        }
    }

    /** Addresses of a hub's store carry secrets of their own behind the question mark. */
    static String shown(URI uri) {
        String text = uri.toString();
        int query = text.indexOf('?');
        return query < 0 ? text : text.substring(0, query);
    }

    private SourceException refusal(URI at, HttpResponse<?> response) throws TroubleException {
        int status = response.statusCode();
        String code = response.headers().firstValue("x-error-code").orElse("");
        return switch (status) {
            case 401, 403 -> new SourceException("not_allowed", notAllowed(at, status, code));
            case 404, 410 ->
                    new SourceException(
                            "not_on_hub",
                            switch (code) {
                                case "EntryNotFound" -> "the repository has no such file";
                                case "RevisionNotFound" -> "the repository has no such revision";
                                case "RepoNotFound" -> "it has no such repository";
                                default -> "it has nothing there (status %d)".formatted(status);
                            });
            case 416 ->
                    new SourceException(
                            "bad_range",
                            "it has not so many bytes (status 416): another version of the file");
            default -> {
                if (status >= 500) {
                    throw new TroubleException("it answered with status " + status);
                }
                yield new SourceException("it answered with status " + status);
            }
        };
    }

    private String notAllowed(URI at, int status, String code) {
        if (!hub.isOwn(at)) {
            return "%s lets nobody in (status %d)".formatted(at.getAuthority(), status);
        }
        String gate = code.equals("GatedRepo") ? "the model is gated" : "it wants to know who asks";
        if (hub.token().isEmpty()) {
            return "%s (status %d). Read and accept its terms at %s, make a token for reading there, and give it in FLAGSHIP_HUB_TOKEN or in %s, which only you may read%s"
                    .formatted(
                            gate,
                            status,
                            page,
                            hub.tokenFile(),
                            code.equals("GatedRepo")
                                    ? ""
                                    : ". A misspelt or private repository is answered alike");
        }
        return status == 403
                ? "your token is known, but not let in (status 403): read and accept the terms at %s, or let the token read gated repositories"
                        .formatted(page)
                : "your token is not accepted (status 401), or there is no such repository: see %s"
                        .formatted(page);
    }

    @Override
    public void close() {
        client.shutdownNow();
    }
}
