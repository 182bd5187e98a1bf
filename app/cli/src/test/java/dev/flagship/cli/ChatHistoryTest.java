package dev.flagship.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class ChatHistoryTest {
    @TempDir Path folder;

    private Path file() {
        return folder.resolve("below/history");
    }

    @Test
    void givesBackWhatWasTyped() throws IOException {
        var history = new ChatHistory(file());
        assertThat(history.read()).isEmpty();
        history.add("one");
        history.add("two\nlines \\n and a \\");
        history.add("ünï 😀");
        assertThat(new ChatHistory(file()).read())
                .containsExactly("one", "two\nlines \\n and a \\", "ünï 😀");
    }

    @Test
    void keepsNoSecretsNoRepetitionsAndNoBooks() throws IOException {
        var history = new ChatHistory(file());
        history.add(" secret");
        history.add("");
        history.add("again");
        history.add("again");
        history.add("x".repeat(ChatHistory.LONGEST_ENTRY + 1));
        assertThat(new ChatHistory(file()).read()).containsExactly("again");
    }

    @Test
    @DisabledOnOs(value = OS.WINDOWS, disabledReason = "has no such permissions")
    void onlyItsOwnerMayReadIt() throws IOException {
        new ChatHistory(file()).add("one");
        assertThat(mode()).isEqualTo("rw-------");
        Files.setPosixFilePermissions(file(), PosixFilePermissions.fromString("rw-r--r--"));
        new ChatHistory(file()).add("two");
        assertThat(mode()).isEqualTo("rw-------");
    }

    private String mode() throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(file()));
    }

    @Test
    void whateverIsInTheFileNoMoreIsReadThanIsKept() throws IOException {
        Files.createDirectories(file().getParent());
        String lines =
                IntStream.range(0, 400_000)
                        .mapToObj(i -> "line " + i + "\n")
                        .collect(Collectors.joining());
        Files.writeString(file(), lines);
        var entries = new ChatHistory(file()).read();
        assertThat(entries).hasSize(ChatHistory.MOST_ENTRIES);
        assertThat(entries.getLast()).isEqualTo("line 399999");
        assertThat(Files.size(file())).isLessThan(100_000); // made shorter
        assertThat(new ChatHistory(file()).read()).isEqualTo(entries);
    }

    @Test
    void bytesThatAreNoTextDoNoHarm() throws IOException {
        Files.createDirectories(file().getParent());
        Files.write(file(), new byte[] {(byte) 0xFF, '\n', 'a', '\\', '\n', 0, '\n'});
        assertThat(new ChatHistory(file()).read()).contains("a\\");
    }
}
