package dev.flagship.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The commands about what is in the store, on a model that runs. */
class StoreCommandsTest {
    private static final JsonMapper JSON = new JsonMapper();

    private record Outcome(int code, String out, String err) {}

    @TempDir Path temp;

    private Outcome run(String... words) {
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        var streams =
                new Streams(
                        new ByteArrayInputStream(new byte[0]),
                        new PrintStream(out, false, StandardCharsets.UTF_8),
                        new PrintStream(err, true, StandardCharsets.UTF_8),
                        false,
                        false,
                        false);
        int code = Main.run(words, streams, Map.of("FLAGSHIP_HOME", home().toString()));
        streams.out().flush();
        return new Outcome(
                code, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
    }

    private Path home() {
        return temp.resolve("home");
    }

    private JsonNode json(String... words) {
        Outcome outcome = run(words);
        assertThat(outcome.code).as(outcome.err).isZero();
        return JSON.readTree(outcome.out);
    }

    private long bytesInTheStore() throws Exception {
        try (var files = Files.walk(home())) {
            return files.filter(file -> Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS))
                    .mapToLong(file -> file.toFile().length())
                    .sum();
        }
    }

    @Test
    void aModelOfOnesOwnIsTakenInRunsAndGoesWithAllThatWasMadeOfIt() throws Exception {
        Path own = TinyModel.in(temp);
        Outcome copied = run("cp", own.toString(), "mine");
        assertThat(copied.code).as(copied.err).isZero();
        assertThat(copied.out).startsWith("mine (").contains("flagship run mine");

        Outcome answer = run("run", "mine", "hi", "--max-tokens", "3", "--temperature", "0");
        assertThat(answer.code).as(answer.err).isZero();
        assertThat(answer.err).contains("mine: ");
        JsonNode model = json("list", "--json").get(0);
        assertThat(model.get("name").stringValue()).isEqualTo("mine");
        assertThat(model.get("complete").booleanValue()).isTrue();
        assertThat(model.get("packed_bytes").longValue()).isPositive();
        assertThat(run("list").out).contains("NAME", "mine").doesNotContain("damaged");
        assertThat(run("list", "--quiet").out).isEqualTo("mine\n");
        assertThat(run("show", "mine").code).isZero();

        run("cp", "mine", "yours");
        assertThat(run("run", "yours", "hi", "--max-tokens", "3", "--temperature", "0").out)
                .isEqualTo(answer.out);
        long before = bytesInTheStore();
        Outcome first = run("rm", "mine");
        assertThat(first.out)
                .isEqualTo("Removed mine; its files stay, for another name has them.\n");
        assertThat(run("list", "--quiet").out).isEqualTo("yours\n");
        assertThat(json("list", "--json").get(0).get("packed_bytes").longValue()).isPositive();
        assertThat(run("run", "yours", "hi", "--max-tokens", "3", "--temperature", "0").out)
                .isEqualTo(answer.out);
        assertThat(before - bytesInTheStore()).isLessThan(10_000);

        assertThat(run("rm", "yours").out).startsWith("Removed yours: ").contains("free again");
        assertThat(bytesInTheStore()).isZero();
        Outcome again = run("rm", "yours");
        assertThat(again.code).isEqualTo(1);
        assertThat(again.err).contains("\"yours\" is not in the store. Nothing is");
    }

    @Test
    void aDamagedModelIsShownAsSuchAndItsRemedyNamed() throws Exception {
        run("cp", TinyModel.in(temp).toString(), "mine");
        Path blob;
        try (var blobs = Files.list(home().resolve("blobs"))) {
            blob = blobs.filter(Files::isRegularFile).findFirst().orElseThrow();
        }
        Files.write(blob, new byte[1]);
        assertThat(run("list").out).contains("damaged");
        Outcome outcome = run("show", "mine");
        assertThat(outcome.code).isEqualTo(1);
        assertThat(outcome.err).contains("missing or cut short", "flagship pull mine");
        assertThat(run("rm", "mine").code).isZero();
    }

    @Test
    void namesOfTheCatalogueAndWrongUsesAreTold() {
        JsonNode catalogue = json("list", "--catalogue", "--json");
        assertThat(catalogue.size()).isGreaterThan(5);
        for (JsonNode model : catalogue) {
            assertThat(model.get("purpose").stringValue()).isNotBlank();
            assertThat(model.get("here").booleanValue()).isFalse();
        }
        assertThat(run("list").out).contains("No models are here yet", "flagship pull");
        Outcome licence = run("pull", "llama-3.2-1b");
        assertThat(licence.code).isEqualTo(1);
        assertThat(licence.err).contains("Llama 3.2 Community License", "--accept-licence");
        Outcome typo = run("pull", "smolm2");
        assertThat(typo.err).contains("Did you mean \"smollm2\"?", "OWNER/NAME");
        Outcome connections = run("pull", "smollm2", "--connections", "99");
        assertThat(connections.code).isEqualTo(2);
        assertThat(connections.err).contains("--connections 99 is not between 1 and 16");
        assertThat(run("rm").code).isEqualTo(2);
        Outcome taken = run("cp", temp.toString(), "smollm2");
        assertThat(taken.err).contains("is that of a model from the catalogue");
        assertThat(run("cp", temp.toString(), "mine").err)
                .contains("holds no weights that run here");
    }

    @Test
    void aProcessIsSeenWhileItLives() throws Exception {
        assertThat(run("ps").out).startsWith("Nothing runs.");
        var seen =
                new RunningProcess.Seen(
                        ProcessHandle.current().pid(), "run", List.of("mine"), 0, Instant.now());
        try (var _ = RunningProcess.announce(home(), seen)) {
            JsonNode process = json("ps", "--json").get(0);
            assertThat(process.get("pid").longValue()).isEqualTo(seen.pid());
            assertThat(process.get("models").get(0).stringValue()).isEqualTo("mine");
            assertThat(process.get("memory_bytes").longValue()).isGreaterThan(1 << 20);
            assertThat(run("ps").out).contains("mine", "in use");
        }
        assertThat(run("ps").out).startsWith("Nothing runs.");
        // what a killed process leaves
        Path left = Files.writeString(home().resolve("running").resolve("123"), "command=run\n");
        assertThat(json("ps", "--json").size()).isZero();
        assertThat(left).doesNotExist();
    }

    @Test
    void timesAreToldInTheUnitThatFits() {
        assertThat(PsCommand.up(Duration.ofSeconds(59))).isEqualTo("59 s");
        assertThat(PsCommand.up(Duration.ofSeconds(3_599))).isEqualTo("59 min");
        assertThat(PsCommand.up(Duration.ofHours(47))).isEqualTo("47 h");
        assertThat(PsCommand.up(Duration.ofDays(3))).isEqualTo("3 d");
        assertThat(PsCommand.up(Duration.ofSeconds(-5))).isEqualTo("0 s");
    }
}
