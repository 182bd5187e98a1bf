package dev.flagship.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The protocol, with a shell script that answers as the Python one does. */
@DisabledOnOs(OS.WINDOWS)
class LlamaCppTest {
    private static final Workload WORK = new Workload(new int[40], 20, 8, 0, 4, 0.5);

    @TempDir Path folder;

    /** A peer that keeps what it is asked, and answers each operation with a fixed line. */
    private LlamaCpp start(String prefill) throws Exception {
        Path asked = folder.resolve("asked");
        Path script = folder.resolve("peer.sh");
        Files.writeString(
                script,
                """
                while read -r line; do
                  printf '%%s\\n' "$line" >>'%s'
                  case $line in
                  *'"op":"load"'*) echo '{"version": "1.2", "system_info": "CPU : AVX2 = 1 | ", "seconds": 0.25}' ;;
                  *'"op":"prefill"'*) %s ;;
                  *'"op":"decode"'*) echo '{"tokens": 12, "seconds": 0.5, "ids": [3, 1, 4, 1]}' ;;
                  *'"op":"nll"'*) echo '{"nll": 2.5}' ;;
                  *) echo '{"error": "KeyError: op"}' ;;
                  esac
                done
                """
                        .formatted(asked, prefill));
        return LlamaCpp.start(List.of("/bin/sh", script.toString()), Path.of("m.gguf"), 3, WORK);
    }

    @Test
    void ratesAreTokensPerSecondAndRequestsCarryTheWork() throws Exception {
        try (LlamaCpp peer = start("echo '{\"tokens\": 60, \"seconds\": 1.5}'")) {
            assertThat(peer.version()).isEqualTo("1.2");
            assertThat(peer.with(true).read(Figure.PREFILL).tokensPerSecond()).isEqualTo(40);
            assertThat(peer.with(false).read(Figure.DECODE_SHORT).tokensPerSecond()).isEqualTo(24);
            assertThat(peer.greedy(false)).containsExactly(3, 1, 4, 1);
            assertThat(peer.nll(0, 20)).isEqualTo(2.5);
        }
        List<JsonNode> asked =
                Files.readAllLines(folder.resolve("asked")).stream()
                        .map(JsonMapper.shared()::readTree)
                        .toList();
        assertThat(asked.get(0).path("threads").asInt()).isEqualTo(3);
        assertThat(asked.get(0).path("model").asString()).isEqualTo("m.gguf");
        assertThat(asked.get(1).path("flash").asBoolean()).isTrue();
        assertThat(asked.get(1).path("ids")).hasSize(20);
        assertThat(asked.get(2).path("flash").asBoolean()).isFalse();
        assertThat(asked.get(2).path("ids")).hasSize(9);
        assertThat(asked.get(2).path("count").asInt()).isEqualTo(4);
    }

    @Test
    void anErrorOfThePeerIsToldInItsWords() throws Exception {
        try (LlamaCpp peer = start("echo '{\"error\": \"RuntimeError: no room\"}'")) {
            assertThatExceptionOfType(BenchException.class)
                    .isThrownBy(() -> peer.with(true).read(Figure.PREFILL))
                    .withMessageContaining("RuntimeError: no room");
            assertThat(peer.nll(0, 20)).as("it lives on").isEqualTo(2.5);
        }
    }

    @Test
    void aPeerThatDiesIsReportedWithItsExitCode() throws Exception {
        try (LlamaCpp peer = start("exit 7")) {
            assertThatExceptionOfType(BenchException.class)
                    .isThrownBy(() -> peer.with(true).read(Figure.PREFILL))
                    .withMessageContaining("exit code 7");
        }
    }

    @Test
    void babbleIsNoAnswer() throws Exception {
        try (LlamaCpp peer = start("echo hello")) {
            assertThatExceptionOfType(BenchException.class)
                    .isThrownBy(() -> peer.with(true).read(Figure.PREFILL))
                    .withMessageContaining("hello");
        }
    }

    @Test
    void aPeerThatIsNotThereIsReported() {
        assertThatExceptionOfType(BenchException.class)
                .isThrownBy(
                        () -> LlamaCpp.start("/no/such/python", Path.of("m.gguf"), 1, WORK).close())
                .withMessageContaining("/no/such/python");
    }

    @Test
    void theBuildMustUseWhatTheProcessorHas() {
        Machine plain = new Machine("", Set.of("avx2", "fma"), 2, 0);
        Machine vnni = new Machine("", Set.of("avx2", "avx512f", "avx512_vnni", "avx_vnni"), 2, 0);
        Machine arm = new Machine("", Set.of("asimd", "asimddp"), 2, 0);
        String avx2 = "CPU : SSE3 = 1 | AVX = 1 | AVX2 = 1 | FMA = 1 | ";
        assertThat(LlamaCpp.missing(plain, avx2)).isEmpty();
        assertThat(LlamaCpp.missing(vnni, avx2)).containsExactly("AVX512", "AVX512_VNNI");
        assertThat(LlamaCpp.missing(vnni, avx2 + "AVX512 = 1 | AVX512_VNNI = 1 | ")).isEmpty();
        assertThat(LlamaCpp.missing(arm, "CPU : NEON = 1 | ")).containsExactly("DOTPROD");
    }

    @Test
    void theScriptForPythonIsOnTheClassPath() {
        assertThat(LlamaCpp.class.getResource("llamacpp_peer.py")).isNotNull();
    }

    @Test
    void equalIdsHaveEqualHashesAndOthersHaveOthers() {
        int[] ids = {1, 2, 300_000};
        assertThat(OwnModel.hash(ids)).hasSize(16).isEqualTo(OwnModel.hash(ids.clone()));
        assertThat(OwnModel.hash(ids)).isNotEqualTo(OwnModel.hash(Arrays.copyOf(ids, 2)));
        // printf '\001\0\0\0' | sha256sum
        assertThat(OwnModel.hash(new int[] {1})).isEqualTo("67abdd721024f0ff");
    }
}
