package dev.flagship.cli;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import org.jline.reader.Candidate;
import org.jline.reader.Completer;
import org.jline.reader.LineReader;
import org.jline.reader.ParsedLine;
import org.jspecify.annotations.Nullable;

/** Completes commands, the names of settings, and files behind an @ or for /save and /load. */
final class ChatCompleter implements Completer {
    /** Files of a folder that are looked at. */
    private static final int MOST_FILES = 1_000;

    private final Places places;

    ChatCompleter(Places places) {
        this.places = places;
    }

    @Override
    public void complete(LineReader reader, ParsedLine parsed, List<Candidate> candidates) {
        if (!(parsed instanceof TypedLine line)) {
            return;
        }
        String before = line.before();
        if (line.isFile()) {
            files("", line.word(), candidates);
        } else if (before.isEmpty() && line.word().startsWith("/")) {
            for (ChatCommand.Entry entry : ChatCommand.ENTRIES) {
                candidates.add(candidate(entry.names().getFirst(), entry.help(), true));
            }
        } else if (before.matches("/set\\s+")) {
            for (ChatSetting setting : ChatSetting.values()) {
                candidates.add(candidate(setting.title(), setting.range(), true));
            }
            for (String name : ChatDisplay.NAMES) {
                candidates.add(candidate(name, ChatDisplay.RANGE, true));
            }
        } else if (before.matches("/set\\s+(markdown|stats)\\s+")) {
            candidates.add(candidate("on", null, true));
            candidates.add(candidate("off", null, true));
        } else if (line.isMention()) {
            files("@", line.word().substring(1), candidates);
        }
    }

    private static Candidate candidate(String value, @Nullable String help, boolean complete) {
        return new Candidate(value, value, null, help, null, null, complete);
    }

    private void files(String mark, String typed, List<Candidate> candidates) {
        String folder = typed.substring(0, typed.lastIndexOf('/') + 1);
        String begun = typed.substring(folder.length());
        if (typed.equals("~")) {
            candidates.add(candidate(mark + "~/", null, false));
            return;
        }
        try (DirectoryStream<Path> stream =
                Files.newDirectoryStream(places.resolve(folder.isEmpty() ? "." : folder))) {
            int seen = 0;
            for (Path path : stream) {
                seen++;
                if (seen > MOST_FILES) {
                    return;
                }
                String name = path.getFileName().toString();
                boolean plain = name.chars().noneMatch(c -> Character.isISOControl(c) || c == '"');
                if (plain && (!name.startsWith(".") || begun.startsWith("."))) {
                    boolean isFolder = Files.isDirectory(path);
                    candidates.add(
                            new Candidate(
                                    mark + folder + name + (isFolder ? "/" : ""),
                                    name + (isFolder ? "/" : ""),
                                    null,
                                    null,
                                    null,
                                    null,
                                    !isFolder));
                }
            }
        } catch (IOException | DirectoryIteratorException | InvalidPathException e) {
            candidates.clear(); // no such folder: nothing to complete
        }
    }
}
