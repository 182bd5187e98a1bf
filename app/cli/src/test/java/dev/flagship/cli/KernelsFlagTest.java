package dev.flagship.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code --kernels} chooses who computes, and not what: every rung says the same words. */
class KernelsFlagTest {
    @TempDir Path home;
    private final List<Process> processes = new ArrayList<>();

    @AfterEach
    void endProcesses() {
        processes.forEach(Process::destroyForcibly);
    }

    /** In F32, and by the kernels for activations rounded to int8. */
    @ParameterizedTest
    @ValueSource(strings = {"--numerics=exact", "--quantize=q8_0"})
    void everyRungGivesTheSameGreedyAnswer(String flag) throws Exception {
        Path model = TinyModel.in(home);
        String expected = answer(model, "scalar", flag, "kernels scalar");
        assertThat(expected).hasSizeGreaterThan(12);
        assertThat(answer(model, "vector", flag, "kernels vector-")).isEqualTo(expected);
        if (HinderedHostTest.suits()) {
            assertThat(answer(model, "x86", flag, "kernels x86-")).isEqualTo(expected);
        }
    }

    /** Of a process that says so of its kernels. */
    private String answer(Path model, String kernels, String flag, String told) throws Exception {
        Process process =
                start(
                        "run",
                        model.toString(),
                        "--kernels",
                        kernels,
                        flag,
                        "--temperature=0",
                        "--max-tokens=24",
                        "--threads=2",
                        "fish");
        String answer = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).as(stderr()).isZero();
        assertThat(stderr()).contains(told).doesNotContain("cannot run here", "wrong numbers");
        return answer;
    }

    private String stderr() throws IOException {
        return Files.readString(home.resolve("stderr"));
    }

    private Process start(String... words) throws IOException {
        List<String> command =
                new ArrayList<>(
                        List.of(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "--add-modules",
                                "jdk.incubator.vector",
                                "--enable-native-access=ALL-UNNAMED",
                                "-XX:+UseSerialGC",
                                "-cp",
                                System.getProperty("java.class.path"),
                                Main.class.getName()));
        command.addAll(List.of(words));
        var builder = new ProcessBuilder(command);
        builder.environment().put("FLAGSHIP_HOME", home.toString());
        builder.redirectError(home.resolve("stderr").toFile());
        Process process = builder.start();
        processes.add(process);
        process.getOutputStream().close();
        return process;
    }
}
