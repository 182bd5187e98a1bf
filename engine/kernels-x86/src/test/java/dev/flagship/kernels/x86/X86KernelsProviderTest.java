package dev.flagship.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KernelsProvider;
import dev.flagship.tensor.MachineCode;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Tensor;
import dev.flagship.testing.Bits;
import dev.flagship.testing.GuardedMemory;
import dev.flagship.testing.Seed;
import dev.flagship.testing.SourceBlocks;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.ValueLayout;
import java.lang.module.ModuleDescriptor;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@OnLinuxX86
class X86KernelsProviderTest {
    private static final String SERVICE = KernelsProvider.class.getName();

    @TempDir private Path folder = Path.of("");
    @TempDir private Path crashes = Path.of("");

    private static void needAvx512() {
        Libraries.load().close();
    }

    @Test
    void isRegisteredAlikeForModulePathAndClassPath() throws IOException {
        ModuleDescriptor module;
        try (InputStream in = resource("/module-info.class")) {
            module = ModuleDescriptor.read(in);
        }
        List<String> provided =
                module.provides().stream()
                        .filter(p -> p.service().equals(SERVICE))
                        .flatMap(p -> p.providers().stream())
                        .toList();
        List<String> listed;
        try (InputStream in = resource("/META-INF/services/" + SERVICE)) {
            listed = new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
        }
        assertThat(provided).containsExactly(X86KernelsProvider.class.getName()).isEqualTo(listed);
    }

    private static InputStream resource(String name) throws IOException {
        // Other jars on the class path have a module-info too: ask beside our own class.
        var url = X86KernelsProvider.class.getProtectionDomain().getCodeSource().getLocation();
        return URI.create(url + name.substring(1)).toURL().openStream();
    }

    @Test
    void isFoundFirstAndMakesTheRungOverTheVectorOne() {
        needAvx512();
        KernelsProvider first =
                ServiceLoader.load(KernelsProvider.class).stream()
                        .map(ServiceLoader.Provider::get)
                        .max(Comparator.comparingInt(KernelsProvider::preference))
                        .orElseThrow();
        assertThat(first.name()).isEqualTo("x86");
        X86KernelsProvider provider = new X86KernelsProvider(LinuxPages::new, folder, "");
        assertThat(provider.obstacle()).isEmpty();
        try (Kernels kernels = provider.create(new SerialTeam(), _ -> {})) {
            assertThat(kernels.rung()).startsWith("x86-" + best().tag + " over vector-");
        }
        assertThat(folder).isDirectoryNotContaining("glob:**/trying-*");
    }

    @Test
    void refusedMprotectFallsBackLoudly() {
        RefusingPages pages = new RefusingPages(Pages.Access.READ_EXECUTE);
        X86KernelsProvider provider = new X86KernelsProvider(() -> pages, folder, "");
        assertThat(provider.obstacle().orElseThrow())
                .contains("mprotect failed with errno 13", "forbids executable memory");
        List<String> warnings = new ArrayList<>();
        try (Kernels kernels = provider.create(new SerialTeam(), warnings::add)) {
            assertThat(kernels.rung()).startsWith("vector-");
            multipliesAsDefined(kernels);
        }
        assertThat(warnings)
                .singleElement()
                .asString()
                .contains("mprotect failed", "allow it for this process", "Computing with vector-");
        assertThat(pages.held()).isZero();
    }

    /** By the bits of the scalar definition, in both numerics and for every type of weights. */
    private static void multipliesAsDefined(Kernels kernels) {
        Random random = Seed.given().random();
        try (GuardedMemory memory = new GuardedMemory(1 << 20, random);
                Kernels truth = new ScalarKernels(new SerialTeam())) {
            Tensor x = memory.tensor(5, 256);
            for (int i = 0; i < 5 * 256; i++) {
                x.set(i / 256, i % 256, (float) random.nextGaussian());
            }
            for (Numerics numerics : Numerics.values()) {
                for (DType type : DType.values()) {
                    byte[] source =
                            SourceBlocks.random(type, 40 * 256, SourceBlocks.Kind.USUAL, random);
                    List<BandMatrix> w = List.of(memory.matrix("m", type, 40, 256, source));
                    Tensor expected = memory.tensor(5, 40);
                    Tensor actual = memory.tensor(5, 40);
                    truth.project(x, w, List.of(expected), numerics);
                    kernels.project(x, w, List.of(actual), numerics);
                    Bits.assertSame("%s, %s".formatted(type, numerics), actual, expected);
                }
            }
        }
    }

