package dev.flagship.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.OutputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Fetching from a hub that behaves, and from hubs that do not. */
class PullTest {
    private static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";
    private static final LicenceGate ANYBODY = (_, _) -> true;

    private static final URI HUB = URI.create("https://huggingface.co/");

    @TempDir Path temp;

    private Path home() {
        return temp.resolve("home");
    }

    private static byte[] bytes(int length, long seed) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    private ModelStore store(LoopbackHub hub) {
        return store(hub, Optional.empty());
    }

    private ModelStore store(LoopbackHub hub, Optional<HubToken> token) {
        Hub there =
                new Hub(
                        hub.base(),
                        token,
                        home().resolve("hub-token"),
                        Fixtures.transfer(Duration.ofSeconds(5)));
        return new ModelStore(home(), new Catalogue(List.of()), _ -> List.of(), there);
    }

    private StoredModel pull(LoopbackHub hub, String reference) {
        return store(hub).pull(reference, Optional.empty(), ANYBODY, Progress.NONE).model();
    }

    private void fails(LoopbackHub hub, String reference, String code, String... parts) {
        assertThatThrownBy(() -> pull(hub, reference))
                .isInstanceOfSatisfying(
                        LaunchException.class, e -> assertThat(e.code()).isEqualTo(code))
                .message()
                .contains(parts);
    }

    /** A repository as Hugging Face's hub shows it. */
    private static LoopbackHub repository(String licence, Map<String, byte[]> files)
            throws Exception {
        Map<String, LoopbackHub.Exchange> pages = new ConcurrentHashMap<>();
        var tree = new ArrayList<String>();
        for (var file : files.entrySet()) {
            byte[] content = file.getValue();
            boolean large = content.length > 1_000;
            tree.add(
                    """
                    {"type": "file", "path": "%s", "size": %d, "oid": "%s"%s}\
                    """
                            .formatted(
                                    file.getKey(),
                                    content.length,
                                    gitName(content),
                                    large
                                            ? ", \"lfs\": {\"oid\": \"%s\", \"size\": %d}"
                                                    .formatted(
                                                            Fixtures.sha256(content),
                                                            content.length)
                                            : ""));
            pages.put(
                    "/org/repo/resolve/" + COMMIT + "/" + Percent.path(file.getKey()),
                    LoopbackHub.ranges(content));
        }
        pages.put(
                "/api/models/org/repo/revision/main",
                json(
                        """
                        {"id": "org/repo", "sha": "%s", "cardData": {"license": "%s"}}\
                        """
                                .formatted(COMMIT, licence)));
        pages.put(
                "/api/models/org/repo/tree/" + COMMIT + "?recursive=true",
                json("[" + String.join(", ", tree) + "]"));
        return LoopbackHub.of((request, out) -> {
            LoopbackHub.Exchange page = pages.get(request.path());
            if (page == null) {
                LoopbackHub.head(out, "404 Not Found", "X-Error-Code: EntryNotFound");
            } else {
                page.write(request, out);
            }
        });
    }

    private static LoopbackHub.Exchange json(String text) {
        return (request, out) ->
                LoopbackHub.ok(text.getBytes(StandardCharsets.UTF_8)).write(request.path(), out);
    }

    /** As {@code git hash-object} says. */
    private static String gitName(byte[] content) throws Exception {
        var sha1 = java.security.MessageDigest.getInstance("SHA-1");
        sha1.update(("blob " + content.length + "\0").getBytes(StandardCharsets.US_ASCII));
        return java.util.HexFormat.of().formatHex(sha1.digest(content));
    }

    @Test
    void pullsAQuantisationOfARepositoryByRangesAndNoOther() throws Exception {
        byte[] wanted = bytes(300_000, 1);
        try (var hub =
                repository(
                        "mit",
                        Map.of(
                                "Tiny-Q4_K_M.gguf", bytes(250_000, 2),
                                "Tiny-Q8_0.gguf", wanted,
                                "README.md", bytes(100, 3)))) {
            StoredModel model = pull(hub, "org/repo:q8_0");
            assertThat(model.path()).hasBinaryContent(wanted);
            assertThat(model.name()).isEqualTo("org/repo:q8_0");
            assertThat(model.licence().open()).isTrue();
            assertThat(model.origin()).isEqualTo("org/repo@" + COMMIT);
            assertThat(hub.paths()).noneMatch(path -> path.contains("Q4_K_M"));
            assertThat(hub.requests()).anyMatch(r -> r.header("range").equals("bytes=16384-32767"));
            assertThat(store(hub).resolve("org/repo:q8_0")).isEqualTo(model.path());

            int asked = hub.requests().size();
            assertThat(
                            store(hub)
                                    .pull("org/repo:q8_0", Optional.empty(), ANYBODY, Progress.NONE)
                                    .fetched())
                    .isFalse();
            assertThat(hub.requests().size() - asked).isEqualTo(2); // what it is, not its bytes
        }
    }

