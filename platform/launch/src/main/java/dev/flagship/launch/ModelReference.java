package dev.flagship.launch;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.base.Quoted;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** What a person asks to be fetched. */
sealed interface ModelReference {
    /** A catalogue's name. */
    record Named(String name) implements ModelReference {}

    /**
     * A repository of the hub.
     *
     * @param wish a file of it or a quantisation; empty: what there is
     */
    record OnHub(HubPlace place, String wish) implements ModelReference {
        String name() {
            String revision = place.revision().equals(MAIN) ? "" : "@" + place.revision();
            return place.repository() + revision + (wish.isEmpty() ? "" : ":" + wish);
        }
    }

    /** A file somewhere on the web. */
    record Address(URI uri, String file) implements ModelReference {
        /** Its file's name without the ending. */
        String name() {
            int dot = file.lastIndexOf('.');
            return dot > 0 ? file.substring(0, dot) : file;
        }
    }

    /** The branch that is meant when none is said. */
    String MAIN = "main";

    /** {@code owner/name[@revision][:wish]}. */
    Pattern ON_HUB = Pattern.compile("([^/@:]+/[^/@:]+)(?:@([^:]+))?(?::(.+))?", Pattern.DOTALL);

    /** People paste these before the repository. */
    Pattern HOSTS =
            Pattern.compile(
                    "^(?:https://)?(?:www\\.)?(?:huggingface\\.co|hf\\.co)(?::443)?/",
                    Pattern.CASE_INSENSITIVE);

    /** Pages of a repository: {@code /owner/name/tree/main}, {@code /owner/name/blob/main/FILE}. */
    Pattern PAGE =
            Pattern.compile(
                    "([^/@:]+/[^/@:]+)(?:/?|/tree/([^/]+)/?|/(?:blob|resolve)/([^/]+)/(.+))");

    Set<String> NO_FILES = Set.of("", ".", "..");

    /**
     * Understands what was typed or pasted.
     *
     * @throws LaunchException {@code bad_reference}, if it is none of them
     */
    static ModelReference parse(String text, Hub hub) {
        String plain = text.strip();
        Optional<String> below = belowHub(plain, hub);
        if (below.isPresent()) {
            Matcher page = PAGE.matcher(withoutQuery(below.get()));
            if (page.matches()) {
                String revision = page.group(2) == null ? page.group(3) : page.group(2);
                return onHub(
                        text,
                        page.group(1),
                        revision == null ? null : Percent.decode(revision),
                        page.group(4) == null ? null : Percent.decode(page.group(4)));
            }
        }
        if (plain.contains("://")) {
            return address(plain);
        }
        Matcher hubName = ON_HUB.matcher(below.orElse(plain));
        if (hubName.matches()) {
            return onHub(text, hubName.group(1), hubName.group(2), hubName.group(3));
        }
        if (plain.contains("/") || plain.contains("\\")) {
            throw bad(
                    text,
                    "a repository is owner/name, with :FILE or :QUANTISATION behind it for a part of it");
        }
        return new Named(plain.toLowerCase(Locale.ROOT));
    }

    private static Optional<String> belowHub(String text, Hub hub) {
        Matcher host = HOSTS.matcher(text);
        if (host.find()) {
            return Optional.of(text.substring(host.end()));
        }
        String base = hub.base().toString();
        return text.startsWith(base)
                ? Optional.of(text.substring(base.length()))
                : Optional.empty();
    }

    private static String withoutQuery(String text) {
        return text.replaceFirst("[?#].*$", "");
    }

    private static ModelReference onHub(
            String text, String repository, @Nullable String revision, @Nullable String wish) {
        if (!HubPlace.isRepository(repository)) {
            throw bad(
                    text,
                    "owner and name of a repository have letters, digits, dots, hyphens and underscores");
        }
        String file = wish == null ? "" : wish;
        if (!file.isEmpty() && !RemoteFile.safe(file)) {
            throw bad(text, "behind the colon stands a file of the repository or a quantisation");
        }
        try {
            return new OnHub(new HubPlace(repository, revision == null ? MAIN : revision), file);
        } catch (InvalidArgumentException e) {
            throw bad(text, String.valueOf(e.getMessage()));
        }
    }

    private static ModelReference address(String text) {
        URI uri;
        try {
            uri = new URI(text);
        } catch (URISyntaxException e) {
            throw bad(text, "it is no URL: " + e.getReason());
        }
        if (!Hub.mayFetch(uri, uri)) {
            throw bad(text, "files are fetched over https:// only, but from this machine itself");
        }
        if (uri.getUserInfo() != null) {
            throw bad("…", "a password in an address ends up in logs; a token goes elsewhere");
        }
        String path = uri.getPath() == null ? "" : uri.getPath();
        String file = path.substring(path.lastIndexOf('/') + 1);
        if (NO_FILES.contains(file) || !RemoteFile.safe(file)) {
            throw bad(text, "its path ends in no file's name");
        }
        return new Address(uri, file);
    }

    private static LaunchException bad(String text, String why) {
        return new LaunchException(
                "bad_reference", "%s cannot be fetched: %s".formatted(Quoted.of(text), why), null);
    }
}
