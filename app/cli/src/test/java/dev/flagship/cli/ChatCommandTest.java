package dev.flagship.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.serving.api.Sampling;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class ChatCommandTest {
    private static final AnswerSettings USUAL =
            new AnswerSettings(null, Sampling.usual(0), null, OptionalInt.empty());

    @Test
    void readsCommands() {
        assertThat(ChatCommand.parse("/help")).isEqualTo(new ChatCommand.Help());
        assertThat(ChatCommand.parse("/quit")).isEqualTo(new ChatCommand.Leave());
        assertThat(ChatCommand.parse("/clear")).isEqualTo(new ChatCommand.New());
        assertThat(ChatCommand.parse("/drop")).isEqualTo(new ChatCommand.Drop(1));
        assertThat(ChatCommand.parse("/drop  3")).isEqualTo(new ChatCommand.Drop(3));
        assertThat(ChatCommand.parse("/system")).isEqualTo(new ChatCommand.ShowSystem());
        assertThat(ChatCommand.parse("/system off")).isEqualTo(new ChatCommand.SetSystem(""));
        assertThat(ChatCommand.parse("/system Be brief. "))
                .isEqualTo(new ChatCommand.SetSystem("Be brief."));
        assertThat(ChatCommand.parse("/system \"\"\"Be\nbrief.\"\"\""))
                .isEqualTo(new ChatCommand.SetSystem("Be\nbrief."));
        assertThat(ChatCommand.parse("/set")).isEqualTo(new ChatCommand.ShowSettings());
        assertThat(ChatCommand.parse("/set top_k=3"))
                .isEqualTo(new ChatCommand.Change("top-k", "3"));
        assertThat(ChatCommand.parse("/set top-k 3"))
                .isEqualTo(new ChatCommand.Change("top-k", "3"));
        assertThat(ChatCommand.parse("/save \"my talk.json\""))
                .isEqualTo(new ChatCommand.Save("my talk.json", false));
        assertThat(ChatCommand.parse("/save! my talk.json"))
                .isEqualTo(new ChatCommand.Save("my talk.json", true));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "/retri         | did you mean /retry?",
                "/hlep          | did you mean /help?",
                "/sta           | did you mean /stats?",
                "/xyzzy         | no command /xyzzy; /help lists them. To send it as a message: //xyzzy",
                "/usr/bin/x is  | To send it as a message: //usr/bin/x is",
                "/new now       | /new stands alone",
                "/drop all      | whole number from 1",
                "/drop 0        | whole number from 1",
                "/save          | /save needs a file",
                "/load          | /load needs a file",
            })
    void saysWhatIsWrong(String line, String why) {
        assertThat(ChatCommand.parse(line))
                .isInstanceOfSatisfying(
                        ChatCommand.Mistaken.class,
                        mistaken -> assertThat(mistaken.message()).contains(why));
    }

    @Test
    void whatWasPastedIsNoCommand() {
        assertThat(ChatCommand.parse("/load x\nand more")).isInstanceOf(ChatCommand.Mistaken.class);
    }

    @ParameterizedTest
    @EnumSource
    void settingsTakeWhatTheyShow(ChatSetting setting) {
        assertThat(setting.set(USUAL, setting.of(USUAL))).isEqualTo(USUAL);
        assertThat(ChatSetting.named(setting.title())).contains(setting);
        assertThatThrownBy(() -> setting.set(USUAL, "NaN"))
                .isInstanceOf(CliException.class)
                .hasMessageContaining(setting.title() + " takes " + setting.range());
    }

    @ParameterizedTest
    @CsvSource({
        "TEMPERATURE, 0.2, 2.1",
        "TOP_K, 10, -1",
        "TOP_P, 0.5, 0",
        "MIN_P, 0, 1",
        "REPEAT_PENALTY, 1.1, 0",
        "PRESENCE_PENALTY, -2, 3",
        "FREQUENCY_PENALTY, 2, 1e9",
        "SEED, -7, 1.5",
        "MAX_TOKENS, 20, 0"
    })
    void settingsKeepTheirRange(ChatSetting setting, String good, String bad) {
        var set = setting.set(USUAL, good);
        assertThat(setting.of(set)).isEqualTo(good);
        for (ChatSetting other : ChatSetting.values()) {
            if (other != setting) {
                assertThat(other.of(set)).isEqualTo(other.of(USUAL));
            }
        }
        assertThatThrownBy(() -> setting.set(USUAL, bad)).isInstanceOf(CliException.class);
    }
}