    @Test
    void choosesAmongSeveralAndSaysSo() throws Exception {
        var heard = new Fixtures.Listener();
        try (var hub =
                repository(
                        "mit",
                        Map.of(
                                "a-Q8_0.gguf", bytes(2_000, 1),
                                "a-Q4_K_M.gguf", bytes(2_000, 2),
                                "mmproj-a-F16.gguf", bytes(2_000, 3)))) {
            StoredModel model =
                    store(hub).pull("org/repo", Optional.empty(), ANYBODY, heard).model();
            assertThat(model.path().getFileName()).hasToString("a-Q4_K_M.gguf");
            assertThat(heard.stages)
                    .anyMatch(s ->
                            s.contains("has 2 models; taking a-Q4_K_M.gguf. Others: :a-Q8_0.gguf"));
            fails(
                    hub,
                    "org/repo:q5_k",
                    "no_such_file",
                    "nothing in it is called \"q5_k\"",
                    "a-Q8_0.gguf (2.0 KiB)");
            fails(hub, "org/repo:a", "no_such_file", "several files of it fit");
        }
    }

    @Test
    void pullsAFolderWithoutWhatDoesNotRun() throws Exception {
        Map<String, byte[]> files =
                Map.of(
                        "model-00001-of-00002.safetensors", bytes(40_000, 1),
                        "model-00002-of-00002.safetensors", bytes(30_000, 2),
                        "model.safetensors.index.json", bytes(500, 3),
                        "config.json", bytes(200, 4),
                        "tokenizer.json", bytes(3_000, 5),
                        "original/consolidated.00.pth", bytes(2_000, 6),
                        "pytorch_model.bin", bytes(2_000, 7),
                        "onnx/model.onnx", bytes(2_000, 8));
        try (var hub = repository("mit", files)) {
            StoredModel model = pull(hub, "org/repo");
            assertThat(model.path()).isDirectory();
            try (Stream<Path> here = Files.list(model.path())) {
                assertThat(here.map(p -> p.getFileName().toString()))
                        .containsExactlyInAnyOrder(
                                "model-00001-of-00002.safetensors",
                                "model-00002-of-00002.safetensors",
                                "model.safetensors.index.json",
                                "config.json",
                                "tokenizer.json",
                                "model.json");
            }
            for (String name : List.of("config.json", "model-00002-of-00002.safetensors")) {
                assertThat(model.path().resolve(name)).hasBinaryContent(files.get(name));
            }
        }
    }

    @Test
    void aSplitModelComesWhole() throws Exception {
        try (var hub =
                repository(
                        "mit",
                        Map.of(
                                "q/Big-Q4_0-00001-of-00002.gguf", bytes(2_000, 1),
                                "q/Big-Q4_0-00002-of-00002.gguf", bytes(2_000, 2),
                                "q/Big-Q4_0.gguf", bytes(2_000, 4),
                                "Big-Q8_0.gguf", bytes(2_000, 3)))) {
            StoredModel model = pull(hub, "org/repo:q/Big-Q4_0-00002-of-00002.gguf");
            assertThat(model.path().resolveSibling("Big-Q4_0.gguf")).doesNotExist();
            assertThat(model.path().toString()).endsWith("q/Big-Q4_0-00001-of-00002.gguf");
            assertThat(model.path()).exists();
            assertThat(model.path().resolveSibling("Big-Q4_0-00002-of-00002.gguf")).exists();
        }
    }

    @Test
    void goesOnWhereAnEarlierAttemptEnded() throws Exception {
        byte[] content = bytes(400_000, 1);
        var most = new AtomicInteger(12);
        LoopbackHub.Exchange ranges = LoopbackHub.ranges(content);
        try (var hub =
                LoopbackHub.of((request, out) -> {
                    if (most.getAndDecrement() > 0) {
                        ranges.write(request, out);
                    } else {
                        LoopbackHub.head(out, "404 Not Found");
                    }
                })) {
            String address = hub.base() + "files/x/my.gguf";
            fails(hub, address, "not_on_hub", "status 404");
            most.set(Integer.MAX_VALUE);
            int before = hub.requests().size();
            var heard = new Fixtures.Listener();
            StoredModel model = store(hub).pull(address, Optional.empty(), ANYBODY, heard).model();
            assertThat(model.path()).hasBinaryContent(content);
            assertThat(model.name()).isEqualTo("my");
            assertThat(heard.stages).anyMatch(s -> s.contains("are here already"));
            // 25 chunks, of which at least those of 9 requests came before
            assertThat(hub.requests().size() - before).isBetween(2, 17);
        }
    }