    @Test
    void anErrorWhileTheyAreTriedLeavesNoCodeBehind() {
        needAvx512();
        var held = new HashSet<Long>();
        Pages pages =
                new Pages() {
                    private final Pages real = new CorruptingPages();

                    @Override
                    public long reserve(long bytes) {
                        long address = real.reserve(bytes);
                        held.add(address);
                        return address;
                    }

                    @Override
                    public int protect(long address, long bytes, Access access) {
                        return real.protect(address, bytes, access);
                    }

                    @Override
                    public void release(long address, long bytes) {
                        held.remove(address);
                        real.release(address, bytes);
                    }
                };
        X86KernelsProvider provider = new X86KernelsProvider(() -> pages, folder, "");
        assertThatThrownBy(() ->
                        provider.create(
                                new SerialTeam(),
                                warning -> {
                                    throw new IllegalStateException(warning);
                                }))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("gave wrong numbers");
        assertThat(held).isEmpty();
        assertThat(folder).isDirectoryNotContaining("glob:**/trying-*");
    }

    /** Else nobody would hear of the loss. */
    @Test
    void aHostThatForbidsThemIsSuitedNevertheless() {
        needAvx512();
        for (Pages.Access refused : Pages.Access.values()) {
            RefusingPages pages = new RefusingPages(refused);
            X86KernelsProvider provider = new X86KernelsProvider(() -> pages, folder, "");
            assertThat(provider.obstacle()).isPresent();
            assertThat(provider.suits()).isTrue();
            assertThat(provider.host().orElseThrow()).contains("AVX-512 F");
        }
    }

    @Test
    void kernelsAreListedByNameWithTheirOwnBytesOnly() {
        List<MachineCode> kernels = provider("avx512-vnni").machineCode();
        assertThat(kernels).extracting(MachineCode::name).doesNotHaveDuplicates();
        assertThat(kernels)
                .extracting(MachineCode::name)
                .contains("quantize_avx512_vnni", "add_avx512", "attend_merge_avx512")
                .allMatch(name -> name.matches("[A-Za-z0-9_]+"));
        for (MachineCode kernel : kernels) {
            byte[] code = kernel.code().toArray(ValueLayout.JAVA_BYTE);
            assertThat(code).startsWith(0xF3, 0x0F, 0x1E, 0xFA); // endbr64
            assertThat(code).endsWith(0xC3); // ret
        }
    }

    @Test
    void profilersLearnWhereEachKernelLies() {
        try (KernelLibrary library = Libraries.load()) {
            List<KernelLibrary.Symbol> symbols = library.symbols();
            long next = symbols.getFirst().address();
            for (KernelLibrary.Symbol symbol : symbols) {
                assertThat(symbol.address()).as(symbol.name()).isEqualTo(next);
                next += symbol.bytes();
            }
            assertThat(symbols)
                    .anySatisfy(symbol -> {
                        assertThat(symbol.name()).isEqualTo("quantize_avx512_vnni");
                        assertThat(symbol.address()).isEqualTo(library.quantizer().address());
                    });
        }
    }

    @Test
    void kernelsThatFailTheSelfTestAreLeftToTheOtherRung() {
        needAvx512();
        Random random = Seed.given().random();
        X86KernelsProvider provider = new X86KernelsProvider(CorruptingPages::new, folder, "");
        List<String> warnings = new ArrayList<>();
        try (GuardedMemory memory = new GuardedMemory(1 << 20, random);
                SerialTeam team = new SerialTeam();
                Kernels truth = new ScalarKernels(team);
                Kernels kernels = provider.create(team, warnings::add)) {
            assertThat(kernels.rung()).startsWith("x86-");
            assertThat(warnings)
                    .singleElement()
                    .asString()
                    .contains("gave wrong numbers", "for Q4_0, Q4_1", "vector-", "report")
                    .doesNotContain("Q8_0");
            List<BandMatrix> weights = new ArrayList<>();
            List<Tensor> expected = new ArrayList<>();
            List<Tensor> actual = new ArrayList<>();
            for (DType type : List.of(DType.Q8_0, DType.Q4_0, DType.Q4_1)) {
                byte[] source = SourceBlocks.random(type, 40 * 64, SourceBlocks.Kind.USUAL, random);
                weights.add(memory.matrix("m", type, 40, 64, source));
                expected.add(memory.tensor(5, 40));
                actual.add(memory.tensor(5, 40));
            }
            Tensor x = memory.tensor(5, 64);
            for (int i = 0; i < 5 * 64; i++) {
                x.set(i / 64, i % 64, (float) random.nextGaussian());
            }
            truth.project(x, weights, expected, Numerics.FAST);
            kernels.project(x, weights, actual, Numerics.FAST);
            for (int i = 0; i < weights.size(); i++) {
                Bits.assertSame("product " + i, actual.get(i), expected.get(i));
            }
        }
    }

