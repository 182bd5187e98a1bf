package dev.flagship.kernels.x86;

import dev.flagship.tensor.DType;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KernelsProvider;
import dev.flagship.tensor.MachineCode;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.Team;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** Offers the emitted kernels on Linux on x86-64 with AVX-512 VNNI. */
public final class X86KernelsProvider implements KernelsProvider {
    private static final System.Logger LOG = System.getLogger(X86KernelsProvider.class.getName());
    private static final String NAME = "x86";

    /** Raised with every change of the emitted code: what an older version died of is no bar. */
    private static final int KERNEL_VERSION = 1;

    private final Supplier<Pages> pages;
    private final Path markers;

    public X86KernelsProvider() {
        this(LinuxPages::new, TrialMarker.defaultFolder(System.getenv()));
    }

    /**
     * @param pages asked for only where native access is allowed
     * @param markers where {@link TrialMarker}s are
     */
    X86KernelsProvider(Supplier<Pages> pages, Path markers) {
        this.pages = pages;
        this.markers = markers;
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

    @Override
    public List<MachineCode> machineCode() {
        return KernelLibrary.assemble(Tuning.DEFAULT.prefetch()).kernels();
    }

    private sealed interface Examination {}

    private record Runs(String variant, CpuFeatures features) implements Examination {}

    /**
     * @param suits whether the processor could run them
     */
    private record Cannot(String why, boolean suits) implements Examination {}

    private static boolean isLinuxX86() {
        return System.getProperty("os.name", "").equals("Linux")
                && System.getProperty("os.arch", "").equals("amd64");
    }

    /** By the system's word, where the processor itself cannot be asked. */
    private boolean flagsSuit() {
        return examine(CpuFlags.read(CpuFlags.CPUINFO)) instanceof Runs;
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

    private Examination examine(CpuFeatures features) {
        List<String> lacking = features.lackingForAvx512();
        if (!lacking.isEmpty()) {
            return new Cannot(
                    "the processor lacks %s, or the system does not enable it"
                            .formatted(String.join(", ", lacking)),
                    false);
        }
        String variant = variant(features);
        Optional<Path> marker = TrialMarker.leftBehind(markers, variant);
        if (marker.isPresent()) {
            return new Cannot(
                    "an earlier process died while it tried them on this processor; remove %s to try again"
                            .formatted(marker.get()),
                    true);
        }
        return new Runs(variant, features);
    }

    /** Kernels, their version and the processor, fit for a file name. */
    static String variant(CpuFeatures features) {
        return String.format(Locale.ROOT, "avx512-v%d-%s", KERNEL_VERSION, features.signature());
    }

    @Override
    public Kernels create(Team team) {
        return create(team, message -> LOG.log(Level.WARNING, message));
    }

    /**
     * Assembles and tries the kernels. What fails is left to the best other rung, with a warning.
     */
    @Override
    public Kernels create(Team team, Consumer<String> warnings) {
        Kernels other = otherRung(team, warnings);
        return switch (examine()) {
            case Cannot cannot -> instead(other, cannot.why(), warnings);
            case Runs runs -> {
                Tuning tuning =
                        new TuningFile(markers, runs.variant()).read().orElse(Tuning.DEFAULT);
                yield switch (KernelLibrary.load(pages.get(), tuning)) {
                    case KernelLibrary.Refused refused ->
                            instead(other, refused.cause().toString(), warnings);
                    case KernelLibrary.Loaded loaded ->
                            tried(team, loaded.library(), runs.variant(), other, warnings);
                };
            }
        };
    }

    private static Kernels instead(Kernels other, String why, Consumer<String> warnings) {
        warnings.accept(
                "The %s kernels cannot run here: %s. Computing with %s."
                        .formatted(NAME, why, other.rung()));
        return other;
    }

    private Kernels tried(
            Team team,
            KernelLibrary library,
            String variant,
            Kernels other,
            Consumer<String> warnings) {
        name(library, warnings);
        Set<DType> passing;
        try (TrialMarker _ = TrialMarker.write(markers, variant)) {
            passing = SelfTest.passing(library);
        }
        for (DType type : DType.values()) {
            if (type.quantized() && !passing.contains(type)) {
                warnings.accept(
                        "The %s kernels for %s gave wrong numbers on this processor (%s); %s computes them. Please report this."
                                .formatted(NAME, type, variant, other.rung()));
            }
        }
        tune(library, variant, passing);
        return new X86Kernels(library, new Int8Products(team, library, passing), other);
    }

    /** The first start on a processor measures for those that follow. */
    private void tune(KernelLibrary library, String variant, Set<DType> passing) {
        TuningFile file = new TuningFile(markers, variant);
        if (passing.containsAll(TuningProbe.TYPES)
                && file.canBeWritten()
                && file.read().isEmpty()) {
            file.write(TuningProbe.best(pages.get(), library));
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

    private static Kernels otherRung(Team team, Consumer<String> warnings) {
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
                return provider.create(team, warnings);
            }
            warnings.accept(
                    "What has no %s kernel is computed slowly, for the %s kernels cannot run here: %s."
                            .formatted(NAME, provider.name(), obstacle.get()));
        }
        return new ScalarKernels(team);
    }
}
