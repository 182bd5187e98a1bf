package dev.flagship.bench;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.flagship.base.Bytes;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The protocol, with a shell script that answers as the Python one does. */
@DisabledOnOs(OS.WINDOWS)
class RivalTest {
    private static final Workload WORK = new Workload(new int[80], 20, 8, 0, 4, 0.5);
    private static final Engine.Setting ON = Engine.LLAMA_CPP.settings().getFirst();
    private static final Engine.Setting OFF = Engine.LLAMA_CPP.settings().getLast();

    @TempDir Path folder;

    /** A peer that keeps what it is asked, and answers each operation with a fixed line. */
    private Rival start(String prefill) throws Exception {
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
        return Rival.start(
                Engine.LLAMA_CPP,
                List.of("/bin/sh", script.toString()),
                Path.of("m.gguf"),
                3,
                WORK);
    }

    @Test
    void ratesAreTokensPerSecondAndRequestsCarryTheWork() throws Exception {
        try (Rival peer = start("echo '{\"tokens\": 60, \"seconds\": 1.5}'")) {
            assertThat(peer.version()).isEqualTo("1.2");
            assertThat(peer.with(ON).read(Figure.PREFILL).tokensPerSecond()).isEqualTo(40);
            assertThat(peer.with(OFF).read(Figure.DECODE_SHORT).tokensPerSecond()).isEqualTo(24);
            assertThat(peer.with(ON).read(Figure.DECODE_MANY).tokensPerSecond()).isEqualTo(24);
            assertThat(peer.greedy(ON)).containsExactly(3, 1, 4, 1);
            assertThat(peer.nll(OFF, 0, 20)).isEqualTo(2.5);
        }
        List<JsonNode> asked =
                Files.readAllLines(folder.resolve("asked")).stream()
                        .map(JsonMapper.shared()::readTree)
                        .toList();
        assertThat(asked.get(0).path("threads").asInt()).isEqualTo(3);
        assertThat(asked.get(0).path("model").asString()).isEqualTo("m.gguf");
        assertThat(asked.get(0).path("engine").asString()).isEqualTo("llama.cpp");
        assertThat(asked.get(1).path("flash").asBoolean()).isTrue();
        assertThat(asked.get(1).path("setting").asString()).isEqualTo(ON.title());
        assertThat(asked.get(1).path("ids")).hasSize(20);
        assertThat(asked.get(2).path("flash").asBoolean()).isFalse();
        assertThat(asked.get(2).path("ids")).hasSize(9);
        assertThat(asked.get(2).path("count").asInt()).isEqualTo(4);
        assertThat(asked.get(2).path("sequences").asInt()).isEqualTo(1);
        assertThat(asked.get(3).path("sequences").asInt()).isEqualTo(8);
        assertThat(asked.get(3).path("ids")).hasSize(8 * 9);
    }

    @Test
    void anErrorOfThePeerIsToldInItsWords() throws Exception {
        try (Rival peer = start("echo '{\"error\": \"RuntimeError: no room\"}'")) {
            assertThatExceptionOfType(BenchException.class)
                    .isThrownBy(() -> peer.with(ON).read(Figure.PREFILL))
                    .withMessageContaining("RuntimeError: no room");
            assertThat(peer.nll(OFF, 0, 20)).as("it lives on").isEqualTo(2.5);
        }
    }

    @Test
    void aPeerThatDiesIsReportedWithItsExitCode() throws Exception {
        try (Rival peer = start("exit 7")) {
            assertThatExceptionOfType(BenchException.class)
                    .isThrownBy(() -> peer.with(ON).read(Figure.PREFILL))
                    .withMessageContaining("exit code 7");
        }
    }

    @Test
    void babbleIsNoAnswer() throws Exception {
        try (Rival peer = start("echo hello")) {
            assertThatExceptionOfType(BenchException.class)
                    .isThrownBy(() -> peer.with(ON).read(Figure.PREFILL))
                    .withMessageContaining("hello");
        }
    }

    @Test
    void aPeerThatIsNotThereIsReported() {
        assertThatExceptionOfType(BenchException.class)
                .isThrownBy(() ->
                        Rival.start(
                                        Engine.PYTORCH,
                                        "/no/such/python",
                                        Path.of("m.gguf"),
                                        1,
                                        WORK,
                                        folder)
                                .close())
                .withMessageContaining("/no/such/python");
    }