    @Test
    void codeThatPassedIsNotTriedAgainAndChangedCodeIs() throws IOException {
        needAvx512();
        String tag = best().tag;
        List<String> warnings = new ArrayList<>();
        for (int start = 0; start < 2; start++) { // the second one has the code of its tuning
            try (Kernels kernels = provider(tag).create(new SerialTeam(), warnings::add)) {
                assertThat(kernels.rung()).startsWith("x86-");
            }
        }
        assertThat(warnings).isEmpty();
        Path record = file("passed-");
        String passed = Files.readString(record);
        X86KernelsProvider corrupt = new X86KernelsProvider(CorruptingPages::new, folder, "");
        corrupt.create(new SerialTeam(), warnings::add).close();
        assertThat(warnings).singleElement().asString().contains("gave wrong numbers");
        assertThat(record).hasContent(passed);

        Tuning tuning = Tuning.parse(best(), Files.readString(file("tuning-"))).orElseThrow();
        KernelLibrary.Loaded loaded =
                (KernelLibrary.Loaded) KernelLibrary.load(new CorruptingPages(), best(), tuning);
        try (KernelLibrary library = loaded.library()) {
            String code = HexFormat.of().toHexDigits(library.checksum());
            Files.writeString(record, code + passed.substring(code.length()));
        }
        warnings.clear();
        corrupt.create(new SerialTeam(), warnings::add).close();
        assertThat(warnings).isEmpty();
    }

    @Test
    void whatWasNotPreparedForAModelIsMultipliedElsewhere() throws IOException {
        Libraries.load(best()).close(); // or skip
        Random random = Seed.given().random();
        List<String> warnings = new ArrayList<>();
        provider("").create(new SerialTeam(), Set.of(), warnings::add).close(); // measures
        for (DType prepared : List.of(DType.Q5_1, DType.Q6_K, DType.Q5_1)) {
            try (GuardedMemory memory = new GuardedMemory(1 << 20, random);
                    SerialTeam team = new SerialTeam();
                    Kernels truth = new ScalarKernels(team);
                    Kernels kernels = provider("").create(team, Set.of(prepared), warnings::add)) {
                Tensor x = memory.tensor(3, 256);
                for (int i = 0; i < 3 * 256; i++) {
                    x.set(i / 256, i % 256, (float) random.nextGaussian());
                }
                for (DType type : List.of(DType.Q5_1, DType.Q6_K, DType.Q2_K, DType.F32)) {
                    byte[] source =
                            SourceBlocks.random(type, 40 * 256, SourceBlocks.Kind.USUAL, random);
                    List<BandMatrix> w = List.of(memory.matrix("m", type, 40, 256, source));
                    Tensor expected = memory.tensor(3, 40);
                    Tensor actual = memory.tensor(3, 40);
                    truth.project(x, w, List.of(expected), Numerics.FAST);
                    kernels.project(x, w, List.of(actual), Numerics.FAST);
                    Bits.assertSame(prepared + " prepared, " + type, actual, expected);
                }
            }
        }
        assertThat(warnings).isEmpty();
        // Without types but those that the first start measures with; with Q5_1; with Q6_K.
        assertThat(Files.readAllLines(file("passed-"))).hasSize(3).doesNotHaveDuplicates();
    }

    private Path file(String prefix) throws IOException {
        try (var files = Files.newDirectoryStream(folder, prefix + "*")) {
            return files.iterator().next();
        }
    }

