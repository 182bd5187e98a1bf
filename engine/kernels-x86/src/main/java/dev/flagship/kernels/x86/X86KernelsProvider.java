package dev.flagship.kernels.x86;

import dev.flagship.tensor.DType;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KernelsProvider;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.Team;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.function.Supplier;

/** Offers the emitted kernels on Linux on x86-64 with AVX-512 VNNI. */
public final class X86KernelsProvider implements KernelsProvider {
    private static final System.Logger LOG = System.getLogger(X86KernelsProvider.class.getName());
    private static final String NAME = "x86";

    /** Raised with every change of the emitted code: what an older version died of is no bar. */
    private static final int KERNEL_VERSION = 3;

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

    private sealed interface Examination {}

    private record Runs(String variant) implements Examination {}

    private record Cannot(String why) implements Examination {}

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

    private Examination examine(CpuFeatures features) {
        List<String> lacking = features.lackingForAvx512();
        if (!lacking.isEmpty()) {
            return new Cannot(
                    "the processor lacks %s, or the system does not enable it"
                            .formatted(String.join(", ", lacking)));
        }
        String variant = variant(features);
        Optional<Path> marker = TrialMarker.leftBehind(markers, variant);
        if (marker.isPresent()) {
            return new Cannot(
                    "an earlier process died while it tried them on this processor; remove %s to try again"
                            .formatted(marker.get()));
        }
        return new Runs(variant);
    }

    /** Kernels, their version and the processor, fit for a file name. */
    static String variant(CpuFeatures features) {
        return String.format(Locale.ROOT, "avx512-v%d-%s", KERNEL_VERSION, features.signature());
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
                    switch (KernelLibrary.load(pages.get(), KernelLibrary.PREFETCH)) {
                        case KernelLibrary.Refused refused ->
                                instead(other, refused.cause().toString());
                        case KernelLibrary.Loaded loaded ->
                                tried(team, loaded.library(), runs.variant(), other);
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

    private Kernels tried(Team team, KernelLibrary library, String variant, Kernels other) {
        Set<DType> passing;
        Set<DType> attention;
        Set<PointwiseKernel> pointwise;
        try (TrialMarker _ = TrialMarker.write(markers, variant)) {
            passing = SelfTest.passing(library);
            attention = AttentionSelfTest.passing(library);
            pointwise = PointwiseSelfTest.passing(library);
        }
        for (DType type : DType.values()) {
            if (type.quantized() && !passing.contains(type)) {
                wrong(type, variant, other);
            }
        }
        for (DType type : AttentionSelfTest.TYPES) {
            if (!attention.contains(type)) {
                wrong("attention to " + type, variant, other);
            }
        }
        for (PointwiseKernel kernel : PointwiseKernel.values()) {
            if (!pointwise.contains(kernel)) {
                wrong(kernel, variant, other);
            }
        }
        return new X86Kernels(
                library,
                new Int8Products(team, library, passing),
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
