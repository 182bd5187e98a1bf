package dev.flagship.http;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Finds the route of a request: 404 for an unknown path, 405 with {@code Allow} for another method.
 */
final class Router {
    /** A route and the values of its braces. */
    record Match(Route route, Map<String, String> values) {}

    private record Pattern(Route route, List<String> segments) {}

    private final List<Pattern> patterns;

    Router(List<Route> routes) {
        patterns = routes.stream().map(route -> new Pattern(route, route.segments())).toList();
    }

    Match match(String method, List<String> path) {
        String wanted = method.equals("HEAD") ? "GET" : method;
        var allowed = new TreeSet<String>();
        for (var pattern : patterns) {
            Map<String, String> values = values(pattern.segments(), path);
            if (values == null) {
                continue;
            }
            if (pattern.route().method().equals(wanted)) {
                return new Match(pattern.route(), values);
            }
            allowed.add(pattern.route().method());
        }
        if (allowed.isEmpty()) {
            throw new HttpStatusException(
                    404, "not_found", "Nothing is served at this path; there are " + paths());
        }
        if (allowed.contains("GET")) {
            allowed.add("HEAD");
        }
        var allow = String.join(", ", allowed);
        throw new HttpStatusException(
                405,
                "method_not_allowed",
                "This path answers " + allow + " only",
                Map.of("Allow", allow));
    }

    private String paths() {
        return patterns.stream()
                .map(p -> p.route().method() + " " + p.route().path())
                .collect(Collectors.joining(", "));
    }

    private static @Nullable Map<String, String> values(List<String> pattern, List<String> path) {
        if (pattern.size() != path.size()) {
            return null;
        }
        var values = new TreeMap<String, String>();
        for (int i = 0; i < pattern.size(); i++) {
            String expected = pattern.get(i);
            if (expected.startsWith("{") && expected.endsWith("}")) {
                values.put(expected.substring(1, expected.length() - 1), path.get(i));
            } else if (!expected.equals(path.get(i))) {
                return null;
            }
        }
        return values;
    }

    /**
     * Splits a raw path at its slashes and then decodes each segment, so that an encoded slash
     * stays inside its segment.
     *
     * @throws HttpStatusException 400, if an escape is broken or the bytes are not UTF-8
     */
    static List<String> split(String rawPath) {
        if (!rawPath.startsWith("/")) {
            throw new HttpStatusException(
                    400, "bad_request_target", "The request target must be a path");
        }
        var segments = new ArrayList<String>();
        for (var segment : rawPath.substring(1).split("/", -1)) {
            segments.add(Percent.decode(segment));
        }
        return segments;
    }
}
