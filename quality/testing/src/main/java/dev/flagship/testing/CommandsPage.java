package dev.flagship.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * docs/commands.md: a section for each command with its help, word for word, and what it exits
 * with. {@code -Dcommands.update=true} writes the help of the commands that are asked about instead
 * of comparing it.
 */
public final class CommandsPage {
    private static final int COLUMNS = 80;
    private static final Pattern SECTION = Pattern.compile("(?m)^## (flagship.*)$");
    private static final String BEGIN = "\n```text\n";
    private static final String END = "```\n";

    private final Path file;

    private CommandsPage(Path file) {
        this.file = file;
    }

    /** The page of the tree that is being tested. */
    public static CommandsPage here() {
        String root =
                Objects.requireNonNull(
                        System.getProperty("flagship.root"),
                        "flagship.root is not set: run by Maven");
        return new CommandsPage(Path.of(root, "docs", "commands.md"));
    }

    /** The commands that it has sections of. */
    public List<String> commands() {
        return SECTION.matcher(read()).results().map(found -> found.group(1)).toList();
    }

    /** The help of a command as the page has it; empty if it has none. */
    public String help(String command) {
        String section = section(command);
        int begin = section.indexOf(BEGIN);
        int end = section.indexOf(END, Math.max(begin + BEGIN.length(), 0));
        return begin < 0 || end < 0 ? "" : section.substring(begin + BEGIN.length(), end);
    }

    /**
     * Fails unless the command's section has this help, the help fits a terminal and has an
     * example, and the section says what the command exits with.
     *
     * @param command as typed, {@code flagship run}
     */
    public void tells(String command, String help) {
        assertThat(help.lines())
                .as("lines of %s --help fit %d columns", command, COLUMNS)
                .allSatisfy(line -> assertThat(line).hasSizeLessThanOrEqualTo(COLUMNS));
        assertThat(help).as("%s --help has an example", command).containsPattern("\nExamples?:\n");
        if (Boolean.getBoolean("commands.update")) {
            write(command, help);
        }
        assertThat(help(command))
                .as("%s in %s; -Dcommands.update=true brings it up to date", command, file)
                .isEqualTo(help);
        assertThat(section(command)).as("%s in %s", command, file).contains("\nExits with ");
    }

    private String section(String command) {
        String page = read();
        Matcher title = SECTION.matcher(page);
        while (title.find()) {
            if (title.group(1).equals(command)) {
                int from = title.start();
                return title.find() ? page.substring(from, title.start()) : page.substring(from);
            }
        }
        return "";
    }

    private void write(String command, String help) {
        String page = read();
        String section = section(command);
        int begin = section.indexOf(BEGIN);
        String next =
                begin < 0
                        ? "\n## "
                                + command
                                + "\n"
                                + BEGIN
                                + help
                                + END
                                + "\nExits with 0, 1 or 2.\n"
                        : section.substring(0, begin + BEGIN.length())
                                + help
                                + section.substring(section.indexOf(END, begin + BEGIN.length()));
        try {
            Files.writeString(file, section.isEmpty() ? page + next : page.replace(section, next));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String read() {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
