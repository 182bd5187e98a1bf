package dev.flagship.launch;

import static dev.flagship.base.Check.check;

import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A model hub with Hugging Face's paths, or a mirror of one.
 *
 * @param base ends with a slash
 * @param token for its host, and no other
 * @param tokenFile where one would be looked for, for messages
 */
record Hub(URI base, Optional<HubToken> token, Path tokenFile, Transfer transfer) {
    private static final URI USUAL = URI.create("https://huggingface.co/");

    Hub {
        check(base.toString().endsWith("/"), "hub: %s does not end with a slash", base);
    }

    /**
     * @throws LaunchException {@code bad_setting}, if FLAGSHIP_HUB is no URL or the token none
     */
    static Hub of(Map<String, String> environment, Path home) {
        URI base = base(environment);
        return new Hub(
                base,
                HubToken.find(environment, home, base),
                home.resolve(HubToken.FILE),
                Transfer.usual());
    }

    private static URI base(Map<String, String> environment) {
        String text = environment.getOrDefault("FLAGSHIP_HUB", "").strip();
        if (text.isEmpty()) {
            return USUAL;
        }
        try {
            var uri = new URI(text.endsWith("/") ? text : text + "/");
            if (uri.getHost() != null && uri.getUserInfo() == null) {
                return uri;
            }
        } catch (URISyntaxException e) {
            // the same message below
        }
        throw new LaunchException(
                "bad_setting",
                "FLAGSHIP_HUB is \"" + text + "\", which is no URL such as https://hub.example/",
                null);
    }

    Hub withTransfer(Transfer other) {
        return new Hub(base, token, tokenFile, other);
    }

    /** The page on which people read about a repository and accept its terms. */
    URI page(String repository) {
        return base.resolve(repository);
    }

    URI file(HubPlace place, RemoteFile file) {
        return base.resolve(place.filePath(file.path()));
    }

    /** Whether the token may go there: to the hub's own host, and not in the clear. */
    boolean isOwn(URI uri) {
        return mayFetch(base, uri)
                && base.getScheme().equalsIgnoreCase(uri.getScheme())
                && base.getAuthority().equalsIgnoreCase(uri.getAuthority());
    }

    /**
     * Over HTTPS only, but for a server of this machine.
     *
     * @param first what was asked for, which may have led to {@code uri}
     */
    static boolean mayFetch(URI first, URI uri) {
        return "https".equalsIgnoreCase(uri.getScheme()) && uri.getHost() != null
                || isLoopback(first) && isLoopback(uri);
    }

    private static boolean isLoopback(URI uri) {
        return "http".equalsIgnoreCase(uri.getScheme())
                && uri.getHost() != null
                && Set.of("127.0.0.1", "localhost", "[::1]").contains(uri.getHost());
    }
}