    @Test
    void whatIsDamagedOnTheDiskIsFetchedAgain() throws Exception {
        byte[] content = bytes(100_000, 1);
        Map<String, byte[]> files = Map.of("a.gguf", content);
        try (var good = repository("mit", files)) {
            Path part = home().resolve("blobs/sha256-" + Fixtures.sha256(content) + ".part");
            Path log = home().resolve("blobs/sha256-" + Fixtures.sha256(content) + ".ranges");
            Files.createDirectories(part.getParent());
            Files.write(part, new byte[100_000]); // as after a power cut
            Files.writeString(
                    log,
                    "flagship-ranges 1 100000 16384 %s\n0\n1\n2\n5"
                            .formatted(Fixtures.sha256(content)));
            var heard = new Fixtures.Listener();
            Path path =
                    store(good).pull("org/repo", Optional.empty(), ANYBODY, heard).model().path();
            assertThat(path).hasBinaryContent(content);
            assertThat(heard.stages).anyMatch(s -> s.contains("is damaged; fetching all of it"));
            assertThat(part).doesNotExist();
            assertThat(log).doesNotExist();
        }
    }

    @Test
    void aWrongChecksumIsRefusedAndLeavesNothing() throws Exception {
        byte[] content = bytes(100_000, 1);
        byte[] other = content.clone();
        other[50_000]++;
        try (var hub = repository("mit", Map.of("a.gguf", content, "config.json", bytes(10, 2)))) {
            byte[] small = bytes(10, 2);
            small[0]++;
            try (var liar = lying(hub, "a.gguf", LoopbackHub.ranges(other))) {
                fails(liar, "org/repo", "wrong_checksum", "SHA-256", Fixtures.sha256(content));
            }
            try (Stream<Path> left = Files.list(home().resolve("blobs"))) {
                assertThat(left.map(p -> p.getFileName().toString())).containsExactly(".locks");
            }
            try (var liar = lying(hub, "config.json", LoopbackHub.ranges(small))) {
                fails(
                        liar,
                        "org/repo:config.json",
                        "wrong_checksum",
                        "to Git",
                        gitName(bytes(10, 2)));
            }
            assertThat(store(hub).stored()).isEmpty();
        }
    }

    /** A hub that is another but for one file. */
    private static LoopbackHub lying(LoopbackHub hub, String file, LoopbackHub.Exchange lie)
            throws Exception {
        return LoopbackHub.of((request, out) -> {
            if (request.path().endsWith("/" + file)) {
                lie.write(request, out);
            } else {
                var connection = hub.base().resolve(request.path()).toURL().openConnection();
                byte[] body = connection.getInputStream().readAllBytes();
                LoopbackHub.ok(body).write(request.path(), out);
            }
        });
    }

    @Test
    void serversThatAnswerWronglyGiveTypedErrors() throws Exception {
        byte[] content = bytes(100_000, 1);
        LoopbackHub.Exchange good = LoopbackHub.ranges(content);
        record Case(String code, String word, LoopbackHub.Exchange answer) {}
        var cases =
                List.of(
                        new Case(
                                "truncated_range",
                                "fewer bytes",
                                (r, out) -> {
                                    LoopbackHub.head(
                                            out,
                                            "206 Partial Content",
                                            "Content-Range: " + range(r, 100_000));
                                    out.write(content, 0, 10);
                                }),
                        new Case(
                                "bad_range",
                                "another range",
                                (_, out) -> {
                                    LoopbackHub.head(
                                            out,
                                            "206 Partial Content",
                                            "Content-Range: bytes 0-9/100000");
                                    out.write(content, 0, 10);
                                }),
                        new Case(
                                "bad_range",
                                "more bytes",
                                (r, out) -> {
                                    LoopbackHub.head(
                                            out,
                                            "206 Partial Content",
                                            "Content-Range: " + range(r, 100_000));
                                    out.write(content);
                                }),
                        new Case(
                                "another_version",
                                "changed",
                                (r, out) -> {
                                    LoopbackHub.head(
                                            out,
                                            "206 Partial Content",
                                            "Content-Range: " + range(r, 90_000));
                                }),
                        new Case(
                                "bad_range",
                                "status 416",
                                (_, out) -> LoopbackHub.head(out, "416 Range Not Satisfiable")),
                        new Case(
                                "rate_limited",
                                "wait 3600 s",
                                (_, out) ->
                                        LoopbackHub.head(
                                                out, "429 Too Many Requests", "Retry-After: 3600")),
                        new Case(
                                "redirect_loop",
                                "more than 5 times",
                                (_, out) ->
                                        LoopbackHub.head(
                                                out, "302 Found", "Location: /round/my.gguf")));
        for (Case each : cases) {
            try (var hub =
                    LoopbackHub.of((request, out) -> {
                        if (request.header("range").equals("bytes=0-0")) {
                            good.write(request, out);
                        } else {
                            each.answer.write(request, out);
                        }
                    })) {
                fails(hub, hub.base() + "my.gguf", each.code, each.word);
            }
        }
        assertThat(store(new LoopbackHub(LoopbackHub.ok(content))).stored()).isEmpty();
    }

