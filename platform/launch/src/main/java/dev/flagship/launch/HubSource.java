package dev.flagship.launch;

import static dev.flagship.base.Check.check;

import dev.flagship.base.Bytes;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A model hub that serves files over HTTPS, with Hugging Face's paths. Plain HTTP is for a loopback
 * mirror only.
 *
 * @param base ends with a slash
 * @param patience how long a silent hub is waited for, in its answer as between its bytes
 */
record HubSource(URI base, Duration patience) implements Source {
    private static final Duration CONNECT = Duration.ofSeconds(5); // many machines reach no hub
    private static final int REDIRECTS = 3;
    private static final Set<Integer> REDIRECT = Set.of(301, 302, 303, 307, 308);

    HubSource {
        check(base.toString().endsWith("/"), "hub: %s does not end with a slash", base);
    }

    @Override
    public String describe(CatalogueModel model) {
        return "hub " + base.resolve(model.hubPath());
    }

    @Override
    public String label(CatalogueModel model) {
        return "hub " + base.getAuthority();
    }

    @Override
    public void fetch(CatalogueModel model, PartFile part, Progress progress)
            throws SourceException, InterruptedException {
        String host = base.getAuthority();
        progress.stage(
                "Asking %s for %s (for %s s at most)"
                        .formatted(host, model.title(), patience.toSeconds()));
        var client =
                HttpClient.newBuilder()
                        .connectTimeout(CONNECT)
                        .followRedirects(HttpClient.Redirect.NEVER)
                        .build();
        try {
            HttpResponse<InputStream> response = open(client, base.resolve(model.hubPath()));
            long length = response.headers().firstValueAsLong("content-length").orElse(-1);
            if (length >= 0 && length != model.bytes()) {
                throw new SourceException(
                        "its file has %s bytes, and not %s: another version of the model"
                                .formatted(length, model.bytes()));
            }
            progress.stage(
                    "Fetching %s (%s) from %s"
                            .formatted(model.title(), Bytes.human(model.bytes()), host));
            try (var in = new PatientStream(response.body(), patience)) {
                part.write(in, model, progress);
            }
        } catch (HttpTimeoutException e) {
            throw new SourceException("no answer in time (" + Reasons.of(e) + ")", e);
        } catch (IOException e) {
            if (Thread.interrupted()) {
                throw new InterruptedException();
            }
            throw new SourceException(reason(e), e);
        } finally {
            client.shutdownNow();
        }
    }

    private static String reason(IOException e) {
        var reason = Reasons.of(e);
        return e instanceof ConnectException
                ? "cannot be reached (" + reason + ")"
                : "the transfer failed (" + reason + ")";
    }

    private HttpResponse<InputStream> open(HttpClient client, URI first)
            throws SourceException, IOException, InterruptedException {
        URI at = first;
        for (int hop = 0; hop <= REDIRECTS; hop++) {
            if (!mayFetch(at)) {
                throw new SourceException("%s is not HTTPS".formatted(at));
            }
            var request = HttpRequest.newBuilder(at).timeout(patience).build();
            var response = client.send(request, BodyHandlers.ofInputStream());
            if (response.statusCode() == 200) {
                return response;
            }
            response.body().close();
            if (!REDIRECT.contains(response.statusCode())) {
                throw new SourceException("it answered with status " + response.statusCode());
            }
            at = target(at, response);
        }
        throw new SourceException("it redirected more than " + REDIRECTS + " times");
    }

    private static URI target(URI at, HttpResponse<?> response) throws SourceException {
        var location = response.headers().firstValue("location").orElse("");
        try {
            return at.resolve(location);
        } catch (IllegalArgumentException e) {
            throw new SourceException("it redirected to \"" + location + "\", which is no URL", e);
        }
    }

    private boolean mayFetch(URI uri) {
        return "https".equals(uri.getScheme()) || (isLoopback(base) && isLoopback(uri));
    }

    private static boolean isLoopback(URI uri) {
        return "http".equals(uri.getScheme())
                && uri.getHost() != null
                && Set.of("127.0.0.1", "localhost", "[::1]").contains(uri.getHost());
    }

    /** Closes the stream below when it gives nothing for too long; a blocked read then fails. */
    private static final class PatientStream extends FilterInputStream {
        private final Duration patience;
        private final AtomicLong lastByte = new AtomicLong(System.nanoTime());
        private final Thread watch;
        private volatile boolean late;

        PatientStream(InputStream in, Duration patience) {
            super(in);
            this.patience = patience;
            this.watch = Thread.ofVirtual().name("hub-watch").start(this::watch);
        }

        private void watch() {
            try {
                while (true) {
                    Thread.sleep(patience.dividedBy(10));
                    if (System.nanoTime() - lastByte.get() > patience.toNanos()) {
                        late = true;
                        in.close();
                        return;
                    }
                }
            } catch (InterruptedException | IOException e) {
                return; // closed: nobody waits any more
            }
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            try {
                int n = super.read(bytes, offset, length);
                lastByte.set(System.nanoTime());
                if (n < 0 && late) {
                    throw lateness();
                }
                return n;
            } catch (IOException e) {
                throw late ? lateness() : e;
            }
        }

        private IOException lateness() {
            return new IOException("nothing came for " + patience.toSeconds() + " s");
        }

        @Override
        public void close() throws IOException {
            watch.interrupt();
            super.close();
        }
    }
}
