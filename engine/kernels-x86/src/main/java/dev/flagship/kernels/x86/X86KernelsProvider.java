package dev.flagship.kernels.x86;

import dev.flagship.tensor.DType;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KernelsProvider;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.Team;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * Offers the emitted kernels on Linux on x86-64: those of the best of the instruction sets of
 * {@link Isa} that the processor has.
 */
public final class X86KernelsProvider implements KernelsProvider {
    private static final System.Logger LOG = System.getLogger(X86KernelsProvider.class.getName());
    private static final String NAME = "x86";

    /** Raised with every change of the emitted code: what an older version died of is no bar. */
    private static final int KERNEL_VERSION = 8;

    /**
     * System property: the {@link Isa#tag} of the one instruction set to use. For tests and
     * measurements of kernels that the processor has better ones than.
     */
    static final String ISA_PROPERTY = "flagship.x86.isa";

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

    /** What can be done on this machine. */
    sealed interface Examination {}

    /**
     * The best kernels that run.
     *
     * @param barred why better ones are left out, a sentence each; what the processor lacks is none
     */
    record Runs(Isa isa, String variant, List<String> barred) implements Examination {}

    record Cannot(String why) implements Examination {}

    private Examination examine() {
        String os = System.getProperty("os.name", "");
        String architecture = System.getProperty("os.arch", "");
        if (!os.equals("Linux") || !architecture.equals("amd64")) {
            return new Cannot(
                    "they are made for Linux on x86-64 and this is %s on %s"
                            .formatted(os, architecture));
        }
        Module module = X86KernelsProvider.class.getModule();
        if (!module.isNativeAccessEnabled()) {
            return new Cannot(
                    "native access is not enabled; start Java with --enable-native-access="
                            + (module.isNamed() ? module.getName() : "ALL-UNNAMED"));
        }
        return switch (CpuProbe.run(pages.get())) {
            case CpuProbe.NoExecutableMemory none ->
                    new Cannot(
                            "the system gives no executable memory: %s; allow it for this process, or accept slower kernels"
                                    .formatted(none.refused()));
            case CpuProbe.Found found -> examine(found.features());
        };
    }

    /** The best kernels that a processor runs and whose trial no process died of. */
    Examination examine(CpuFeatures features) {
        List<Isa> wanted = List.of(Isa.values());
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
                                                .collect(Collectors.joining(", "))));
            }
            wanted = List.of(isa.get());
        }
        List<String> barred = new ArrayList<>();
        for (Isa isa : wanted) {
            String variant = variant(isa, features);
            if (isa.lacking(features).isEmpty()) {
                Optional<Path> marker = TrialMarker.leftBehind(markers, variant);
                if (marker.isEmpty()) {
                    return new Runs(isa, variant, barred);
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
                        : String.join("; ", barred));
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
    public Kernels create(Team team) {
        Kernels other = otherRung(team);
        return switch (examine()) {
            case Cannot cannot -> instead(other, cannot.why());
            case Runs runs ->
                    switch (KernelLibrary.load(pages.get(), runs.isa(), KernelLibrary.PREFETCH)) {
                        case KernelLibrary.Refused refused ->
                                instead(other, refused.cause().toString());
                        case KernelLibrary.Loaded loaded -> {
                            runs.barred().forEach(why -> leftOut(runs.isa(), why));
                            yield tried(team, loaded.library(), runs.variant(), other);
                        }
                    };
        };
    }

    private static Kernels instead(Kernels other, String why) {
        LOG.log(
                Level.WARNING,
                () ->
                        "The %s kernels cannot run here: %s. Computing with %s."
                                .formatted(NAME, why, other.rung()));
        return other;
    }

    private static void leftOut(Isa isa, String why) {
        LOG.log(
                Level.WARNING,
                () ->
                        "The best %s kernels are left out: %s. Computing with those for %s."
                                .formatted(NAME, why, isa.tag));
    }

    private Kernels tried(Team team, KernelLibrary library, String variant, Kernels other) {
        Set<DType> passing;
        Set<DType> floats = Set.of();
        Set<DType> attention = Set.of();
        Set<PointwiseKernel> pointwise = Set.of();
        boolean complete = library.isa().complete();
        try (TrialMarker _ = TrialMarker.write(markers, variant)) {
            passing = SelfTest.passing(library);
            if (complete) {
                floats = FloatSelfTest.passing(library);
                attention = AttentionSelfTest.passing(library);
                pointwise = PointwiseSelfTest.passing(library);
            }
        }
        for (DType type : DType.values()) {
            if (library.isa().multiplies(type) && !passing.contains(type)) {
                wrong(type, variant, other);
            }
        }
        for (DType type : FloatProducts.TYPES) {
            if (complete && !floats.contains(type)) {
                wrong(type.quantized() ? type + " in exact numerics" : type, variant, other);
            }
        }
        for (DType type : AttentionSelfTest.TYPES) {
            if (complete && !attention.contains(type)) {
                wrong("attention to " + type, variant, other);
            }
        }
        for (PointwiseKernel kernel : PointwiseKernel.values()) {
            if (complete && !pointwise.contains(kernel)) {
                wrong(kernel, variant, other);
            }
        }
        return new X86Kernels(
                library,
                new Int8Products(team, library, passing),
                new FloatProducts(team, library, floats),
                new Attention(team, library, attention),
                new Pointwise(team, library, pointwise),
                other);
    }

    private static void wrong(Object what, String variant, Kernels other) {
        LOG.log(
                Level.WARNING,
                () ->
                        "The %s kernels for %s gave wrong numbers on this processor (%s); %s computes them. Please report this."
                                .formatted(NAME, what, variant, other.rung()));
    }

    private static Kernels otherRung(Team team) {
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
                return provider.create(team);
            }
            LOG.log(
                    Level.WARNING,
                    () ->
                            "What has no %s kernel is computed slowly, for the %s kernels cannot run here: %s."
                                    .formatted(NAME, provider.name(), obstacle.get()));
        }
        return new ScalarKernels(team);
    }
}