    private static String range(LoopbackHub.Request request, long size) {
        return request.header("range").replace('=', ' ') + "/" + size;
    }

    @Test
    void waitsAsLongAsAServerAsks() throws Exception {
        byte[] content = bytes(100_000, 1);
        LoopbackHub.Exchange good = LoopbackHub.ranges(content);
        var busy = new AtomicInteger(2);
        try (var hub =
                LoopbackHub.of((request, out) -> {
                    if (busy.getAndDecrement() > 0) {
                        LoopbackHub.head(out, "429 Too Many Requests", "Retry-After: 1");
                    } else {
                        good.write(request, out);
                    }
                })) {
            long begun = System.nanoTime();
            assertThat(pull(hub, hub.base() + "my.gguf").path()).hasBinaryContent(content);
            assertThat(System.nanoTime() - begun).isGreaterThan(1_900_000_000L);
        }
    }

    @Test
    void aBrokenConnectionIsTakenUpAgain() throws Exception {
        byte[] content = bytes(200_000, 1);
        LoopbackHub.Exchange good = LoopbackHub.ranges(content);
        var count = new AtomicInteger();
        try (var hub =
                LoopbackHub.of((request, out) -> {
                    boolean first = request.header("range").equals("bytes=0-0");
                    if (!first && count.incrementAndGet() % 3 == 0) {
                        out.write("HTTP/1.1 206 Par".getBytes(StandardCharsets.US_ASCII));
                    } else if (!first && count.get() % 5 == 0) {
                        LoopbackHub.head(out, "502 Bad Gateway");
                    } else {
                        good.write(request, out);
                    }
                })) {
            var heard = new Fixtures.Listener(); // which minds more than all
            assertThat(
                            store(hub)
                                    .pull(hub.base() + "my.gguf", Optional.empty(), ANYBODY, heard)
                                    .model()
                                    .path())
                    .hasBinaryContent(content);
            assertThat(heard.done).isEqualTo(200_000);
        }
    }

    @Test
    void aRangeThatBreaksInItsMiddleIsCountedOnce() throws Exception {
        byte[] content = bytes(100_000, 1);
        LoopbackHub.Exchange good = LoopbackHub.ranges(content);
        var count = new AtomicInteger();
        try (var hub =
                LoopbackHub.of((request, out) -> {
                    String range = request.header("range");
                    if (range.equals("bytes=0-0") || count.incrementAndGet() % 2 == 0) {
                        good.write(request, out);
                    } else {
                        LoopbackHub.head(
                                out,
                                "206 Partial Content",
                                "Content-Length: 16384",
                                "Content-Range: " + range(request, 100_000));
                        int from = Integer.parseInt(range.replaceAll("bytes=|-.*", ""));
                        int to = Integer.parseInt(range.replaceAll(".*-", "")) + 1;
                        out.write(content, from, Math.min(9_000, to - from));
                    }
                })) {
            var heard = new Fixtures.Listener();
            assertThat(
                            store(hub)
                                    .pull(hub.base() + "my.gguf", Optional.empty(), ANYBODY, heard)
                                    .model()
                                    .path())
                    .hasBinaryContent(content);
        }
    }

