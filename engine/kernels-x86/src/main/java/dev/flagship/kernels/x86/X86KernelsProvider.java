package dev.flagship.kernels.x86;

import dev.flagship.tensor.DType;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KernelsProvider;
import dev.flagship.tensor.MachineCode;
import dev.flagship.tensor.PeakLoop;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.Team;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Offers the emitted kernels on Linux on x86-64: those of the best of the instruction sets of
 * {@link Isa} that the processor has.
 */
public final class X86KernelsProvider implements KernelsProvider {
    private static final String NAME = "x86";

    /**
     * Raised with every change of the emitted code, which KernelVersionTest sees to: what an older
     * version died of is no bar, and what was measured of it is measured again.
     */
    static final int KERNEL_VERSION = 24;

    /**
     * System property: the {@link Isa#tag} of the one instruction set to use. For tests and
     * measurements of kernels that the processor has better ones than.
     */
    static final String ISA_PROPERTY = "flagship.x86.isa";

    /** Codes remembered to have passed: models differ in their types of weights. */
    private static final int MOST_PASSED = 16;

    private final Supplier<Pages> pages;
    private final Path markers;
    private final String forced;

    public X86KernelsProvider() {
        this(
                LinuxPages::new,
                TrialMarker.defaultFolder(System.getenv()),
                System.getProperty(ISA_PROPERTY, ""));
    }