    @Test
    void theBuildMustUseWhatTheProcessorHas() {
        Machine plain = new Machine("", Set.of("avx2", "fma"), 2, 0);
        Machine vnni = new Machine("", Set.of("avx2", "avx512f", "avx512_vnni", "avx_vnni"), 2, 0);
        Machine arm = new Machine("", Set.of("asimd", "asimddp"), 2, 0);
        String avx2 = "CPU : SSE3 = 1 | AVX = 1 | AVX2 = 1 | FMA = 1 | ";
        assertThat(Engine.LLAMA_CPP.missing(plain, avx2)).isEmpty();
        assertThat(Engine.LLAMA_CPP.missing(vnni, avx2)).containsExactly("AVX512", "AVX512_VNNI");
        assertThat(Engine.LLAMA_CPP.missing(vnni, avx2 + "AVX512 = 1 | AVX512_VNNI = 1 | "))
                .isEmpty();
        Machine amx = new Machine("", Set.of("avx2", "avx512_bf16", "amx_int8"), 2, 0);
        assertThat(Engine.LLAMA_CPP.missing(amx, avx2)).containsExactly("AVX512_BF16", "AMX_INT8");
        assertThat(Engine.IK_LLAMA_CPP.missing(amx, avx2)).containsExactly("AVX512_BF16");
        assertThat(Engine.LLAMA_CPP.missing(amx, avx2 + "AVX512_BF16 = 1 | AMX_INT8 = 1 | "))
                .isEmpty();
        assertThat(Engine.LLAMA_CPP.missing(arm, "CPU : NEON = 1 | ")).containsExactly("DOTPROD");
    }

    @Test
    void aJavaPeerThatIsNotThereIsReportedWithItsPath() {
        Path absent = folder.resolve("Llama3.java");
        assertThatExceptionOfType(BenchException.class)
                .isThrownBy(() -> JavaPeer.llama3(absent, "", folder))
                .withMessageContaining(absent.toString())
                .withMessageContaining("--peer-path");
    }

    @Test
    void aJavaPeerIsCompiledWithItsDriver() throws Exception {
        Path peer =
                Files.writeString(
                        folder.resolve("Peer.java"), "package com.llama4j; class Peer {}");
        String driver =
                """
                package com.llama4j;
                class Llama3Peer extends Peer {
                    public static void main(String[] args) { System.out.println("it runs"); }
                }
                """;
        List<String> command = JavaPeer.llama3(peer, driver, folder);
        Process process = new ProcessBuilder(command).start();
        assertThat(new String(process.getInputStream().readAllBytes(), UTF_8)).contains("it runs");
        assertThat(process.waitFor()).isZero();
    }

    @Test
    void jlamaIsADriverCompiledAgainstTheJarsOfItsFolder() throws Exception {
        Path jars = Files.createDirectory(folder.resolve("jars"));
        assertThat(JavaPeer.hasJlama(jars)).isFalse();
        assertThat(JavaPeer.hasJlama(jars.resolve("absent"))).isFalse();
        Path jar = jars.resolve("jlama-core-0.jar");
        String name = "dev/flagship/base/Bytes.class";
        try (var in = Bytes.class.getResourceAsStream("/" + name);
                var out = new JarOutputStream(Files.newOutputStream(jar))) {
            out.putNextEntry(new JarEntry(name));
            Objects.requireNonNull(in).transferTo(out);
        }
        assertThat(JavaPeer.hasJlama(jars)).isTrue();
        String driver =
                """
                package com.github.tjake.jlama.model;
                class JlamaPeer {
                    public static void main(String[] args) {
                        System.out.print(dev.flagship.base.Bytes.human(2048));
                        System.out.print(" in " + System.getProperty("java.io.tmpdir"));
                    }
                }
                """;
        Process process = new ProcessBuilder(JavaPeer.jlama(jars, driver, folder)).start();
        assertThat(new String(process.getInputStream().readAllBytes(), UTF_8))
                .isEqualTo("2.0 KiB in " + folder);
        assertThat(process.waitFor()).isZero();
    }

    @Test
    void aDriverThatDoesNotFitIsReportedInTheCompilersWords() {
        assertThatExceptionOfType(BenchException.class)
                .isThrownBy(() -> JavaPeer.jlama(folder, "class JlamaPeer { Absent a; }", folder))
                .withMessageContaining("does not compile")
                .withMessageContaining("error: cannot find symbol");
    }

    @ParameterizedTest
    @EnumSource
    void theScriptForPythonIsOnTheClassPath(Engine engine) {
        assertThat(Engine.class.getResource(engine.script())).isNotNull();
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