    @Test
    void aServerThatSaysAtOnceAndMeansNeverIsGivenUp() throws Exception {
        for (String retry :
                List.of("0", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT")) {
            var asked = new AtomicInteger();
            try (var hub =
                    LoopbackHub.of((_, out) -> {
                        asked.incrementAndGet();
                        LoopbackHub.head(out, "429 Slow Down", "Retry-After: " + retry);
                    })) {
                fails(hub, hub.base() + "my.gguf", "rate_limited", "too many questions");
                assertThat(asked.get()).isLessThan(1_000);
            }
        }
    }

    @Test
    void whatAHubSaysOfALicenceSteersNoTerminal() {
        Licence licence =
                Licence.of(
                        "apache-2.0",
                        "Ap\u001b]0;x\u0007\nsmollm2 1 GiB" + "y".repeat(999),
                        "",
                        "");
        assertThat(licence.name()).doesNotContain("\u001b", "\u0007", "\n").hasSizeLessThan(400);
    }

    @Test
    void aFileWithAStrangeNameGetsOneThatCanBeTyped() throws Exception {
        try (var hub =
                repository(
                        "mit", Map.of("a$(id).gguf", bytes(2_000, 1), "b.gguf", bytes(2_000, 2)))) {
            StoredModel model = pull(hub, "org/repo:a$(id).gguf");
            assertThat(model.name()).isEqualTo("org/repo:a__id_.gguf");
            assertThat(store(hub).resolve(model.name())).isEqualTo(model.path());
            assertThat(store(hub).remove(model.name())).isEqualTo(2_000);
        }
    }

    @Test
    void anotherQuantisationUnderOneNameReplacesTheFirst() throws Exception {
        byte[] second = bytes(3_000, 2);
        try (var hub =
                repository("mit", Map.of("a-Q4_0.gguf", bytes(2_000, 1), "a-Q8_0.gguf", second))) {
            var name = Optional.of("mine");
            store(hub).pull("org/repo:Q4_0", name, ANYBODY, Progress.NONE);
            StoredModel model =
                    store(hub).pull("org/repo:Q8_0", name, ANYBODY, Progress.NONE).model();
            assertThat(model.path()).hasBinaryContent(second);
            assertThat(store(hub).stored()).hasSize(1);
            try (Stream<Path> blobs = Files.list(home().resolve("blobs"))) {
                assertThat(blobs.filter(Files::isRegularFile)).hasSize(1);
            }
        }
    }

    @Test
    void nothingIsFreedWhileAManifestCannotBeRead() throws Exception {
        byte[] content = bytes(2_000, 1);
        try (var hub = repository("mit", Map.of("a.gguf", content))) {
            StoredModel model = pull(hub, "org/repo");
            Path other = Files.createDirectories(home().resolve("models/newer"));
            Files.writeString(other.resolve("model.json"), "{\"format\": 2}");
            assertThat(store(hub).remove("org/repo")).isZero();
            assertThat(model.files().getFirst()).hasBinaryContent(content);
        }
    }

    @Test
    void aBlobThatIsRemovedWhileAPullNeedsItIsFetchedAgain() throws Exception {
        byte[] shared = bytes(2_000, 1);
        try (var hub =
                        repository(
                                "mit",
                                Map.of("model.safetensors", shared, "config.json", bytes(50, 2)));
                var slow =
                        LoopbackHub.of((request, out) -> {
                            if (request.path().endsWith("config.json")) {
                                Thread.sleep(600);
                            }
                            relay(hub, request, out);
                        })) {
            Path own = Files.write(temp.resolve("own.gguf"), shared);
            store(hub).copy(own.toString(), "mine", Progress.NONE);
            var pulled = new java.util.concurrent.FutureTask<>(() -> pull(slow, "org/repo"));
            Thread.ofPlatform().start(pulled);
            Thread.sleep(300);
            store(hub).remove("mine");
            StoredModel model = pulled.get();
            assertThat(model.complete()).isTrue();
            assertThat(model.path().resolve("model.safetensors")).hasBinaryContent(shared);
        }
    }

    @Test
    void huggingFacesTokenIsForItsOwnHub() {
        URI mirror = URI.create("https://mirror.example/");
        assertThat(HubToken.find(Map.of("HF_TOKEN", "hf_x"), home(), HUB)).isPresent();
        assertThat(HubToken.find(Map.of("HF_TOKEN", "hf_x"), home(), mirror)).isEmpty();
        assertThat(HubToken.find(Map.of("FLAGSHIP_HUB_TOKEN", "x"), home(), mirror)).isPresent();
    }

    @Test
    void aTokenGoesToTheHubAndNowhereElse() throws Exception {
        byte[] content = bytes(100_000, 1);
        String secret = "hf_planted_secret_0123456789";
        HubToken token =
                HubToken.find(Map.of("FLAGSHIP_HUB_TOKEN", secret), home(), HUB).orElseThrow();
        assertThat(token.toString()).doesNotContain(secret);
        try (var elsewhere = LoopbackHub.of(LoopbackHub.ranges(content));
                var hub =
                        LoopbackHub.of((request, out) -> {
                            if (!request.header("authorization").equals("Bearer " + secret)) {
                                LoopbackHub.head(
                                        out, "401 Unauthorized", "X-Error-Code: GatedRepo");
                            } else {
                                LoopbackHub.head(
                                        out,
                                        "302 Found",
                                        "Location: " + elsewhere.base() + "cdn?sig=1");
                            }
                        })) {
            String address = hub.base() + "my.gguf";
            fails(
                    hub,
                    address,
                    "not_allowed",
                    "the model is gated",
                    "accept its terms at " + address,
                    "FLAGSHIP_HUB_TOKEN",
                    home().resolve("hub-token").toString());

            var heard = new Fixtures.Listener();
            var model =
                    store(hub, Optional.of(token))
                            .pull(address, Optional.empty(), ANYBODY, heard)
                            .model();
            assertThat(model.path()).hasBinaryContent(content);
            assertThat(elsewhere.requests())
                    .isNotEmpty()
                    .noneMatch(request -> request.headers().containsKey("authorization"));
            assertThat(hub.requests())
                    .filteredOn(r -> r.headers().containsKey("authorization"))
                    .hasSize(1); // the ranges went to where it led
            assertThat(heard.stages).noneMatch(stage -> stage.contains(secret));
            try (Stream<Path> files = Files.walk(home())) {
                for (Path file : files.filter(Files::isRegularFile).toList()) {
                    assertThat(new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1))
                            .doesNotContain(secret);
                }
            }
        }
    }