    @Test
    void aProcessThatIsToldToEndDuringItsTrialBarsNothing() throws Exception {
        Process child = start(Trying.class);
        try (BufferedReader said = child.inputReader()) {
            assertThat(said.readLine()).isEqualTo("trying");
            assertThat(folder).isDirectoryContaining("glob:**/trying-variant-*");
            child.destroy();
            assertThat(child.waitFor()).isEqualTo(128 + 15);
        }
        assertThat(folder).isEmptyDirectory();
    }

    /** The best that this machine has. */
    private static Isa best() {
        return here().getFirst();
    }

    /** The one after it. */
    private static Isa next() {
        return here().get(1);
    }

    private static List<Isa> here() {
        return Arrays.stream(Isa.values()).filter(Libraries::runs).toList();
    }

    private X86KernelsProvider provider(String forced) {
        return new X86KernelsProvider(LinuxPages::new, folder, forced);
    }

    @Test
    void childDeathBarsVariant() throws Exception {
        needAvx512();
        Process child =
                start(
                        Dying.class,
                        "--enable-native-access=ALL-UNNAMED",
                        "-XX:-CreateCoredumpOnCrash",
                        "-XX:ErrorFile=" + crashes.resolve("hs_err.log"));
        child.getInputStream().readAllBytes();
        assertThat(child.waitFor()).isNotZero();
        X86KernelsProvider only = provider(best().tag);
        Path marker;
        try (var files = Files.list(folder)) {
            marker = files.findFirst().orElseThrow();
        }
        assertThat(only.obstacle().orElseThrow()).contains("died", "remove " + marker);
        assertThat(only.suits()).isTrue();
        List<String> warnings = new ArrayList<>();
        try (Kernels kernels = only.create(new SerialTeam(), warnings::add)) {
            assertThat(kernels.rung()).startsWith("vector-");
        }
        assertThat(warnings).singleElement().asString().contains("died", "remove " + marker);
        warnings.clear();
        String next = next().tag;
        try (Kernels kernels = provider("").create(new SerialTeam(), warnings::add)) {
            assertThat(kernels.rung()).startsWith("x86-" + next);
        }
        assertThat(warnings)
                .singleElement()
                .asString()
                .contains(
                        "left out", "died", "remove " + marker, "Computing with those for " + next);
        Files.delete(marker);
        assertThat(only.obstacle()).isEmpty();
    }

    @Test
    void aDeadTrialLeavesTheNextVariantAndNamesEachRemedy() throws IOException {
        CpuFeatures all = CpuFeaturesTest.withXcr0(0x600E7);
        List<Path> markers = new ArrayList<>();
        for (Isa isa : Isa.values()) {
            X86KernelsProvider.Runs runs = (X86KernelsProvider.Runs) provider("").examine(all);
            assertThat(runs.isa()).isEqualTo(isa);
            assertThat(runs.barred()).hasSameSizeAs(markers);
            for (int i = 0; i < markers.size(); i++) {
                assertThat(runs.barred().get(i)).contains("died", "remove " + markers.get(i));
            }
            markers.add(
                    Files.createFile(
                            folder.resolve(
                                    "trying-%s-999999999"
                                            .formatted(X86KernelsProvider.variant(isa, all)))));
        }
        X86KernelsProvider.Cannot cannot = (X86KernelsProvider.Cannot) provider("").examine(all);
        assertThat(cannot.why()).contains(markers.stream().map(Path::toString).toList());
    }

    /** What the operating system saves decides, whatever CPUID says. */
    @Test
    void xcr0Gate() {
        assertThat(chosen(CpuFeaturesTest.withXcr0(0x600E7))).isEqualTo(Isa.AMX_INT8);
        for (long xcr0 : new long[] {0xE7, 0x200E7, 0x400E7}) {
            assertThat(chosen(CpuFeaturesTest.withXcr0(xcr0))).isEqualTo(Isa.AVX512_VNNI);
        }
        for (long xcr0 : new long[] {0x07, 0x27, 0x67, 0xC7, 0xA7}) {
            assertThat(chosen(CpuFeaturesTest.withXcr0(xcr0))).isEqualTo(Isa.AVX2_VNNI);
        }
        assertThat(chosen(CpuFeaturesTest.withoutAvxVnni(0x07))).isEqualTo(Isa.AVX2);
        for (long xcr0 : new long[] {0x00, 0x03, 0xE3}) {
            assertThat(provider("").examine(CpuFeaturesTest.withXcr0(xcr0)))
                    .isEqualTo(
                            new X86KernelsProvider.Cannot(
                                    "the processor lacks AVX2, FMA, F16C, or the system does not enable it",
                                    false));
        }
    }

