package dev.flagship.cli;

import dev.flagship.base.Bytes;
import dev.flagship.base.FlagshipException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.ToIntFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Puts the text of files into a message that names them: {@code @notes.txt}, {@code @"my
 * notes.txt"}, {@code @~/notes.txt}. An @ that no file follows stays as it is, so that addresses,
 * names and annotations can be written.
 */
final class FileMentions {
    /** More fits no context. */
    private static final int MOST_BYTES = 16 << 20;

    /** At the start of a word. */
    private static final Pattern MENTION =
            Pattern.compile("(?<![^\\s(\\[{<'\"])@(?:\"([^\"\\n]+)\"|([^\\s\"]+))");

    private static final String BEHIND = ".,;:!?)]}>'\"";
    private static final int LEAST_FENCE = 3;

    private final Places places;
    private final ToIntFunction<String> tokens;
    private final int context;

    /**
     * @param tokens how many a text has
     * @param context tokens that a conversation may have
     */
    FileMentions(Places places, ToIntFunction<String> tokens, int context) {
        this.places = places;
        this.tokens = tokens;
        this.context = context;
    }

    /**
     * A message with the files in it.
     *
     * @param notes what the user should see, a line each
     */
    record Expanded(String text, List<String> notes) {
        Expanded {
            notes = List.copyOf(notes);
        }
    }

    private record Mention(int start, int end, String name, Path path) {}

    /**
     * Puts the files in.
     *
     * @throws CliException if one is no text, or more than the context holds
     * @throws IOException if one cannot be read
     */
    Expanded expand(String message) throws IOException {
        var notes = new ArrayList<String>();
        var text = new StringBuilder();
        var files = new StringBuilder();
        var seen = new ArrayList<Path>();
        int from = 0;
        Matcher matcher = MENTION.matcher(message);
        while (matcher.find()) {
            Optional<Mention> found = mention(matcher);
            if (found.isEmpty()) {
                missing(matcher).ifPresent(notes::add);
                continue;
            }
            Mention mention = found.get();
            text.append(message, from, mention.start()).append(mention.name());
            from = mention.end();
            if (!seen.contains(mention.path())) {
                seen.add(mention.path());
                files.append(attached(mention, notes));
            }
        }
        text.append(message, from, message.length());
        return new Expanded(text.append(files).toString(), notes);
    }

    /** The longest name of a file that is there; what closes a sentence is none of it. */
    private Optional<Mention> mention(Matcher matcher) {
        if (matcher.group(1) != null) {
            return at(matcher.start(), matcher.end(), matcher.group(1));
        }
        String name = matcher.group(2);
        while (!name.isEmpty()) {
            int end = matcher.start(2) + name.length();
            Optional<Mention> mention = at(matcher.start(), end, name);
            if (mention.isPresent() || BEHIND.indexOf(name.charAt(name.length() - 1)) < 0) {
                return mention;
            }
            name = name.substring(0, name.length() - 1);
        }
        return Optional.empty();
    }

    private Optional<Mention> at(int start, int end, String name) {
        try {
            Path path = places.resolve(name);
            return Files.exists(path)
                    ? Optional.of(new Mention(start, end, name, path))
                    : Optional.empty();
        } catch (InvalidPathException e) {
            return Optional.empty(); // such as one with a NUL
        }
    }

    /** A word about what was surely meant to be a file. */
    private static Optional<String> missing(Matcher matcher) {
        String quoted = matcher.group(1);
        String name = quoted == null ? matcher.group(2) : quoted;
        boolean file =
                quoted != null
                        || name.startsWith("~/")
                        || name.startsWith("./")
                        || name.startsWith("../")
                        || name.startsWith("/");
        return file
                ? Optional.of("There is no file %s; sent as it is.".formatted(name))
                : Optional.empty();
    }

    private String attached(Mention mention, List<String> notes) throws IOException {
        String name = mention.name();
        String text = read(mention);
        int count;
        try {
            count = tokens.applyAsInt(text);
        } catch (FlagshipException e) { // too long to be counted
            throw refused(
                    name,
                    "has %s characters, and the context holds %s tokens"
                            .formatted(grouped(text.length()), grouped(context)),
                    e);
        }
        if (count >= context) {
            throw refused(
                    name,
                    "has %s tokens, and the context holds %s"
                            .formatted(grouped(count), grouped(context)),
                    null);
        }
        notes.add(
                "Attached %s: %s, %s"
                        .formatted(
                                name,
                                Bytes.human(text.getBytes(StandardCharsets.UTF_8).length),
                                ModelFlags.counted(count, "token")));
        String fence = "`".repeat(Math.max(LEAST_FENCE, longestFence(text) + 1));
        String end = text.isEmpty() || text.endsWith("\n") ? "" : "\n";
        return "\n\n" + name + ":\n" + fence + "\n" + text + end + fence;
    }

    private static int longestFence(String text) {
        int longest = 0;
        int run = 0;
        for (int i = 0; i < text.length(); i++) {
            run = text.charAt(i) == '`' ? run + 1 : 0;
            longest = Math.max(longest, run);
        }
        return longest;
    }

    private static String read(Mention mention) throws IOException {
        Path path = mention.path();
        String name = mention.name();
        if (Files.isDirectory(path)) {
            throw refused(name, "is a folder; name a file in it", null);
        }
        if (!Files.isRegularFile(path)) { // a device or a pipe may have no end
            throw refused(name, "is no regular file", null);
        }
        byte[] bytes;
        try (InputStream in = Files.newInputStream(path)) {
            bytes = in.readNBytes(MOST_BYTES + 1);
        }
        if (bytes.length > MOST_BYTES) {
            throw refused(
                    name,
                    "has %s, and more than %s fits no context"
                            .formatted(Bytes.human(Files.size(path)), Bytes.human(MOST_BYTES)),
                    null);
        }
        try {
            String text =
                    StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
            if (text.indexOf('\0') < 0) {
                return text.startsWith("\uFEFF") ? text.substring(1) : text;
            }
        } catch (CharacterCodingException e) {
            // the same message below
        }
        throw refused(name, "is no UTF-8 text", null);
    }

    private static String grouped(int count) {
        return String.format(Locale.ROOT, "%,d", count);
    }

    private static CliException refused(String name, String why, @Nullable Throwable cause) {
        return new CliException(
                "file_not_attached", "%s %s. Nothing was sent.".formatted(name, why), cause);
    }
}
