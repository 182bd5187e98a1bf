package dev.flagship.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The program as a process of its own: signals, exit codes, the life of a server. */
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "signals are sent by kill")
class ProcessTest {
    @TempDir Path home;
    private Path model;
    private final List<Process> processes = new ArrayList<>();

    @BeforeEach
    void makeModel() throws IOException {
        model = TinyModel.in(home);
    }

    @AfterEach
    void endProcesses() {
        processes.forEach(Process::destroyForcibly);
    }

    private Process flagship(String... words) throws IOException {
        return flagship(List.of(), words);
    }

    private Process flagship(List<String> flags, String... words) throws IOException {
        var command = new ArrayList<String>();
        if (interruptIsIgnored()) {
            command.addAll(List.of("env", "--default-signal=INT")); // GNU, as is /proc
        }
        command.addAll(
                List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:TieredStopAtLevel=1",
                        "-XX:+UseSerialGC",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Main.class.getName()));
        command.addAll(command.indexOf("-cp"), flags);
        command.addAll(List.of(words));
        var builder = new ProcessBuilder(command);
        builder.environment().put("FLAGSHIP_HOME", home.toString());
        builder.redirectError(home.resolve("stderr").toFile());
        Process process = builder.start();
        processes.add(process);
        return process;
    }

    /** Whoever runs the tests in a shell's background passes on that SIGINT is ignored. */
    private static boolean interruptIsIgnored() throws IOException {
        Path status = Path.of("/proc/self/status");
        if (!Files.exists(status)) {
            return false;
        }
        for (String line : Files.readAllLines(status)) {
            if (line.startsWith("SigIgn:")) {
                return (Long.parseUnsignedLong(line.substring(7).strip(), 16) & 2) != 0;
            }
        }
        return false;
    }

    private String stderr() throws IOException {
        return Files.readString(home.resolve("stderr"));
    }

    private static void signal(Process process, String name) throws Exception {
        int code =
                new ProcessBuilder("kill", "-" + name, Long.toString(process.pid()))
                        .start()
                        .waitFor();
        assertThat(code).isZero();
    }

    private static int exit(Process process) throws InterruptedException {
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        return process.exitValue();
    }

    /** Greedily, the tiny model goes on after this until its context is full. */
    private Process endless() throws IOException {
        Process process =
                flagship(
                        "run",
                        model.toString(),
                        "--temperature",
                        "0",
                        "--kernels",
                        "scalar",
                        "fish");
        process.getOutputStream().close();
        return process;
    }

    /** They would take a tenth of each start. */
    @Test
    void anAnswerThatNobodyRecordsLoadsNoClassesOfFlightRecorder() throws Exception {
        Path log = home.resolve("classes");
        Process process =
                flagship(
                        List.of("-Xlog:class+load:file=" + log),
                        "run",
                        model.toString(),
                        "--max-tokens",
                        "2",
                        "fish");
        process.getOutputStream().close();
        assertThat(exit(process)).as(stderr()).isZero();
        assertThat(Files.readAllLines(log))
                .anyMatch(line -> line.contains("dev.flagship.serving.StepLoop"))
                .noneMatch(line -> line.contains("jdk.jfr.internal"));
    }

    /** As the doctor says. */
    @Test
    void aJavaThatCorruptsMemoryLoadsNoModel() throws Exception {
        for (String command : List.of("run", "serve")) {
            String[] words =
                    command.equals("run")
                            ? new String[] {command, model.toString(), "fish"}
                            : new String[] {command, "--model", model.toString(), "--port", "0"};
            Process process = flagship(List.of("-XX:+UseCompactObjectHeaders"), words);
            process.getOutputStream().close();
            assertThat(exit(process)).as(stderr()).isEqualTo(Failures.FAILED);
            assertThat(process.getInputStream().readAllBytes()).isEmpty();
            assertThat(stderr())
                    .startsWith("flagship: Cannot load " + model)
                    .contains("-XX:+UseCompactObjectHeaders", "JDK-8380060", "Take it out of")
                    .doesNotContain("\tat ");
        }
    }

    @Test
    void ctrlCEndsQuantisingWith130AndSaysThatNothingWasWritten() throws Exception {
        Path text =
                Files.writeString(home.resolve("text"), "the cat sat on the mat ".repeat(200_000));
        Path made = home.resolve("made.gguf");
        Process process =
                flagship(
                        "quantize",
                        model.toString(),
                        "--to",
                        "q8_0",
                        "-o",
                        made.toString(),
                        "--perplexity",
                        text.toString());
        while (process.isAlive() && !stderr().contains("Measuring perplexity")) {
            Thread.sleep(20);
        }
        signal(process, "INT");
        assertThat(exit(process)).isEqualTo(130);
        assertThat(stderr()).endsWith("flagship: stopped; nothing was written to " + made + "\n");
        assertThat(made).doesNotExist();
    }

    @Test
    void ctrlCEndsAnAnswerWith130() throws Exception {
        Process process = endless();
        assertThat(process.getInputStream().read()).isNotEqualTo(-1);
        signal(process, "INT");
        assertThat(exit(process)).isEqualTo(130);
        assertThat(stderr()).doesNotContain("Exception", "\tat ");
    }

    @Test
    void endsWith141WhenNobodyReads() throws Exception {
        Process process = endless();
        assertThat(process.getInputStream().read()).isNotEqualTo(-1);
        process.getInputStream().close();
        assertThat(exit(process)).isEqualTo(141);
        assertThat(stderr()).doesNotContain("Exception", "\tat ");
    }

    /** As from a slow command in a pipe. */
    @Test
    void textThatBeginsLateIsPartOfThePrompt() throws Exception {
        Process whole = prompted("the");
        whole.getOutputStream().write("cat".getBytes(StandardCharsets.UTF_8));
        whole.getOutputStream().close();
        assertThat(exit(whole)).isZero();
        assertThat(stderr()).doesNotContain("Note: waiting");

        Process late = prompted("the");
        awaitStderr("Note: waiting for standard input, where nothing has come yet");
        late.getOutputStream().write("cat".getBytes(StandardCharsets.UTF_8));
        late.getOutputStream().close();
        assertThat(exit(late)).isZero();
        assertThat(late.getInputStream().readAllBytes())
                .isNotEmpty()
                .isEqualTo(whole.getInputStream().readAllBytes());
    }

    /** As under ssh. */
    @Test
    void anOpenAndSilentStandardInputIsWaitedForAndTheWayOutIsNamed() throws Exception {
        Process process = prompted("hi");
        awaitStderr("< /dev/null");
        assertThat(stderr()).contains("tiny: "); // loaded meanwhile
        assertThat(process.isAlive()).isTrue();
        process.getOutputStream().close();
        assertThat(exit(process)).isZero();
        assertThat(process.getInputStream().readAllBytes()).isNotEmpty();
    }

    @Test
    void textThatDoesNotEndIsToldApartFromNone() throws Exception {
        Process process = prompted("-");
        process.getOutputStream().write("hi".getBytes(StandardCharsets.UTF_8));
        process.getOutputStream().flush();
        awaitStderr("Note: waiting for the end of standard input.");
        process.getOutputStream().close();
        assertThat(exit(process)).isZero();
    }

    private void awaitStderr(String text) throws Exception {
        long end = System.nanoTime() + 60_000_000_000L;
        while (!stderr().contains(text)) {
            assertThat(System.nanoTime()).as("%s in: %s", text, stderr()).isLessThan(end);
            Thread.sleep(20);
        }
    }

    private Process prompted(String prompt) throws IOException {
        return flagship(
                "run",
                model.toString(),
                "--temperature",
                "0",
                "--max-tokens",
                "12",
                "--kernels",
                "scalar",
                prompt);
    }

    @Test
    void servesUntilItIsToldToEnd() throws Exception {
        Process process =
                flagship(
                        "serve", "--model", model.toString(), "--port", "0", "--kernels", "scalar");
        BufferedReader out = process.inputReader(StandardCharsets.UTF_8);
        assertThat(out.readLine()).startsWith("tiny: ");
        String listening = out.readLine();
        assertThat(listening).matches("Listening on http://127\\.0\\.0\\.1:\\d+");
        String base = listening.substring("Listening on ".length());
        try (var http = HttpClient.newHttpClient()) {
            var health = HttpRequest.newBuilder(URI.create(base + "/health")).build();
            assertThat(http.send(health, HttpResponse.BodyHandlers.ofString()).body())
                    .contains("tiny");
        }
        signal(process, "TERM");
        assertThat(exit(process)).isEqualTo(143);
        assertThat(out.readLine()).isNull();
        assertThat(stderr()).doesNotContain("INFO", "Exception", "\tat ");
    }

    @Test
    void serveWarnsOfAModelThatCannotChat() throws Exception {
        Files.delete(model.resolve("chat_template.jinja"));
        Process process =
                flagship(
                        "serve", "--model", model.toString(), "--port", "0", "--kernels", "scalar");
        BufferedReader out = process.inputReader(StandardCharsets.UTF_8);
        assertThat(out.readLine()).startsWith("tiny: ");
        assertThat(out.readLine())
                .isEqualTo(
                        "Warning: tiny brings no chat template, so every chat with it is refused; --chat-template FILE gives it a template.");
        assertThat(out.readLine()).startsWith("Listening");
    }

    @Test
    void aTakenPortIsAnErrorWithARemedy() throws Exception {
        try (var taken = new ServerSocket(0, 1, InetAddress.ofLiteral("127.0.0.1"))) {
            Process process =
                    flagship(
                            "serve",
                            "--model",
                            model.toString(),
                            "--port",
                            Integer.toString(taken.getLocalPort()));
            assertThat(exit(process)).isEqualTo(1);
            assertThat(stderr())
                    .startsWith("flagship: ")
                    .contains(Integer.toString(taken.getLocalPort()), "--port")
                    .doesNotContain("\tat ");
        }
    }

    @Test
    @EnabledOnOs(OS.LINUX) // elsewhere the command line is UTF-8 whatever the locale says
    void aPromptThatTheLocaleMangledIsRefused() throws Exception {
        // The prompt itself goes through this JVM's locale, so a shell spells its bytes.
        Process process =
                new ProcessBuilder(
                                "sh",
                                "-c",
                                "export LC_ALL=C; exec \"$0\" -cp \"$1\" dev.flagship.cli.Main run smollm2 \"$(printf 'Gr\\303\\274n')\" </dev/null",
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                System.getProperty("java.class.path"))
                        .redirectError(home.resolve("stderr").toFile())
                        .start();
        processes.add(process);
        assertThat(exit(process)).isEqualTo(2);
        assertThat(stderr()).contains("LC_ALL=C.UTF-8");
    }

    /** A newcomer's first minutes, on a real terminal. */
    @Test
    @EnabledOnOs(OS.LINUX) // elsewhere script(1) takes other words
    void chatsOnATerminal() throws Exception {
        assumeTrue(Files.exists(Path.of("/usr/bin/script")));
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        var builder =
                new ProcessBuilder(
                        "script",
                        "-qefc",
                        "stty cols 80 rows 24; exec $SIGNALS \"$JAVA\" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp \"$CP\" dev.flagship.cli.Main run \"$MODEL\" --temperature 0 --kernels scalar",
                        "/dev/null");
        builder.environment()
                .putAll(
                        Map.of(
                                "SIGNALS",
                                interruptIsIgnored() ? "env --default-signal=INT" : "",
                                "JAVA",
                                java,
                                "CP",
                                System.getProperty("java.class.path"),
                                "MODEL",
                                model.toString(),
                                "FLAGSHIP_HOME",
                                home.toString(),
                                "TERM",
                                "xterm-256color"));
        builder.directory(home.toFile())
                .redirectErrorStream(true)
                .redirectOutput(home.resolve("screen").toFile());
        Process process = builder.start();
        processes.add(process);
        screenBehind(0, "Ctrl-D leaves");
        int at = press(process, "the cat\r", 0, "\u001b[?2004l"); // the line is taken
        while (screen().length() < at + 20) { // and answered
            Thread.sleep(20);
        }
        at = press(process, "\u0003", at, "(stopped)");
        at = press(process, "\u001b[200~the\rcat\u001b[201~", at, "cat");
        at = press(process, "\u0003", at, "> "); // a message that is not sent
        at = press(process, "\u0003", at, "(Ctrl-D or /bye leaves.)");
        at = press(process, "/set max-tokens 4\r", at, "max-tokens is 4");
        at = press(process, "/retry\r", at, "(ended by max-tokens)");
        at = press(process, "/save talk\r", at, "Saved 1 exchange in talk");
        press(process, "\u0004", at, "");
        assertThat(exit(process)).as(screen()).isZero();
        assertThat(screen()).doesNotContain("Exception", "\tat ");
        assertThat(Files.readString(home.resolve("history")))
                .isEqualTo("the cat\n/set max-tokens 4\n/retry\n/save talk\n");
    }

    /** Presses keys; returns where the screen stood behind what was awaited. */
    private int press(Process process, String keys, int at, String awaited) throws Exception {
        process.getOutputStream().write(keys.getBytes(StandardCharsets.UTF_8));
        process.getOutputStream().flush();
        return screenBehind(at, awaited);
    }

    private int screenBehind(int at, String text) throws Exception {
        long end = System.nanoTime() + 60_000_000_000L;
        while (screen().indexOf(text, at) < 0) {
            assertThat(System.nanoTime()).as("%s in: %s", text, screen()).isLessThan(end);
            Thread.sleep(20);
        }
        return screen().indexOf(text, at) + text.length();
    }

    private String screen() throws IOException {
        return new String(Files.readAllBytes(home.resolve("screen")), StandardCharsets.UTF_8);
    }
}
