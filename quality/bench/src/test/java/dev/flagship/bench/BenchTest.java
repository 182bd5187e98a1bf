package dev.flagship.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.serving.LoadListener;
import dev.flagship.serving.LoadOptions;
import dev.flagship.serving.LoadedModel;
import dev.flagship.tensor.MemoryLedger;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The measurement itself, on a tiny model. */
class BenchTest {
    @TempDir Path folder;

    private Path model() throws IOException {
        Path file = folder.resolve("tiny.gguf");
        try (InputStream in =
                BenchTest.class.getResourceAsStream(
                        "/dev/flagship/testing/golden/llama/quantised-q8_0.gguf")) {
            Files.copy(java.util.Objects.requireNonNull(in), file);
        }
        return file;
    }

    private static PrintStream stream(ByteArrayOutputStream bytes) {
        return new PrintStream(bytes, true, StandardCharsets.UTF_8);
    }

    @Test
    void aRunMeasuresItsFiguresAndGivesAllMemoryBack() throws IOException {
        long before = MemoryLedger.arenas();
        LoadOptions options = LoadOptions.of("tiny").withThreads(1).withPackedFolder(folder);
        var settings = new Bench.Settings("tiny", model(), options, 2, 0.01, true, false, Map.of());
        Report report = new Bench(settings, stream(new ByteArrayOutputStream())).run().report();
        JsonNode figures = JsonMapper.shared().readTree(report.json()).path("figures");
        assertThat(figures.at("/prefill/samples")).hasSize(2);
        double fp32 = figures.at("/fp32_gflops/median").asDouble();
        assertThat(fp32).isPositive();
        assertThat(figures.at("/prefill_of_fp32/median").asDouble()).isPositive();
        assertThat(figures.at("/decode_short/median").asDouble()).isPositive();
        assertThat(figures.at("/decode_many/median").asDouble()).isPositive();
        assertThat(figures.at("/load_seconds/median").asDouble()).isPositive();
        assertThat(figures.at("/off_heap_bytes_per_token/median").asDouble()).isZero();
        assertThat(MemoryLedger.arenas()).isEqualTo(before);
        try (var left = Files.list(folder)) {
            assertThat(left.filter(p -> p.getFileName().toString().startsWith("bench"))).isEmpty();
        }
    }

    private Bench bench(int runs, boolean picture, PrintStream progress) throws IOException {
        LoadOptions options = LoadOptions.of("tiny").withThreads(2).withPackedFolder(folder);
        return new Bench(
                new Bench.Settings("tiny", model(), options, runs, 0.01, true, picture, Map.of()),
                progress);
    }

    @Test
    void aTokensTimeIsThatOfItsOperationsAndOfWhatLiesBetween() throws IOException {
        long before = MemoryLedger.arenas();
        Bench.Result result = bench(1, true, stream(new ByteArrayOutputStream())).operations();
        JsonNode figures = JsonMapper.shared().readTree(result.report().json()).path("figures");
        for (String figure : List.of("prefill", "decode_short", "decode_many")) {
            var parts = new ArrayList<String>();
            double sum = 0;
            for (var each : figures.properties()) {
                if (each.getKey().startsWith(figure + ".")) {
                    parts.add(each.getKey().substring(figure.length() + 1));
                    sum += each.getValue().path("median").asDouble();
                }
            }
            assertThat(parts)
                    .contains("q_proj_k_proj_v_proj", "o_proj", "gate_proj_up_proj", "down_proj")
                    .contains("attention", "norms", "activation", "choice_among_logits")
                    .endsWith("between_operations");
            double whole = figures.path(figure).path("median").asDouble();
            assertThat(sum).isCloseTo(whole, within(1e-6 * whole));
        }
        assertThat(figures.at("/decode_short.o_proj/note").asString())
                .matches("[0-9.]+ %, .* GB/s");
        assertThat(figures.at("/dispatch/median").asDouble()).isPositive();
        assertThat(result.svg().orElseThrow())
                .contains(">q_proj, k_proj, v_proj<", ">decode at 16<", ">between operations<");
        assertThat(MemoryLedger.arenas()).isEqualTo(before);
    }

