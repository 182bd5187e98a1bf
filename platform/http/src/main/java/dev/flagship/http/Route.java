package dev.flagship.http;

import static dev.flagship.base.Check.check;

import java.util.List;

/**
 * A method, a path and who answers. A path segment in braces, {@code /v1/things/{id}}, stands for
 * any one segment, which {@link Exchange#pathValue} returns. The first route that fits wins. A
 * {@code GET} route answers {@code HEAD} too.
 *
 * @param method upper case
 * @param path begins with a slash
 */
public record Route(String method, String path, Handler handler) {
    public Route {
        check(method.matches("[A-Z]+"), "route: method \"%s\" is not an upper-case word", method);
        check(path.startsWith("/"), "route: path \"%s\" does not begin with a slash", path);
    }

    /** A route for {@code GET} and {@code HEAD}. */
    public static Route get(String path, Handler handler) {
        return new Route("GET", path, handler);
    }

    /** A route for {@code POST}. */
    public static Route post(String path, Handler handler) {
        return new Route("POST", path, handler);
    }

    List<String> segments() {
        return List.of(path.substring(1).split("/", -1));
    }
}