    /**
     * @param pages asked for only where native access is allowed
     * @param markers where {@link TrialMarker}s are
     * @param forced what {@link #ISA_PROPERTY} says; empty for the best
     */
    X86KernelsProvider(Supplier<Pages> pages, Path markers, String forced) {
        this.pages = pages;
        this.markers = markers;
        this.forced = forced;
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public int preference() {
        return 200;
    }

    @Override
    public Optional<String> obstacle() {
        return switch (examine()) {
            case Runs _ -> Optional.empty();
            case Cannot cannot -> Optional.of(cannot.why());
        };
    }

    /** A processor that is made for these kernels is one although its host forbids them. */
    @Override
    public boolean suits() {
        return switch (examine()) {
            case Runs _ -> true;
            case Cannot cannot -> cannot.suits();
        };
    }

    @Override
    public Optional<String> host() {
        return switch (examine()) {
            case Runs runs -> Optional.of(runs.features().toString());
            case Cannot _ ->
                    isLinuxX86()
                            ? Optional.of(CpuFlags.read(CpuFlags.CPUINFO).toString())
                            : Optional.empty();
        };
    }

    /** The forced instruction set's, or those that would run, or else those of the best. */
    @Override
    public List<MachineCode> machineCode() {
        return switch (examine()) {
            case Runs runs -> code(runs.isa(), tuning(runs));
            case Cannot _ ->
                    Isa.of(forced)
                            .or(() -> Isa.best(CpuFlags.read(CpuFlags.CPUINFO)))
                            .map(isa -> code(isa, Tuning.usual(isa)))
                            .orElse(List.of());
        };
    }

    private static List<MachineCode> code(Isa isa, Tuning tuning) {
        return KernelLibrary.assemble(isa, tuning).kernels();
    }

    /** By the instructions of the kernels that would run. */
    @Override
    public List<PeakLoop> peakLoops() {
        return switch (examine()) {
            case Runs runs -> {
                List<PeakLoop> loops = new ArrayList<>();
                for (PeakKernel kernel : PeakKernel.all(runs.isa(), runs.features())) {
                    EmittedPeakLoop.place(pages.get(), kernel).ifPresent(loops::add);
                }
                yield loops;
            }
            case Cannot _ -> List.of();
        };
    }

    /** What can be done on this machine. */
    sealed interface Examination {}

    /**
     * The best kernels that run.
     *
     * @param barred why better ones are left out, a sentence each; what the processor lacks is none
     */
    record Runs(Isa isa, String variant, CpuFeatures features, List<String> barred)
            implements Examination {}

    /**
     * @param suits whether the processor could run some
     */
    record Cannot(String why, boolean suits) implements Examination {}

    private static boolean isLinuxX86() {
        return System.getProperty("os.name", "").equals("Linux")
                && System.getProperty("os.arch", "").equals("amd64");
    }

    /** By the system's word, where the processor itself cannot be asked. */
    private static boolean flagsSuit() {
        return Isa.best(CpuFlags.read(CpuFlags.CPUINFO)).isPresent();
    }

    private Examination examine() {
        if (!isLinuxX86()) {
            return new Cannot(
                    "they are made for Linux on x86-64 and this is %s on %s"
                            .formatted(
                                    System.getProperty("os.name"), System.getProperty("os.arch")),
                    false);
        }
        Module module = X86KernelsProvider.class.getModule();
        if (!module.isNativeAccessEnabled()) {
            return new Cannot(
                    "native access is not enabled; start Java with --enable-native-access="
                            + (module.isNamed() ? module.getName() : "ALL-UNNAMED"),
                    flagsSuit());
        }
        return switch (CpuProbe.run(pages.get())) {
            case CpuProbe.NoExecutableMemory none ->
                    new Cannot(
                            "the system gives no executable memory: %s; allow it for this process, or accept slower kernels"
                                    .formatted(none.refused()),
                            flagsSuit());
            case CpuProbe.Found found -> examine(found.features());
        };
    }

    /** The best kernels that a processor runs and whose trial no process died of. */
    Examination examine(CpuFeatures features) {
        List<Isa> wanted = List.of(Isa.values());
        boolean suits = Isa.best(features).isPresent();
        if (!forced.isEmpty()) {
            Optional<Isa> isa = Isa.of(forced);
            if (isa.isEmpty()) {
                return new Cannot(
                        "%s is '%s' and none of %s"
                                .formatted(
                                        ISA_PROPERTY,
                                        forced,
                                        wanted.stream()
                                                .map(known -> known.tag)
                                                .collect(Collectors.joining(", "))),
                        suits);
            }
            wanted = List.of(isa.get());
        }
        List<String> barred = new ArrayList<>();
        for (Isa isa : wanted) {
            String variant = variant(isa, features);
            if (isa.lacking(features).isEmpty()) {
                Optional<Path> marker = TrialMarker.leftBehind(markers, variant);
                if (marker.isEmpty()) {
                    return new Runs(isa, variant, features, barred);
                }
                barred.add(
                        "an earlier process died while it tried those for %s on this processor; remove %s to try again"
                                .formatted(isa.tag, marker.get()));
            }
        }
        return new Cannot(
                barred.isEmpty()
                        ? "the processor lacks %s, or the system does not enable it"
                                .formatted(String.join(", ", wanted.getLast().lacking(features)))
                        : String.join("; ", barred),
                suits);
    }

    /** Kernels, their version and the processor, fit for a file name. */
    static String variant(Isa isa, CpuFeatures features) {
        return String.format(
                Locale.ROOT, "%s-v%d-%s", isa.tag, KERNEL_VERSION, features.signature());
    }

    /**
     * Assembles and tries the kernels. What fails is left to the best other rung, with a warning.
     */
    @Override
    public Kernels create(Team team, Set<DType> types, Consumer<String> warnings) {
        Kernels other = otherRung(team, types, warnings);
        boolean done = false;
        try {
            Kernels created = create(team, types, other, warnings);
            done = true;
            return created;
        } finally {
            if (!done) {
                other.close();
            }
        }
    }

    private Kernels create(Team team, Set<DType> types, Kernels other, Consumer<String> warnings) {
        return switch (examine()) {
            case Cannot cannot -> instead(other, cannot.why(), warnings);
            case Runs runs ->
                    switch (KernelLibrary.load(
                            pages.get(), runs.isa(), tuning(runs), products(types, runs))) {
                        case KernelLibrary.Refused refused ->
                                instead(other, refused.cause().toString(), warnings);
                        case KernelLibrary.Loaded loaded -> {
                            boolean done = false;
                            try {
                                leftOut(runs, warnings);
                                Kernels tried =
                                        tried(team, loaded.library(), runs, other, warnings);
                                done = true;
                                yield tried;
                            } finally {
                                if (!done) {
                                    loaded.library().close();
                                }
                            }
                        }
                    };
        };
    }

    /** The first start measures with types of its own. */
    private Set<DType> products(Set<DType> types, Runs runs) {
        Set<DType> products = EnumSet.noneOf(DType.class);
        products.addAll(types);
        if (tuned(runs).isEmpty()) {
            products.addAll(TuningProbe.TYPES);
        }
        products.retainAll(FloatUnpacker.TYPES);
        return products;
    }

    private static Kernels instead(Kernels other, String why, Consumer<String> warnings) {
        warnings.accept(
                "The %s kernels cannot run here: %s. Computing with %s."
                        .formatted(NAME, why, other.rung()));
        return other;
    }

    private void leftOut(Runs runs, Consumer<String> warnings) {
        List<String> why = new ArrayList<>(runs.barred());
        if (!Isa.best(runs.features()).equals(Optional.of(runs.isa())) && why.isEmpty()) {
            why.add("%s asks for others".formatted(ISA_PROPERTY));
        }
        if (!why.isEmpty()) {
            warnings.accept(
                    "The best %s kernels are left out: %s. Computing with those for %s."
                            .formatted(NAME, String.join("; ", why), runs.isa().tag));
        }
    }

    private Kernels tried(
            Team team, KernelLibrary library, Runs runs, Kernels other, Consumer<String> warnings) {
        name(library, warnings);
        Passing passing = passing(library, runs);
        List<String> wrong = passing.missing(library);
        if (!wrong.isEmpty()) {
            warnings.accept(
                    "The %s kernels gave wrong numbers on this processor (%s) for %s; %s computes them. Please report this."
                            .formatted(
                                    NAME, runs.variant(), String.join(", ", wrong), other.rung()));
        }
        return new X86Kernels(
                library,
                new Int8Products(team, library, passing.products()),
                new FloatProducts(team, library, passing.floats()),
                new Attention(team, library, passing.attention()),
                new Pointwise(team, library, passing.pointwise()),
                other);
    }

    /**
     * Tries the kernels, and measures for later starts, unless an earlier start on this processor
     * did so with the very same code: that takes as long as all else before the first token, and
     * for that long a process that somebody kills would bar the kernels.
     */
    private Passing passing(KernelLibrary library, Runs runs) {
        VariantFile file = new VariantFile("passed", markers, runs.variant());
        List<String> passed = file.read().orElse("").lines().toList();
        String code = "%08x %s".formatted(library.checksum(), Runtime.version());
        if (passed.contains(code) && tuned(runs).isPresent()) {
            return Passing.all(library);
        }
        try (TrialMarker _ = TrialMarker.write(markers, runs.variant())) {
            Passing passing = Passing.test(library);
            if (passing.products().containsAll(TuningProbe.TYPES)
                    && passing.floats().containsAll(FloatProducts.PLAIN)) {
                tune(library, runs);
            }
            if (passing.missing(library).isEmpty()) {
                file.write(
                        Stream.concat(Stream.of(code), passed.stream())
                                .distinct()
                                .limit(MOST_PASSED)
                                .collect(Collectors.joining("\n")));
            }
            return passing;
        }
    }

    /** Beside the markers of these kernels on this processor. */
    private VariantFile tuningFile(Runs runs) {
        return new VariantFile("tuning", markers, runs.variant());
    }

    /** As measured by an earlier start. */
    private Optional<Tuning> tuned(Runs runs) {
        return tuningFile(runs).read().flatMap(text -> Tuning.parse(runs.isa(), text));
    }

    private Tuning tuning(Runs runs) {
        return tuned(runs).orElse(Tuning.usual(runs.isa()));
    }

    /** The first start on a processor measures for those that follow. */
    private void tune(KernelLibrary library, Runs runs) {
        VariantFile file = tuningFile(runs);
        if (file.canBeWritten() && tuned(runs).isEmpty()) {
            file.write(TuningProbe.best(pages.get(), library).text());
        }
    }

    /** Tells profilers, if somebody asked for it. */
    private static void name(KernelLibrary library, Consumer<String> warnings) {
        Optional<PerfMap> map = PerfMap.wanted();
        if (map.isPresent()) {
            try {
                map.get().add(library.symbols());
            } catch (IOException e) {
                warnings.accept(
                        "The map of kernels %s cannot be written (%s); name another file by -D%s."
                                .formatted(map.get(), e, PerfMap.PROPERTY));
            }
        }
    }

    private static Kernels otherRung(Team team, Set<DType> types, Consumer<String> warnings) {
        List<KernelsProvider> providers =
                ServiceLoader.load(KernelsProvider.class, X86KernelsProvider.class.getClassLoader())
                        .stream()
                        .map(ServiceLoader.Provider::get)
                        .filter(p -> !p.name().equals(NAME))
                        .sorted(Comparator.comparingInt(KernelsProvider::preference).reversed())
                        .toList();
        for (KernelsProvider provider : providers) {
            Optional<String> obstacle = provider.obstacle();
            if (obstacle.isEmpty()) {
                return provider.create(team, types, warnings);
            }
            warnings.accept(
                    "What has no %s kernel is computed slowly, for the %s kernels cannot run here: %s."
                            .formatted(NAME, provider.name(), obstacle.get()));
        }
        return new ScalarKernels(team);
    }
}