    /** Its bench is stopped as soon as it says something. */
    private Bench stoppedAt(String words) throws IOException {
        var stops = new AtomicReference<Bench>();
        var said =
                new ByteArrayOutputStream() {
                    @Override
                    public synchronized void write(byte[] bytes, int from, int length) {
                        super.write(bytes, from, length);
                        if (toString(StandardCharsets.UTF_8).contains(words)) {
                            stops.get().stop();
                        }
                    }
                };
        PrintStream progress = stream(said);
        stops.set(bench(5, false, progress));
        return stops.get();
    }

    @Test
    void whatRoundsGaveIsKeptWhenItIsStopped() throws IOException {
        JsonNode json =
                JsonMapper.shared().readTree(stoppedAt("Round 3 of 5").run().report().json());
        assertThat(json.at("/facts/stopped").asString()).startsWith("after 2 of 5 rounds");
        assertThat(json.at("/figures/decode_short/samples")).hasSize(2);
        assertThat(json.at("/figures/decode_short/median").asDouble()).isPositive();
    }

    @Test
    void withoutARoundThereIsNothingToKeep() throws IOException {
        Bench bench = stoppedAt("Warm-up");
        assertThatThrownBy(bench::run)
                .isInstanceOfSatisfying(
                        Outlook.Stopped.class, e -> assertThat(e.code()).isEqualTo("stopped"));
    }

    @Test
    void likelihoodIsThatOfTheWholeTextWhereverItIsCut() throws IOException {
        Random random = new Random(42);
        LoadOptions options = LoadOptions.of("tiny").withThreads(1);
        try (LoadedModel model = LoadedModel.load(model(), options, LoadListener.SILENT)) {
            int[] ids = random.ints(200, 0, model.lm().vocabularySize()).toArray();
            Workload work = new Workload(ids, 200, 16, 0, 8, 0.01);
            try (OwnModel own = new OwnModel(model, work)) {
                double whole = own.nll(0, 200) * 199;
                double half = own.nll(0, 100) * 99;
                // Tokens are random, so each costs about log V; the parts must add up to the whole.
                double mean = whole / 199;
                assertThat(mean).isCloseTo(Math.log(model.lm().vocabularySize()), within(1.0));
                assertThat(half).isLessThan(whole);
                assertThat(own.greedy()).isEqualTo(own.greedy());
            }
        }
    }

    @Test
    void sequencesDecodedTogetherGiveWhatEachGivesAlone() throws IOException {
        Random random = new Random(7);
        LoadOptions options = LoadOptions.of("tiny").withThreads(1);
        try (LoadedModel model = LoadedModel.load(model(), options, LoadListener.SILENT)) {
            int[] ids = random.ints(8 * 17, 0, model.lm().vocabularySize()).toArray();
            Workload work = new Workload(ids, 100, 16, 0, 8, 0.01);
            try (var many = new ManySequences(model, model.kernels(), work)) {
                many.restart();
                many.decode(work.decode());
                for (int i = 0; i < work.sequences(); i++) {
                    int[] part = Arrays.copyOfRange(ids, 17 * i, 17 * (i + 1));
                    try (OwnModel own =
                            new OwnModel(model, new Workload(part, 17, 16, 0, 8, 0.01))) {
                        assertThat(many.next()[i]).isEqualTo(own.greedy()[work.decode() - 1]);
                    }
                }
            }
        }
    }

    @Test
    void workIsCutToTheContext() {
        int[] text = new int[2000];
        Workload roomy = Workload.within(8192, text, 1);
        assertThat(roomy.prefill()).isEqualTo(512);
        assertThat(roomy.prefix(Figure.DECODE_LONG)).isEqualTo(1024);
        Workload tight = Workload.within(128, text, 1);
        assertThat(tight.prefill()).isEqualTo(128);
        assertThat(tight.has(Figure.DECODE_LONG)).isFalse();
        assertThat(tight.positions()).isLessThanOrEqualTo(128);
        Assertions.assertThatExceptionOfType(InvalidArgumentException.class)
                .isThrownBy(() -> Workload.within(20, text, 1));
    }

