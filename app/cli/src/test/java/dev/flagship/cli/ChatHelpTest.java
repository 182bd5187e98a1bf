package dev.flagship.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ChatHelpTest {
    private static final Path PAGE = Path.of("../../docs/chat.md");

    @Test
    void helpFitsATerminalAndSaysEachCommandInALine() {
        assertThat(ChatHelp.text().lines()).hasSizeLessThan(22).allMatch(l -> l.length() <= 80);
        for (ChatCommand.Entry entry : ChatCommand.ENTRIES) {
            assertThat(ChatHelp.text().lines())
                    .anyMatch(line ->
                            line.startsWith(entry.usage() + " ") && line.endsWith(entry.help()));
            for (String name : entry.names()) {
                assertThat(ChatCommand.parse(name + " x"))
                        .as(name)
                        .isNotEqualTo(ChatCommand.parse("/none x"));
                assertThat(String.valueOf(ChatCommand.parse(name)))
                        .doesNotContain("There is no command");
            }
        }
    }

    @Test
    void thePageTellsTheSame() throws IOException {
        List<String> rows = new ArrayList<>();
        for (ChatCommand.Entry entry : ChatCommand.ENTRIES) {
            rows.add(row(entry.usage(), entry.help()));
        }
        for (ChatSetting setting : ChatSetting.values()) {
            rows.add(row(setting.title(), setting.range()));
        }
        ChatDisplay.NAMES.forEach(name -> rows.add(row(name, ChatDisplay.RANGE)));
        List<String> page = Files.readAllLines(PAGE);
        assertThat(page.stream().filter(line -> line.startsWith("| `"))).isEqualTo(rows);
        String text = String.join("\n", page);
        for (ChatCommand.Entry entry : ChatCommand.ENTRIES) {
            entry.names().forEach(name -> assertThat(text).contains("`" + name));
        }
    }

    private static String row(String first, String second) {
        return "| `%s` | %s |".formatted(first.replace("|", "\\|"), second);
    }

    @Test
    void theFileOnThePageIsOneThatIsRead() throws IOException {
        String text = Files.readString(PAGE);
        String json = text.substring(text.indexOf("{\"flagship_chat\""), text.indexOf("]}") + 2);
        Path file = Files.createTempFile("talk", ".json");
        try {
            Files.writeString(file, json);
            var now = TinyModel.endless(java.util.OptionalInt.empty());
            assertThat(SavedChat.read(file, now).exchanges())
                    .containsExactly(new Exchange("Hi", "Hello!"));
        } finally {
            Files.delete(file);
        }
    }
}
