package dev.flagship.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.serving.api.Sampling;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SavedChatTest {
    private static final AnswerSettings NOW =
            new AnswerSettings(null, Sampling.usual(0), null, OptionalInt.empty());

    @TempDir Path folder;

    private SavedChat chat() {
        var sampling = new Sampling(0.25f, 7, 0.5f, 0.125f, 1.5f, -1, 2, Map.of(), 0);
        return new SavedChat(
                "smollm2",
                new AnswerSettings("Be \"brief\".", sampling, -5L, OptionalInt.of(99)),
                List.of(new Exchange("Hi\n\u0007", "Hello 😀"), new Exchange("And?", "")));
    }

    @Test
    void readsWhatItWrote() throws IOException {
        Path file = folder.resolve("talk.json");
        chat().write(file, false);
        assertThat(SavedChat.read(file, NOW)).isEqualTo(chat());
        assertThat(Files.readString(file))
                .startsWith("{\n")
                .contains("\"flagship_chat\" : 1", "\"temperature\" : \"0.25\"")
                .endsWith("}\n");
    }

    @Test
    void overwritesOnlyWhenTold() throws IOException {
        Path file = Files.writeString(folder.resolve("talk.json"), "mine");
        assertThatThrownBy(() -> chat().write(file, false))
                .isInstanceOf(FileAlreadyExistsException.class);
        assertThat(file).hasContent("mine");
        chat().write(file, true);
        assertThat(SavedChat.read(file, NOW)).isEqualTo(chat());
        try (var files = Files.list(folder)) {
            assertThat(files).containsExactly(file);
        }
    }

    @Test
    void whatIsNotToldStaysAsItIs() throws IOException {
        Path file =
                Files.writeString(
                        folder.resolve("talk.json"),
                        """
                        {"flagship_chat": 1, "model": "m", "settings": {"top-k": 3},
                         "messages": []}\
                        """);
        var saved = SavedChat.read(file, NOW);
        assertThat(saved.settings().sampling().topK()).isEqualTo(3);
        assertThat(saved.settings().sampling().temperature()).isEqualTo(0.8f);
        assertThat(saved.settings().system()).isNull();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '§',
            value = {
                "§§ | does not begin as one",
                "[] | does not begin as one",
                "{} | does not begin as one",
                "{\"flagship_chat\": 1.0} | does not begin as one",
                "{\"flagship_chat\": 2} | of version 2",
                "{\"flagship_chat\": 1, \"x\": 1} | nothing is known of \"x\"",
                "{\"flagship_chat\": 1} | \"model\" is missing",
                "{\"flagship_chat\": 1, \"model\": \"m\"} | not a list of pairs",
                "{\"flagship_chat\": 1, \"model\": \"m\", \"system\": 3} | system message is no text",
                "{\"flagship_chat\": 1, \"model\": \"m\", \"settings\": 3} | not in braces",
                "{\"flagship_chat\": 1, \"model\": \"m\", \"settings\": {\"y\": 3}} | no setting \"y\"",
                "{\"flagship_chat\": 1, \"model\": \"m\", \"settings\": {\"top-p\": 3}} | top-p takes",
                "{\"flagship_chat\": 1, \"model\": \"m\", \"settings\": {\"top-p\": []}} | neither text nor",
                "{\"flagship_chat\": 1, \"model\": \"m\", \"messages\": [{}]} | list of pairs",
                "{\"flagship_chat\": 1, \"model\": \"m\", \"messages\": [{}, {}]} | message 1 is not",
                "{\"flagship_chat\": 1, \"model\": \"m\", \"model\": \"n\"} | there twice",
                "{\"flagship_chat\": 1 | expected",
                "nonsense | expected",
            })
    void refusesWhatItDidNotWrite(String json, String why) throws IOException {
        Path file = Files.writeString(folder.resolve("talk.json"), json);
        assertThatThrownBy(() -> SavedChat.read(file, NOW))
                .isInstanceOf(CliException.class)
                .hasMessageContaining("is no conversation that /save wrote")
                .hasMessageContaining(why)
                .hasMessageEndingWith("Nothing was loaded.");
    }

    @Test
    void readsNoMoreThanACertainAmountAndNoFolder() throws IOException {
        Path large = folder.resolve("large");
        try (var file = new RandomAccessFile(large.toFile(), "rw")) {
            file.setLength(8L << 30);
        }
        assertThatThrownBy(() -> SavedChat.read(large, NOW)).hasMessageContaining("16.0 MiB");
        assertThatThrownBy(() -> SavedChat.read(folder, NOW)).hasMessageContaining("no file");
        Path deep = Files.writeString(folder.resolve("deep"), "[".repeat(1_000_000));
        assertThatThrownBy(() -> SavedChat.read(deep, NOW)).isInstanceOf(CliException.class);
    }
}