    @Test
    void wrongFlagsAreUsageErrorsBeforeAnythingIsFetched() {
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        assertThat(Main.execute(stream(out), stream(err), "--against", "gpt")).isEqualTo(2);
        assertThat(Main.execute(stream(out), stream(err), "--peer-path", "gpt=x")).isEqualTo(2);
        assertThat(Main.execute(stream(out), stream(err), "--runs", "0")).isEqualTo(2);
        assertThat(Main.execute(stream(out), stream(err), "--numerics", "best")).isEqualTo(2);
        assertThat(Main.execute(stream(out), stream(err), "--threads", "-1")).isEqualTo(2);
        assertThat(err.toString(StandardCharsets.UTF_8)).contains("\"gpt\"", "\"best\"", "-1");
        assertThat(out.size()).isZero();
        assertThat(Main.execute(stream(out), stream(err), "--help")).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8)).contains("--peer-path", "--shapes");
    }

    @Test
    void aPictureThatCannotBeWrittenIsAUsageErrorBeforeAnythingIsMeasured() throws IOException {
        Path nowhere = folder.resolve("absent").resolve("picture.svg");
        for (Path picture : List.of(nowhere, folder)) {
            var out = new ByteArrayOutputStream();
            var err = new ByteArrayOutputStream();
            int code =
                    Main.execute(
                            stream(out),
                            stream(err),
                            "--force",
                            "--svg",
                            picture.toString(),
                            folder.resolve("absent.gguf").toString());
            assertThat(code).isEqualTo(2);
            assertThat(err.toString(StandardCharsets.UTF_8)).contains("--svg " + picture);
            assertThat(out.size()).isZero();
        }
        assertThat(nowhere.getParent()).doesNotExist();
    }

    @Test
    void theFiguresAreToldEvenWhereThePictureFailsAtLast() throws IOException {
        var report = new Report();
        report.fact("model", "tiny");
        Path file = Files.createDirectory(folder.resolve("since removed")).resolve("picture.svg");
        for (boolean works : new boolean[] {true, false}) {
            var out = new ByteArrayOutputStream();
            var err = new ByteArrayOutputStream();
            Main main = new Main(stream(out), stream(err));
            new CommandLine(main).parseArgs("--svg", file.toString());
            var result = new Bench.Result(report, Optional.of("<svg/>"));
            if (works) {
                main.tell(result);
                assertThat(file).hasContent("<svg/>");
                assertThat(err.toString(StandardCharsets.UTF_8)).contains(file.toString());
                Files.delete(file);
                Files.delete(file.getParent());
            } else {
                Assertions.assertThatExceptionOfType(BenchException.class)
                        .isThrownBy(() -> main.tell(result))
                        .withMessageContaining(file.toString());
            }
            assertThat(out.toString(StandardCharsets.UTF_8)).isEqualTo(report.table());
        }
    }

    @Test
    void flagsWithoutEffectAreUsageErrors() {
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        for (String line :
                List.of(
                        "--parity --json",
                        "--parity --runs 7",
                        "--parity --numerics fast",
                        "--parity --against llama.cpp",
                        "--parity --greedy-only --kv-cache q8_0",
                        "--against llama.cpp --kv-cache q8_0",
                        "--kv-cache q4_0",
                        "--greedy-only",
                        "--shapes smollm2",
                        "--shapes --parity",
                        "--shapes --numerics fast",
                        "--shapes --against pytorch",
                        "--shapes --peer-path /usr/bin/python3,/usr/bin/python3",
                        "--peer-path /usr/bin/python3",
                        "--against llama.cpp --peer-path pytorch=/usr/bin/python3")) {
            err.reset();
            assertThat(Main.execute(stream(out), stream(err), line.split(" "))).isEqualTo(2);
            assertThat(err.toString(StandardCharsets.UTF_8)).contains("--");
        }
        assertThat(out.size()).isZero();
    }

    @Test
    void jlamaWithoutItsJarsIsAUsageErrorThatSaysHowToGetThem() {
        var err = new ByteArrayOutputStream();
        for (String where : List.of("", "jlama=" + folder)) {
            err.reset();
            var arguments = new ArrayList<String>(List.of("--against", "jlama"));
            if (!where.isEmpty()) {
                arguments.addAll(List.of("--peer-path", where));
            }
            int code =
                    Main.execute(
                            stream(new ByteArrayOutputStream()),
                            stream(err),
                            arguments.toArray(new String[0]));
            assertThat(code).isEqualTo(2);
            assertThat(err.toString(StandardCharsets.UTF_8))
                    .contains("--peer-path jlama=", "jlama-core", "tools/bench/jlama-pom.xml");
        }
    }

    @Test
    void jlamaReadsNoGgufFilesAndTheErrorSaysWhatToDo() throws IOException {
        Files.createFile(folder.resolve("jlama-core-0.8.4.jar"));
        Path file = model();
        var err = new ByteArrayOutputStream();
        int code =
                Main.execute(
                        stream(new ByteArrayOutputStream()),
                        stream(err),
                        "--against",
                        "jlama",
                        "--peer-path",
                        "jlama=" + folder,
                        file.toString());
        assertThat(code).isEqualTo(2);
        assertThat(err.toString(StandardCharsets.UTF_8))
                .contains("folders only", file.toString(), "tools/bench/make_folder.py");
    }

    @Test
    void parityIsOfTheReferencesFileOnly() throws IOException {
        var err = new ByteArrayOutputStream();
        int code =
                Main.execute(
                        stream(new ByteArrayOutputStream()),
                        stream(err),
                        "--parity",
                        model().toString());
        assertThat(code).isEqualTo(1);
        assertThat(err.toString(StandardCharsets.UTF_8)).contains("SHA-256", "tiny.gguf");
    }

    @Test
    void aModelThatIsNotThereIsOneSentence() {
        var err = new ByteArrayOutputStream();
        int code =
                Main.execute(
                        stream(new ByteArrayOutputStream()),
                        stream(err),
                        folder.resolve("absent.gguf").toString());
        assertThat(code).isEqualTo(1);
        assertThat(err.toString(StandardCharsets.UTF_8)).startsWith("flagship: ").hasLineCount(1);
    }

    @Test
    void aStartIsTimedToItsFirstByteAndAFailureIsTold() {
        assumeTrue(Files.isExecutable(Path.of("/bin/sh")));
        var quick = new StartUp(java.util.List.of("/bin/sh", "-c", "echo; exec sleep 1"));
        assertThat(quick.seconds()).isLessThan(1);
        assertThat(quick.once().aotCache()).isNotEqualTo(Optional.of(true));
        var broken = new StartUp(java.util.List.of("/bin/sh", "-c", "echo x; exit 3"));
        Assertions.assertThatExceptionOfType(BenchException.class)
                .isThrownBy(broken::seconds)
                .withMessageContaining("exit code 3");
    }

    /** Mapped is what counts: Java ignores a cache that does not fit. */
    @Test
    void whetherTheAotCacheIsUsedIsSeenInTheProcess() throws IOException {
        assumeTrue(Files.isReadable(Path.of("/proc/self/maps")));
        Path program = folder.resolve("java.aot"); // a shell that has a file of that name mapped
        Files.copy(Path.of("/bin/sh").toRealPath(), program, StandardCopyOption.COPY_ATTRIBUTES);
        List<String> arguments = List.of("-c", "echo x; sleep 2; true");
        assertThat(started(program.toString(), arguments)).hasValue(true);
        assertThat(started("/bin/sh", arguments)).hasValue(false);
    }

    private static Optional<Boolean> started(String program, List<String> arguments) {
        var command = new ArrayList<String>(List.of(program));
        command.addAll(arguments);
        return new StartUp(command).once().aotCache();
    }

    @Test
    void aStartSaysWhetherItHadTheAotCacheWhereThatIsKnown() {
        assertThat(Bench.firstTokenLabel(Optional.of(true))).endsWith("token, with AOT cache");
        assertThat(Bench.firstTokenLabel(Optional.of(false))).endsWith("token, without AOT cache");
        assertThat(Bench.firstTokenLabel(Optional.empty())).endsWith("first token");
    }
}