    private Isa chosen(CpuFeatures features) {
        return ((X86KernelsProvider.Runs) provider("").examine(features)).isa();
    }

    @Test
    void aForcedInstructionSetIsTakenAndNoOther() {
        for (Isa isa : Isa.values()) {
            X86KernelsProvider.Runs runs =
                    (X86KernelsProvider.Runs)
                            provider(isa.tag).examine(CpuFeaturesTest.withXcr0(0x600E7));
            assertThat(runs.isa()).isEqualTo(isa);
        }
        assertThat(provider("avx2-vnni").examine(CpuFeaturesTest.withoutAvxVnni(0xE7)))
                .isEqualTo(
                        new X86KernelsProvider.Cannot(
                                "the processor lacks AVX-VNNI, or the system does not enable it",
                                true));
    }

    @ParameterizedTest
    @EnumSource
    void aForcedInstructionSetMakesItsRung(Isa isa) {
        assumeTrue(Libraries.runs(isa), "no " + isa.tag + " here");
        try (Kernels kernels = provider(isa.tag).create(new SerialTeam(), _ -> {})) {
            assertThat(kernels.rung()).startsWith("x86-" + isa.tag + " over vector-");
        }
    }

    @Test
    void thePropertyForcesAndKnownNamesAreNamed() throws Exception {
        Process child =
                start(
                        Asking.class,
                        "--enable-native-access=ALL-UNNAMED",
                        "-Dflagship.x86.isa=avx10");
        String output =
                new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        assertThat(child.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(output)
                .isEqualTo(
                        "x86: flagship.x86.isa is 'avx10' and none of amx-int8, avx512-vnni, avx2-vnni, avx2");
    }

    @Test
    void saysHowToEnableNativeAccess() throws Exception {
        Process child = start(Asking.class);
        String output =
                new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        assertThat(child.waitFor(60, TimeUnit.SECONDS)).isTrue();
        // On the class path access is enabled for all or for nobody; unless asked, a use warns.
        assertThat(output).startsWith("x86: ").contains("--enable-native-access=ALL-UNNAMED");
        assertThat(child.exitValue()).isZero();
    }

    private Process start(Class<?> main, String... flags) throws IOException {
        String java = ProcessHandle.current().info().command().orElseThrow();
        String classes =
                System.getProperty(
                        "surefire.test.class.path", System.getProperty("java.class.path"));
        List<String> command = new ArrayList<>(List.of(java, "-Xshare:auto", "-XX:+UseSerialGC"));
        command.addAll(List.of(flags));
        command.addAll(List.of("-cp", classes, main.getName(), folder.toString()));
        return new ProcessBuilder(command).redirectErrorStream(true).start();
    }

    /** What a program does that looks for rungs. */
    static final class Asking {
        private Asking() {}

        public static void main(String[] args) {
            KernelsProvider provider = new X86KernelsProvider();
            System.out.println(provider.name() + ": " + provider.obstacle().orElse("runs"));
        }
    }

    /** Is in the middle of a trial until somebody ends it. */
    static final class Trying {
        private Trying() {}

        public static void main(String[] args) throws InterruptedException {
            try (TrialMarker _ = TrialMarker.write(Path.of(args[0]), "variant")) {
                System.out.println("trying");
                Thread.sleep(60_000);
            }
        }
    }

    /** Meets a trap, as of an illegal instruction, while its marker stands. */
    static final class Dying {
        private Dying() {}

        public static void main(String[] args) {
            CpuFeatures features = ((CpuProbe.Found) CpuProbe.run(new LinuxPages())).features();
            Assembler trap = new Assembler();
            trap.int3();
            CodeMemory.Placed code =
                    (CodeMemory.Placed) CodeMemory.place(new LinuxPages(), trap.bytes());
            try (TrialMarker _ =
                    TrialMarker.write(
                            Path.of(args[0]), X86KernelsProvider.variant(best(), features))) {
                Downcall.call(code.memory().entry(0), 0);
            }
        }
    }
}
