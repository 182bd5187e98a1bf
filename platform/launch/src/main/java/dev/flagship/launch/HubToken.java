package dev.flagship.launch;

import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * What proves to a hub who asks, for models whose makers want to know. It goes to the hub's own
 * host only, and into no message: {@link #toString} hides it.
 */
final class HubToken {
    /** The file below the store's home. */
    static final String FILE = "hub-token";

    private static final String HUGGING_FACES = "HF_TOKEN";
    private static final List<String> VARIABLES = List.of("FLAGSHIP_HUB_TOKEN", HUGGING_FACES);
    private static final int MOST_CHARACTERS = 512;

    private static final Set<PosixFilePermission> OTHERS =
            EnumSet.of(
                    PosixFilePermission.GROUP_READ,
                    PosixFilePermission.GROUP_WRITE,
                    PosixFilePermission.OTHERS_READ,
                    PosixFilePermission.OTHERS_WRITE);

    private final String secret;

    private HubToken(String secret) {
        this.secret = secret;
    }

    /**
     * From the environment, else from the file {@value #FILE} of the store. Hugging Face's own
     * variable is for its own hub.
     *
     * @throws LaunchException {@code bad_setting}, if it is no token or others may read the file
     */
    static Optional<HubToken> find(Map<String, String> environment, Path home, URI hub) {
        for (String variable : VARIABLES) {
            if (variable.equals(HUGGING_FACES) && !isHuggingFace(hub)) {
                continue; // a mirror's operator has no business with it
            }
            String value = environment.getOrDefault(variable, "").strip();
            if (!value.isEmpty()) {
                return Optional.of(of(value, variable));
            }
        }
        Path file = home.resolve(FILE);
        return Files.exists(file) ? Optional.of(of(read(file), file.toString())) : Optional.empty();
    }

    private static boolean isHuggingFace(URI hub) {
        String host = hub.getHost() == null ? "" : hub.getHost().toLowerCase(Locale.ROOT);
        return host.equals("huggingface.co") || host.endsWith(".huggingface.co");
    }

    private static HubToken of(String text, String place) {
        if (text.length() > MOST_CHARACTERS
                || text.isEmpty()
                || !text.chars().allMatch(c -> c > ' ' && c < 0x7f)) {
            throw bad(
                    "%s holds no token of a hub: that is one word of at most %d characters"
                            .formatted(place, MOST_CHARACTERS));
        }
        return new HubToken(text);
    }

    private static String read(Path file) {
        try {
            if (Files.getFileStore(file).supportsFileAttributeView("posix")
                    && Files.getPosixFilePermissions(file).stream().anyMatch(OTHERS::contains)) {
                throw bad(
                        "%s may be read by others than you, so the token in it is not used: chmod 600 %s"
                                .formatted(file, file));
            }
            if (Files.size(file) > 4 * MOST_CHARACTERS) {
                throw bad(file + " is too large for a token of a hub");
            }
            return Files.readString(file, StandardCharsets.ISO_8859_1).strip();
        } catch (IOException e) {
            throw new LaunchException(
                    "bad_setting",
                    "The token in %s cannot be read: %s".formatted(file, Reasons.of(e)),
                    e);
        }
    }

    private static LaunchException bad(String message) {
        return new LaunchException("bad_setting", message, null);
    }

    /** The value of the header {@code Authorization}, RFC 6750 section 2.1. */
    String authorization() {
        return "Bearer " + secret;
    }

    @Override
    public String toString() {
        return "HubToken[hidden]";
    }
}
