package dev.flagship.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.tensor.PeakLoop;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
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
            rounds.plan(WORK, List.of(Engine.JLAMA));
            rounds.run(ours, Optional.empty(), List.of(peer), List.of());
        }
        var report = new Report();
        rounds.addTo(report, Optional.empty());
        return JsonMapper.shared().readTree(report.json());
    }

    private static Rounds rounds() {
        return new Rounds(2, new Outlook(nowhere()));
    }

    private static PrintStream nowhere() {
        return new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8);
    }

    /** llama.cpp so slow that a round of both settings takes more than a minute. */
    private JsonNode slowFigures(Rounds rounds) throws Exception {
        Path script = folder.resolve("peer.sh");
        Files.writeString(
                script,
                """
                while read -r line; do
                  printf '%%s\\n' "$line" >>'%s'
                  case $line in
                  *'"op":"prefill"'*'"flash":true'* | *'"flash":true'*'"op":"prefill"'*) echo '{"tokens": 10, "seconds": 10}' ;;
                  *'"op":"prefill"'*) echo '{"tokens": 10, "seconds": 20}' ;;
                  *'"flash":true'*) echo '{"tokens": 10, "seconds": 50}' ;;
                  *) echo '{"tokens": 10, "seconds": 20}' ;;
                  esac
                done
                """
                        .formatted(folder.resolve("asked")));
        List<String> command = List.of("/bin/sh", script.toString());
        try (Rival peer = Rival.start(Engine.LLAMA_CPP, command, folder, 1, WORK)) {
            Contender ours = _ -> Contender.Reading.speedOnly(50);
            rounds.plan(WORK, List.of(Engine.LLAMA_CPP));
            rounds.run(ours, Optional.empty(), List.of(peer), List.of());
        }
        var report = new Report();
        rounds.addTo(report, Optional.empty());
        return JsonMapper.shared().readTree(report.json());
    }

    @Test
    void ofASlowPeerEachFigureIsReadWithTheSettingThatWasFastestInTheWarmUp() throws Exception {
        JsonNode report = slowFigures(rounds());
        JsonNode prefill = report.at("/figures/prefill/rivals/llama.cpp");
        assertThat(prefill.path("setting").asString()).isEqualTo("fa on");
        assertThat(prefill.path("samples")).hasSize(2);
        JsonNode decode = report.at("/figures/decode_many/rivals/llama.cpp");
        assertThat(decode.path("setting").asString()).isEqualTo("fa off");
        assertThat(decode.path("samples")).hasSize(2);
        assertThat(report.at("/facts").path("settings, llama.cpp").asString())
                .contains("prefill fa on, decode at 8 fa off, decode of 8 fa off");
        assertThat(Files.readAllLines(folder.resolve("asked")))
                .as("load; a warm-up of each figure and setting; a figure once a round")
                .hasSize(1 + 2 * 3 + 2 * 3);
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

    @Test
    void aShareIsOfTheLimitsRightBeforeAndAfter() throws Exception {
        var looks = new ArrayDeque<>(List.of(100.0, 300.0, 200.0, 400.0));
        Supplier<Limits.Reading> limits =
                () -> {
                    double gops = looks.remove();
                    return new Limits.Reading(gops / 10, Map.of(PeakLoop.Kind.INT8, gops));
                };
        Contender ours = _ -> new Contender.Reading(50, 100, 0.5, 12, 1);
        Outlook outlook = new Outlook(nowhere());
        Rounds rounds = new Rounds(1, outlook);
        rounds.plan(WORK, List.of());
        rounds.run(ours, Optional.of(limits), List.of(), List.of());
        var report = new Report();
        rounds.addTo(report, Optional.empty());
        JsonNode figures = JsonMapper.shared().readTree(report.json()).path("figures");
        assertThat(figures.at("/prefill_of_int8/median").asDouble()).isEqualTo(50); // of 200
        assertThat(figures.at("/prefill_whole_of_int8/median").asDouble()).isEqualTo(25);
        assertThat(figures.at("/decode_short_of_read/median").asDouble()).isEqualTo(48); // of 25
        assertThat(figures.at("/decode_many_of_read/median").asDouble()).isEqualTo(40); // of 30
        assertThat(looks).as("one look before all figures and one after each").isEmpty();
        outlook.expect("the machine's limits", 1);
        WORK.figures().forEach(figure -> outlook.expect(Rounds.name(WORK, figure), 10));
        assertThat(outlook.left()).as("the readings of a warm-up").isEqualTo("about 30 s left");
    }
}
