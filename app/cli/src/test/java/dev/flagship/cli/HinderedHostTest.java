package dev.flagship.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

/**
 * Hosts that keep a processor from its best kernels. Executable memory can be renounced for good on
 * Linux 6.3 and newer (man 2 prctl, PR_SET_MDWE); Java's own compilers go on in memory that they
 * have already.
 */
@EnabledOnOs(value = OS.LINUX, architectures = "amd64")
class HinderedHostTest {
    private static final int NOT_SUPPORTED = 77;

    @TempDir Path home;
    private final List<Process> processes = new ArrayList<>();

    @AfterEach
    void endProcesses() {
        processes.forEach(Process::destroyForcibly);
    }

    private Process start(Class<?> main, String... words) throws IOException {
        return start(List.of("--enable-native-access=ALL-UNNAMED"), main, words);
    }

    private Process start(List<String> flags, Class<?> main, String... words) throws IOException {
        var command = new ArrayList<String>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(flags);
        command.addAll(
                List.of(
                        "--add-modules",
                        "jdk.incubator.vector",
                        "-XX:+UseSerialGC",
                        // all of the code cache at once: it may not grow later
                        "-XX:-SegmentedCodeCache",
                        "-XX:InitialCodeCacheSize=64m",
                        "-XX:ReservedCodeCacheSize=64m",
                        "-cp",
                        System.getProperty("java.class.path"),
                        main.getName()));
        command.addAll(List.of(words));
        var builder = new ProcessBuilder(command);
        builder.environment().put("FLAGSHIP_HOME", home.toString());
        builder.redirectError(home.resolve("stderr").toFile());
        Process process = builder.start();
        processes.add(process);
        process.getOutputStream().close();
        return process;
    }

    private String stdout(Process process) throws IOException {
        return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }

    private String stderr() throws IOException {
        return Files.readString(home.resolve("stderr"));
    }

    /** Whether the processor is made for the x86 kernels. */
    static boolean suits() throws IOException {
        try (var lines = Files.lines(Path.of("/proc/cpuinfo"))) {
            return lines.filter(line -> line.startsWith("flags"))
                    .map(line -> List.of(line.split(" ", -1)))
                    .anyMatch(flags -> flags.containsAll(List.of("avx2", "fma", "f16c")));
        }
    }

    @Test
    void answersOnTheVectorRungWithOneWarningAndTheSameWords() throws Exception {
        assumeTrue(suits(), "this processor has nothing to lose");
        String model = TinyModel.in(home).toString();
        String[] words = {
            "run", model, "--numerics", "fast", "--temperature", "0", "--max-tokens", "12", "fish"
        };
        Process free = start(Main.class, words);
        String answer = stdout(free);
        assertThat(free.waitFor()).as(stderr()).isZero();
        assertThat(stderr()).contains("x86-").doesNotContain("Note:");

        Process bound = start(Renouncing.class, words);
        String boundAnswer = stdout(bound);
        int code = bound.waitFor();
        assumeTrue(code != NOT_SUPPORTED, "this kernel has no PR_SET_MDWE");
        assertThat(code).as(stderr()).isZero();
        assertThat(boundAnswer).isEqualTo(answer).isNotBlank();
        hasOneWarning();
    }

    private void hasOneWarning() throws IOException {
        assertThat(stderr().lines().filter(line -> line.startsWith("Note: ")).toList())
                .singleElement()
                .asString()
                .contains(
                        "mprotect failed with errno 13", // cause
                        "allow it for this process", // remedy
                        "Computing with the vector-"); // what is used
    }

    @Test
    void servesOnTheVectorRungWithOneWarningAndTheSameWords() throws Exception {
        assumeTrue(suits(), "this processor has nothing to lose");
        String model = TinyModel.in(home).toString();
        String[] words = {"serve", "--model", model, "--port", "0", "--numerics", "fast"};
        String answer = served(start(Main.class, words), "kernels x86-");
        assertThat(stderr()).doesNotContain("Note:");

        Process bound = start(Renouncing.class, words);
        assertThat(served(bound, "kernels vector-")).isEqualTo(answer).isNotBlank();
        hasOneWarning();
    }

