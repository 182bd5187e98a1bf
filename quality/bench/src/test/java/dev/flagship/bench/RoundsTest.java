package dev.flagship.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Turns with a peer that is a shell script. */
@DisabledOnOs(OS.WINDOWS)
class RoundsTest {
    private static final Workload WORK = new Workload(new int[80], 20, 8, 0, 4, 0.01);
    private static final Engine.Setting STORED = Engine.JLAMA.settings().getFirst();
    private static final Engine.Setting Q4 = Engine.JLAMA.settings().getLast();

    @TempDir Path folder;

    /** Ten times as fast in Q4. */
    private JsonNode figures(Rounds rounds) throws Exception {
        Path script = folder.resolve("peer.sh");
        Files.writeString(
                script,
                """
                while read -r line; do
                  case $line in
                  *'"setting":"Q4"'*) echo '{"tokens": 100, "seconds": 1}' ;;
                  *) echo '{"tokens": 10, "seconds": 1}' ;;
                  esac
                done
                """);
        List<String> command = List.of("/bin/sh", script.toString());
        try (Rival peer = Rival.start(Engine.JLAMA, command, folder, 1, WORK)) {
            Contender ours = _ -> Contender.Reading.speedOnly(50);
            rounds.run(WORK, ours, Optional.empty(), List.of(peer), List.of());
        }
        var report = new Report();
        rounds.addTo(report, Optional.empty());
        return JsonMapper.shared().readTree(report.json());
    }

    private static Rounds rounds() {
        var nowhere = new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8);
        return new Rounds(2, nowhere);
    }

    @Test
    void theBestSettingStandsForThePeer() throws Exception {
        JsonNode rivals = figures(rounds()).at("/figures/prefill/rivals");
        assertThat(rivals.propertyNames()).containsExactly("jlama");
        assertThat(rivals.at("/jlama/setting").asString()).isEqualTo(Q4.title());
        assertThat(rivals.at("/jlama/median").asDouble()).isEqualTo(100);
    }

    @Test
    void aSettingThatDoesOtherWorkIsShownBesideTheBestOfTheOthersWithoutARatio() throws Exception {
        Rounds rounds = rounds();
        rounds.noRatio(Engine.JLAMA, Q4, "it says other things");
        JsonNode report = figures(rounds);
        JsonNode rivals = report.at("/figures/prefill/rivals");
        assertThat(rivals.at("/jlama/setting").asString()).isEqualTo(STORED.title());
        assertThat(rivals.at("/jlama/median").asDouble()).isEqualTo(10);
        assertThat(rivals.at("/jlama, Q4/median").asDouble()).isEqualTo(100);
        assertThat(rivals.at("/jlama, Q4").has("ratio")).isFalse();
        assertThat(report.at("/facts").path("no ratio to jlama, Q4").asString())
                .isEqualTo("it says other things");
    }
}