    @Test
    void aTokensFileIsForItsOwnerAlone() throws Exception {
        Path file = Files.createDirectories(home()).resolve("hub-token");
        Files.writeString(file, "hf_x\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        assertThat(HubToken.find(Map.of(), home(), HUB).orElseThrow().authorization())
                .isEqualTo("Bearer hf_x");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));
        assertThatThrownBy(() -> HubToken.find(Map.of(), home(), HUB))
                .isInstanceOf(LaunchException.class)
                .hasMessageContaining("chmod 600")
                .hasMessageNotContaining("hf_x");
        assertThatThrownBy(() -> HubToken.find(Map.of("HF_TOKEN", "a\nb: c"), home(), HUB))
                .isInstanceOf(LaunchException.class)
                .hasMessageNotContaining("a\n");
    }

    @Test
    void termsThatRestrictAreAskedForOnce() throws Exception {
        var asked = new ArrayList<String>();
        LicenceGate no =
                (licence, model) -> {
                    asked.add(licence.id() + " " + model);
                    return false;
                };
        try (var hub =
                repository(
                        "llama3.2",
                        Map.of("a-Q8_0.gguf", bytes(2_000, 1), "a-Q4_0.gguf", bytes(2_000, 2)))) {
            assertThatThrownBy(() ->
                            store(hub).pull("org/repo:Q8_0", Optional.empty(), no, Progress.NONE))
                    .isInstanceOfSatisfying(
                            LaunchException.class,
                            e -> assertThat(e.code()).isEqualTo("licence_not_accepted"))
                    .hasMessageContaining("--accept-licence");
            assertThat(asked).containsExactly("llama3.2 org/repo:Q8_0");
            assertThat(hub.paths()).noneMatch(path -> path.contains("/resolve/"));
            pull(hub, "org/repo:Q8_0");
            store(hub).pull("org/repo:Q4_0", Optional.empty(), no, Progress.NONE);
            assertThat(asked).hasSize(1);
        }
    }

    @Test
    void twoNamesShareOneFileAndTheLastFreesIt() throws Exception {
        byte[] content = bytes(50_000, 1);
        try (var hub = repository("mit", Map.of("a.gguf", content))) {
            StoredModel first = pull(hub, "org/repo");
            ModelStore store = store(hub);
            StoredModel second = store.copy("org/repo", "mine", Progress.NONE);
            assertThat(second.path()).hasBinaryContent(content);
            assertThat(second.files()).isEqualTo(first.files());
            assertThat(store.servedName("mine")).isEqualTo("mine");
            assertThat(store.remove("org/repo")).isZero();
            assertThat(store.resolve("mine")).hasBinaryContent(content);
            assertThat(store.remove("mine")).isEqualTo(50_000);
            assertThat(first.files().getFirst()).doesNotExist();
            assertThat(store.stored()).isEmpty();
            assertThatThrownBy(() -> store.remove("mine"))
                    .isInstanceOf(LaunchException.class)
                    .hasMessageContaining("is not in the store");
            try (Stream<Path> left = Files.walk(home())) {
                assertThat(
                                left.filter(Files::isRegularFile)
                                        .mapToLong(f -> f.toFile().length())
                                        .sum())
                        .isZero();
            }
        }
    }

    @Test
    void takesAFileOfTheUsersOwn() throws Exception {
        byte[] content = bytes(50_000, 1);
        Path own = Files.write(temp.resolve("own.gguf"), content);
        try (var hub = new LoopbackHub(LoopbackHub.ok(content))) {
            StoredModel model = store(hub).copy(own.toString(), "mine", Progress.NONE);
            Files.delete(own);
            assertThat(store(hub).resolve("mine"))
                    .isEqualTo(model.path())
                    .hasBinaryContent(content);
            for (String bad : List.of("", "../x", "a b", "a//b", ".hidden", "mine")) {
                assertThatThrownBy(() -> store(hub).copy("mine", bad, Progress.NONE))
                        .as(bad)
                        .isInstanceOf(LaunchException.class);
            }
        }
    }

    @Test
    void namesOfFilesThatLeaveTheirFolderAreNotTaken() throws Exception {
        for (String path : List.of("../../x.gguf", "/etc/x.gguf", "a/../b.gguf", "a\\\\b.gguf")) {
            try (var hub = repository("mit", Map.of(path, bytes(2_000, 1)))) {
                fails(hub, "org/repo", "no_such_file", "no weights");
            }
        }
        assertThat(temp.resolve("x.gguf")).doesNotExist();
    }

    @Test
    void referencesAreReadAsPeopleWriteThem() {
        Hub hub = Fixtures.hub(URI.create("http://127.0.0.1:9/"));
        Map<String, String> same =
                Map.of(
                        "org/repo", "org/repo main ",
                        "org/repo:Q4_0", "org/repo main Q4_0",
                        "org/repo@v2:a/b.gguf", "org/repo v2 a/b.gguf",
                        "hf.co/org/repo:Q4_0", "org/repo main Q4_0",
                        "https://huggingface.co/org/repo", "org/repo main ",
                        "https://huggingface.co/org/repo/tree/dev", "org/repo dev ",
                        "https://huggingface.co/org/repo/blob/main/x.gguf?download=true",
                                "org/repo main x.gguf",
                        "HTTPS://HuggingFace.co:443/org/repo/resolve/refs%2Fpr%2F1/q/x.gguf",
                                "org/repo refs/pr/1 q/x.gguf");
        same.forEach((text, meaning) ->
                assertThat(ModelReference.parse(text, hub))
                        .as(text)
                        .isInstanceOfSatisfying(
                                ModelReference.OnHub.class,
                                r ->
                                        assertThat(
                                                        r.place().repository()
                                                                + " "
                                                                + r.place().revision()
                                                                + " "
                                                                + r.wish())
                                                .isEqualTo(meaning)));
        for (String bad :
                List.of(
                        "http://example.org/x.gguf",
                        "ftp://example.org/x",
                        "https://u:p@example.org/x.gguf",
                        "https://example.org/",
                        "a/b/c",
                        "org/repo:../x",
                        "org/..",
                        "file:///etc/passwd")) {
            assertThatThrownBy(() -> ModelReference.parse(bad, hub))
                    .as(bad)
                    .isInstanceOf(LaunchException.class)
                    .hasMessageNotContaining("u:p@");
        }
    }

    @Test
    void aFullDiskIsToldAndNothingIsLost() throws Exception {
        byte[] content = bytes(3 << 20, 1);
        Path small = Files.createDirectories(temp.resolve("small"));
        try (var hub = repository("mit", Map.of("a.gguf", content))) {
            // 2 MiB first, which the file does not fit in, then as much as it needs.
            Process process =
                    new ProcessBuilder(
                                    "unshare",
                                    "-rm",
                                    "sh",
                                    "-c",
                                    """
                                    mount -t tmpfs -o size=2m none "$1" || exit 77
                                    shift
                                    "$@"; echo "first: $?"
                                    mount -o remount,size=9m none "$0" || exit 77
                                    "$@"; echo "second: $?"
                                    """,
                                    small.toString(),
                                    small.toString(),
                                    ProcessHandle.current().info().command().orElseThrow(),
                                    "-XX:+UseSerialGC",
                                    "-XX:TieredStopAtLevel=1",
                                    "-cp",
                                    System.getProperty("java.class.path"),
                                    Puller.class.getName(),
                                    small.resolve("home").toString(),
                                    hub.base().toString())
                            .redirectErrorStream(true)
                            .start();
            String output =
                    new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            int code = process.waitFor();
            org.junit.jupiter.api.Assumptions.assumeTrue(
                    code == 0, () -> "no small file system here: " + output);
            assertThat(output)
                    .contains("disk_full", "FLAGSHIP_HOME", "first: 1")
                    .contains("pulled " + Fixtures.sha256(content), "second: 0");
        }
    }

    /** A process that pulls {@code org/repo} and says what came. */
    static final class Puller {
        private Puller() {}

        public static void main(String[] arguments) throws Exception {
            Hub hub =
                    new Hub(
                            URI.create(arguments[1]),
                            Optional.empty(),
                            Path.of("token"),
                            Fixtures.transfer(Duration.ofSeconds(5)));
            try {
                Path file =
                        new ModelStore(
                                        Path.of(arguments[0]),
                                        new Catalogue(List.of()),
                                        _ -> List.of(),
                                        hub)
                                .pull("org/repo", Optional.empty(), ANYBODY, Progress.NONE)
                                .model()
                                .path();
                System.out.println("pulled " + Fixtures.sha256(Files.readAllBytes(file)));
            } catch (LaunchException e) {
                System.out.println(e.code() + ": " + e.getMessage());
                System.exit(1);
            }
        }
    }

    @Test
    void aPullThatIsKilledFiftyTimesEndsInACorrectFile() throws Exception {
        byte[] content = bytes(1 << 20, 1);
        Map<String, byte[]> files = Map.of("a.gguf", content);
        long seed =
                Long.getLong("tests.seed") == null
                        ? new Random().nextLong()
                        : Long.getLong("tests.seed");
        var random = new Random(seed);
        try (var fast = repository("mit", files);
                var hub =
                        LoopbackHub.of((request, out) -> {
                            boolean bytes = request.path().endsWith(".gguf");
                            relay(fast, request, bytes ? slowly(out) : out);
                        })) {
            int kills = 0;
            int round = 0;
            while (kills < 50) {
                Process process = puller(hub);
                boolean ended = process.waitFor(random.nextInt(250, 700), TimeUnit.MILLISECONDS);
                process.destroyForcibly().waitFor();
                if (!ended) {
                    kills++;
                } else { // it came to its end between two kills: once more from the beginning
                    assertThat(process.exitValue()).as("seed %s", seed).isZero();
                    store(hub).remove("org/repo");
                }
                assertThat(++round).isLessThan(200);
            }
            Process last = puller(hub);
            String output =
                    new String(last.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(output).as("seed %s", seed).contains("pulled " + Fixtures.sha256(content));
            try (Stream<Path> blobs = Files.list(home().resolve("blobs"))) {
                assertThat(blobs.map(p -> p.getFileName().toString()))
                        .containsExactlyInAnyOrder(".locks", "sha256-" + Fixtures.sha256(content));
            }
        }
    }

    private Process puller(LoopbackHub hub) throws Exception {
        return new ProcessBuilder(
                        ProcessHandle.current().info().command().orElseThrow(),
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "-Xshare:auto",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Puller.class.getName(),
                        home().toString(),
                        hub.base().toString())
                .redirectErrorStream(true)
                .start();
    }

    private static void relay(LoopbackHub fast, LoopbackHub.Request request, OutputStream out)
            throws java.io.IOException {
        try (var socket = new java.net.Socket(fast.base().getHost(), fast.base().getPort())) {
            String range = request.header("range");
            String asked = range.isEmpty() ? "" : "Range: " + range + "\r\n";
            String head = "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n".formatted(request.path(), asked);
            socket.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
            socket.getInputStream().transferTo(out);
        }
    }

    /** So that there are points at which to be killed. */
    private static OutputStream slowly(OutputStream out) {
        return new OutputStream() {
            @Override
            public void write(int b) throws java.io.IOException {
                out.write(b);
            }

            @Override
            public void write(byte[] bytes, int from, int length) throws java.io.IOException {
                for (int at = from; at < from + length; at += 4_096) {
                    out.write(bytes, at, Math.min(4_096, from + length - at));
                    out.flush();
                    try {
                        Thread.sleep(2);
                    } catch (InterruptedException e) {
                        throw new java.io.InterruptedIOException();
                    }
                }
            }
        };
    }

    @Test
    void everyModelOfTheCatalogueIsPinned() {
        List<CatalogueModel> models = Catalogue.standard().models();
        assertThat(models).hasSizeGreaterThan(5);
        for (CatalogueModel model : models) {
            assertThat(model.purpose()).as(model.name()).isNotBlank();
            assertThat(model.licence().id()).isNotEqualTo(Licence.UNKNOWN);
            assertThat(model.licence().open() || !model.licence().url().isEmpty()).isTrue();
            assertThat(model.files()).allMatch(file -> file.digest().sha256().isPresent());
        }
    }

    @Test
    void aCatalogueOfTheUsersOwnAddsAndReplaces() throws Exception {
        Path own = Files.createDirectories(home()).resolve("catalogue.json");
        Files.writeString(
                own,
                """
                {"format": 1, "models": [{"name": "mine", "licence": {"id": "mit"},
                  "hub": {"repository": "org/repo"},
                  "files": [{"path": "a.gguf", "bytes": 5, "sha256": "%s"}]}]}\
                """
                        .formatted("0".repeat(64)));
        ModelStore store = ModelStore.open(home(), Map.of());
        assertThat(store.catalogue().getFirst().name()).isEqualTo("mine");
        assertThat(store.catalogue()).hasSize(Catalogue.standard().models().size() + 1);
        for (String bad :
                Arrays.asList(
                        "",
                        "[]",
                        "{",
                        "{\"format\": 2}",
                        "{\"format\": 1, \"models\": [{}]}",
                        Files.readString(own).replace("a.gguf", "../a.gguf"),
                        Files.readString(own).replace("\"mine\"", "\"Mine!\""))) {
            Files.writeString(own, bad);
            assertThatThrownBy(() -> ModelStore.open(home(), Map.of()))
                    .as(bad)
                    .isInstanceOf(LaunchException.class)
                    .hasMessageContaining(own.toString());
        }
    }
}
