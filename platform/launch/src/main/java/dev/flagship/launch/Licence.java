package dev.flagship.launch;

import static dev.flagship.base.Check.check;

import dev.flagship.base.Quoted;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * The terms under which a model is given out.
 *
 * @param id as SPDX or the model hub writes it, in lower case; {@link #UNKNOWN} if nobody says
 * @param name for people
 * @param url where the terms can be read; empty if nobody says
 * @param restricts what they ask of users, in a few words; empty if that is not known
 */
public record Licence(String id, String name, String url, String restricts) {
    /** Nobody says under which terms. */
    public static final String UNKNOWN = "unknown";

    private static final int MOST_CHARACTERS = 300;

    /** Licences that let anybody use a model for anything. */
    private static final Set<String> OPEN =
            Set.of(
                    "apache-2.0",
                    "mit",
                    "bsd-2-clause",
                    "bsd-3-clause",
                    "isc",
                    "cc0-1.0",
                    "cc-by-4.0",
                    "unlicense",
                    "zlib");

    private static final Map<String, String> NAMES =
            Map.of("apache-2.0", "Apache-2.0", "mit", "MIT", UNKNOWN, "not stated");

    public Licence {
        check(
                id.matches("[a-z0-9][a-z0-9.+-]{0,63}"),
                "licence: \"%s\" is no identifier such as apache-2.0",
                id);
    }

    /** As a hub or a catalogue names it, with a name for people if there is none. */
    static Licence of(String id, String name, String url, String restricts) {
        String plain = id.strip().toLowerCase(Locale.ROOT);
        if (!plain.matches("[a-z0-9][a-z0-9.+-]{0,63}")) {
            plain = UNKNOWN;
        }
        String shown = name.isBlank() ? NAMES.getOrDefault(plain, plain) : words(name);
        return new Licence(plain, shown, words(url), words(restricts));
    }

    /** One line that steers no terminal: hubs let anybody write these. */
    private static String words(String text) {
        String line = Quoted.visible(text.strip().replaceAll("\\s+", " "));
        return line.length() > MOST_CHARACTERS ? line.substring(0, MOST_CHARACTERS) + "…" : line;
    }

    static Licence unknown() {
        return of(UNKNOWN, "", "", "");
    }

    /** Whether anybody may use the model for anything, so that nobody needs to be asked. */
    public boolean open() {
        return OPEN.contains(id);
    }
}