    /** One answer of a server, whose first line says so of its kernels; ends it. */
    private String served(Process server, String kernels) throws Exception {
        try (BufferedReader out = server.inputReader(StandardCharsets.UTF_8);
                var http = HttpClient.newHttpClient()) {
            String first = out.readLine();
            if (first == null) {
                int code = server.waitFor();
                assumeTrue(code != NOT_SUPPORTED, "this kernel has no PR_SET_MDWE");
                throw new AssertionError("serve ended with %d: %s".formatted(code, stderr()));
            }
            assertThat(first).startsWith("tiny: ").contains(kernels);
            String listening = out.readLine();
            assertThat(listening).as(stderr()).startsWith("Listening on http://");
            var request =
                    HttpRequest.newBuilder(
                                    URI.create(
                                            listening.substring("Listening on ".length())
                                                    + "/v1/chat/completions"))
                            .POST(
                                    HttpRequest.BodyPublishers.ofString(
                                            "{\"messages\": [{\"role\": \"user\", \"content\": \"fish\"}], \"temperature\": 0, \"max_tokens\": 12}"))
                            .build();
            var response = http.send(request, HttpResponse.BodyHandlers.ofString());
            assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
            return JsonMapper.shared()
                    .readTree(response.body())
                    .at("/choices/0/message/content")
                    .stringValue();
        } finally {
            server.destroy();
            server.waitFor();
        }
    }

    private static void hasOneFailure(Process process, String findings, String... words)
            throws InterruptedException {
        assertThat(process.waitFor()).as(findings).isEqualTo(Failures.FAILED);
        assertThat(findings.lines().filter(line -> line.startsWith("failed")).toList())
                .singleElement()
                .asString()
                .contains(words);
    }

    @Test
    void theDoctorFailsWhereThereIsNoExecutableMemory() throws Exception {
        assumeTrue(suits(), "this processor has nothing to lose");
        Process process = start(Renouncing.class, "doctor");
        String findings = stdout(process);
        assumeTrue(process.waitFor() != NOT_SUPPORTED, "this kernel has no PR_SET_MDWE");
        hasOneFailure(process, findings, "no executable memory", "Computing with the vector-");
    }

    @Test
    void theDoctorFailsWhereNativeAccessIsNotEnabled() throws Exception {
        assumeTrue(suits(), "this processor has nothing to lose");
        Process process = start(List.of(), Main.class, "doctor");
        hasOneFailure(
                process,
                stdout(process),
                "--enable-native-access=ALL-UNNAMED",
                "Computing with the vector-");
    }

    /** The first start keeps what it measured beside the markers, under the same name. */
    @Test
    void theDoctorFailsWhereAProcessDiedInItsTrial() throws Exception {
        assumeTrue(suits(), "this processor has nothing to lose");
        Process first = start(Main.class, "doctor");
        String findings = stdout(first);
        assertThat(first.waitFor()).as(findings).isZero();
        String variant;
        try (var files = Files.newDirectoryStream(home.resolve("kernels"), "tuning-*")) {
            variant = files.iterator().next().getFileName().toString();
        }
        Path marker = home.resolve("kernels", variant.replace("tuning", "trying") + "-999999999");
        Files.createFile(marker);
        Process next = start(Main.class, "doctor");
        hasOneFailure(next, stdout(next), "died", "remove " + marker);
    }

    /** Renounces executable memory, and then is Flagship. */
    static final class Renouncing {
        private static final int PR_SET_MDWE = 65;
        private static final long PR_MDWE_REFUSE_EXEC_GAIN = 1;

        private Renouncing() {}

        @SuppressWarnings("restricted") // the test is about them
        public static void main(String[] words) throws Throwable {
            Linker linker = Linker.nativeLinker();
            var prctl =
                    linker.downcallHandle(
                            linker.defaultLookup().findOrThrow("prctl"),
                            FunctionDescriptor.of(
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.JAVA_LONG),
                            Linker.Option.firstVariadicArg(1));
            int result = (int) prctl.invokeExact(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0L, 0L, 0L);
            if (result != 0) {
                System.exit(NOT_SUPPORTED);
            }
            Main.main(words);
        }
    }
}
