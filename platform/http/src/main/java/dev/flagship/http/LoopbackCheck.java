package dev.flagship.http;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Refuses what a web page of another site can make a browser send. A rebound DNS name shows in
 * {@code Host} (CVE-2024-28224 is such a case), a cross-site call in {@code Origin}.
 */
final class LoopbackCheck {
    private static final Pattern IPV4 =
            Pattern.compile("127\\.(\\d{1,3})\\.(\\d{1,3})\\.(\\d{1,3})");

    private LoopbackCheck() {}

    /**
     * Checks all values of both headers.
     *
     * @param port that the connection was made to
     * @throws HttpStatusException 403
     */
    static void check(int port, List<String> hosts, List<String> origins) {
        if (hosts.size() != 1 || !isOurs(hosts.getFirst(), port)) {
            throw new HttpStatusException(
                    403,
                    "host_not_allowed",
                    "The Host header must be localhost or a loopback address with port " + port);
        }
        if (origins.size() > 1 || (origins.size() == 1 && !isLoopbackOrigin(origins.getFirst()))) {
            throw new HttpStatusException(
                    403, "origin_not_allowed", "The Origin header must be a loopback origin");
        }
    }

    private static boolean isOurs(String host, int port) {
        // Parsed as the authority of a URI, so that one grammar decides where the port begins.
        URI uri = authority("http://" + host);
        return uri != null
                && uri.getUserInfo() == null
                && uri.getRawPath().isEmpty()
                && uri.getRawQuery() == null
                && uri.getRawFragment() == null
                && isLoopback(uri.getHost())
                && (uri.getPort() == -1 ? 80 : uri.getPort()) == port;
    }

    private static boolean isLoopbackOrigin(String origin) {
        URI uri = authority(origin);
        return uri != null
                && ("http".equals(uri.getScheme()) || "https".equals(uri.getScheme()))
                && uri.getUserInfo() == null
                && isLoopback(uri.getHost());
    }

    private static @Nullable URI authority(String text) {
        try {
            URI uri = new URI(text);
            return uri.getHost() == null ? null : uri;
        } catch (URISyntaxException e) {
            return null;
        }
    }

    /** By spelling only: a look-up would hand the decision to whoever owns the name. */
    private static boolean isLoopback(String host) {
        String name = host.toLowerCase(Locale.ROOT);
        if (name.equals("localhost") || name.equals("[::1]") || name.equals("[0:0:0:0:0:0:0:1]")) {
            return true;
        }
        var matcher = IPV4.matcher(name);
        if (!matcher.matches()) {
            return false;
        }
        for (int group = 1; group <= 3; group++) {
            if (Integer.parseInt(matcher.group(group)) > 255) {
                return false;
            }
        }
        return true;
    }
}
