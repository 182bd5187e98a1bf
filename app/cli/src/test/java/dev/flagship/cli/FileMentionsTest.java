package dev.flagship.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A token is a character here, and the context holds a thousand. */
class FileMentionsTest {
    @TempDir Path folder;
    private FileMentions mentions =
            new FileMentions(new Places(Path.of(""), Path.of("")), t -> 0, 1);

    @BeforeEach
    void write() throws IOException {
        Files.createDirectories(folder.resolve("home"));
        Files.writeString(folder.resolve("notes.txt"), "Momo is a cat.\n");
        Files.writeString(folder.resolve("my notes.txt"), "no line's end");
        Files.writeString(folder.resolve("home/there.md"), "~~~\n````\n");
        mentions =
                new FileMentions(new Places(folder, folder.resolve("home")), String::length, 1000);
    }

    @Test
    void putsTheTextBehindTheMessage() throws IOException {
        var message = mentions.expand("Sum up @notes.txt, please.");
        assertThat(message.text())
                .isEqualTo(
                        """
                        Sum up notes.txt, please.

                        notes.txt:
                        ```
                        Momo is a cat.
                        ```\
                        """);
        assertThat(message.notes()).containsExactly("Attached notes.txt: 15 B, 15 tokens");
    }

    @Test
    void namesMayBeQuotedOrAtHomeAndAFenceIsLongerThanThoseInTheFile() throws IOException {
        assertThat(mentions.expand("@\"my notes.txt\"").text())
                .isEqualTo("my notes.txt\n\nmy notes.txt:\n```\nno line's end\n```");
        assertThat(mentions.expand("(@~/there.md)").text())
                .isEqualTo("(~/there.md)\n\n~/there.md:\n`````\n~~~\n````\n`````");
    }

    @Test
    void aFileThatIsNamedTwiceIsThereOnce() throws IOException {
        var message = mentions.expand("@notes.txt or @notes.txt?");
        assertThat(message.text()).startsWith("notes.txt or notes.txt?").containsOnlyOnce("Momo");
        assertThat(message.notes()).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "write to me@notes.txt",
                "thanks @nobody and @Override",
                "@",
                "a @ b",
                "@@notes.txt",
                "no mention",
                ""
            })
    void otherTextStaysAsItIs(String text) throws IOException {
        assertThat(mentions.expand(text))
                .isEqualTo(new FileMentions.Expanded(text, java.util.List.of()));
    }

    @Test
    void saysWhenAFileWasSurelyMeant() throws IOException {
        assertThat(mentions.expand("see @./none.txt").notes())
                .containsExactly("There is no file ./none.txt; sent as it is.");
        assertThat(mentions.expand("see @\"no such\"").notes()).hasSize(1);
    }

    @Test
    void refusesWhatIsNoTextOrTooMuch() throws IOException {
        Files.write(folder.resolve("picture"), new byte[] {(byte) 0xFF, (byte) 0xD8, 1});
        Files.write(folder.resolve("zeros"), new byte[10]);
        Files.writeString(folder.resolve("long"), "x".repeat(1234));
        refused("@picture", "picture is no UTF-8 text");
        refused("@zeros", "zeros is no UTF-8 text");
        refused("@home", "home is a folder");
        refused("@long", "long has 1,234 tokens, and the context holds 1,000");
        if (Files.exists(Path.of("/dev/zero"))) {
            refused("@/dev/zero", "/dev/zero is no regular file");
        }
    }

    @Test
    void readsNoMoreThanACertainAmount() throws IOException {
        Path sparse = folder.resolve("sparse");
        try (var file = new java.io.RandomAccessFile(sparse.toFile(), "rw")) {
            file.setLength(8L << 30);
        }
        refused("@sparse", "sparse has 8.0 GiB, and more than 16.0 MiB fits no context");
    }

    private void refused(String message, String why) {
        assertThatThrownBy(() -> mentions.expand(message))
                .isInstanceOf(CliException.class)
                .hasMessageContaining(why)
                .hasMessageEndingWith("Nothing was sent.");
    }
}
