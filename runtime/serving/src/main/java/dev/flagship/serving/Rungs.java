package dev.flagship.serving;

import dev.flagship.tensor.DType;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KernelsProvider;
import dev.flagship.tensor.MachineCode;
import dev.flagship.tensor.PeakLoop;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Team;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.stream.Stream;
import jdk.jfr.FlightRecorder;

/** Chooses the kernels and the size of the team. */
public final class Rungs {
    private static final String SCALAR = "scalar";
    private static final Set<DType> ALL_TYPES = Set.of(DType.values());

    private Rungs() {}

    /**
     * Creates the rung of that name, or for {@code auto} the best that runs here; a rung that
     * cannot run is reported with cause, remedy and the rung used instead.
     *
     * @param types of weights that there will be
     * @throws LoadException if a rung named explicitly does not exist or cannot run here
     */
    public static Kernels create(
            String name, Team team, Set<DType> types, Consumer<String> warnings) {
        return create(name, team, types, warnings, providers());
    }

    /** The same for weights of any type. */
    public static Kernels create(String name, Team team, Consumer<String> warnings) {
        return create(name, team, ALL_TYPES, warnings);
    }

    static Kernels create(
            String name,
            Team team,
            Set<DType> types,
            Consumer<String> warnings,
            List<KernelsProvider> providers) {
        if (!FlightRecorder.isInitialized()) {
            return choose(name, team, types, warnings, providers);
        }
        KernelChoiceEvent event = new KernelChoiceEvent();
        List<String> shortfalls = new ArrayList<>();
        event.begin();
        Kernels kernels =
                choose(
                        name,
                        team,
                        types,
                        shortfall -> {
                            shortfalls.add(shortfall);
                            warnings.accept(shortfall);
                        },
                        providers);
        event.asked = name;
        event.rung = kernels.rung();
        event.shortfalls = String.join(" ", shortfalls);
        event.commit();
        return kernels;
    }

    /** The names that {@link LoadOptions#kernels} may have, on whatever machine. */
    public static List<String> names() {
        return names(providers());
    }

    private static List<String> names(List<KernelsProvider> providers) {
        List<String> names = new ArrayList<>();
        names.add(LoadOptions.AUTO);
        providers.forEach(provider -> names.add(provider.name()));
        names.add(SCALAR);
        return names;
    }

    private static Kernels choose(
            String name,
            Team team,
            Set<DType> types,
            Consumer<String> warnings,
            List<KernelsProvider> providers) {
        if (name.equals(SCALAR)) {
            return new ScalarKernels(team);
        }
        return name.equals(LoadOptions.AUTO)
                ? best(providers, team, types, warnings)
                : named(name, providers, team, types, warnings);
    }

    /** Best first. */
    private static List<KernelsProvider> providers() {
        return ServiceLoader.load(KernelsProvider.class, Rungs.class.getClassLoader()).stream()
                .map(ServiceLoader.Provider::get)
                .sorted(Comparator.comparingInt(KernelsProvider::preference).reversed())
                .toList();
    }

    private static Kernels best(
            List<KernelsProvider> providers,
            Team team,
            Set<DType> types,
            Consumer<String> warnings) {
        List<String> lost = new ArrayList<>();
        for (KernelsProvider provider : providers) {
            var obstacle = provider.obstacle();
            if (obstacle.isEmpty()) {
                Kernels kernels = provider.create(team, types, warnings);
                if (!lost.isEmpty()) { // one warning, however many better rungs fell out
                    lost.add("Computing with the %s kernels.".formatted(kernels.rung()));
                    warnings.accept(String.join(" ", lost));
                }
                return kernels;
            }
            if (provider.suits()) { // what was made for another processor is no loss here
                lost.add(
                        "The %s kernels cannot run here: %s."
                                .formatted(provider.name(), obstacle.get()));
            }
        }
        lost.add("Computing with the scalar kernels, which are far slower than the others.");
        warnings.accept(String.join(" ", lost));
        return new ScalarKernels(team);
    }

    private static Kernels named(
            String name,
            List<KernelsProvider> providers,
            Team team,
            Set<DType> types,
            Consumer<String> warnings) {
        for (KernelsProvider provider : providers) {
            if (provider.name().equals(name)) {
                var obstacle = provider.obstacle();
                if (obstacle.isPresent()) {
                    throw new LoadException(place(name), "they cannot run here", obstacle.get());
                }
                return provider.create(team, types, warnings);
            }
        }
        throw new LoadException(
                place(name),
                "there are no such kernels",
                "Known are " + String.join(", ", names(providers)) + ".");
    }

    /**
     * Which kernels a load would use, and why not better ones.
     *
     * @param rung name of the kernels
     * @param hosts what of this host the rungs go by, best rung first
     * @param shortfalls a sentence with cause and remedy for each thing that keeps this host from
     *     the best that its processor could do; empty if nothing does
     */
    public record Examination(String rung, List<String> hosts, List<String> shortfalls) {
        public Examination {
            hosts = List.copyOf(hosts);
            shortfalls = List.copyOf(shortfalls);
        }
    }

    /**
     * Creates kernels as a load would, self-test included, and closes them.
     *
     * @param name as of {@link LoadOptions#kernels}
     * @throws LoadException if a rung named explicitly does not exist or cannot run here
     */
    public static Examination examine(String name) {
        return examine(name, providers());
    }

    static Examination examine(String name, List<KernelsProvider> providers) {
        List<String> shortfalls = new ArrayList<>();
        try (Team team = new SerialTeam();
                Kernels kernels = create(name, team, ALL_TYPES, shortfalls::add, providers)) {
            if (!name.equals(LoadOptions.AUTO)) {
                providers.stream()
                        .filter(KernelsProvider::suits)
                        .findFirst()
                        .filter(made -> !made.name().equals(name))
                        .ifPresent(made ->
                                shortfalls.add(
                                        "The %s kernels were asked for, and this processor is made for the %s kernels; leave out --kernels."
                                                .formatted(name, made.name())));
            }
            return new Examination(
                    kernels.rung(),
                    providers.stream().flatMap(provider -> provider.host().stream()).toList(),
                    shortfalls);
        }
    }

    /** The machine code that the best rung which has any would run here. */
    public static List<MachineCode> machineCode() {
        return providers().stream()
                .map(KernelsProvider::machineCode)
                .filter(code -> !code.isEmpty())
                .findFirst()
                .orElse(List.of());
    }

    /**
     * Loops that reach the limits of arithmetic by the instructions of the rung of that name. Where
     * it has none, and for {@code auto}, they are those of the best rung that has any here. The
     * caller closes them.
     */
    public static List<PeakLoop> peakLoops(String name) {
        return peakLoops(name, providers());
    }

    static List<PeakLoop> peakLoops(String name, List<KernelsProvider> providers) {
        return Stream.concat(
                        providers.stream().filter(provider -> provider.name().equals(name)),
                        providers.stream())
                .map(KernelsProvider::peakLoops)
                .filter(loops -> !loops.isEmpty())
                .findFirst()
                .orElse(List.of());
    }

    private static String place(String name) {
        return "the kernels '" + name + "'";
    }

    /**
     * Physical cores that this process may use: logical processors by the affinity mask, siblings
     * counted once where the system tells them.
     */
    public static int physicalCores() {
        int logical = Runtime.getRuntime().availableProcessors();
        Set<String> siblings = new TreeSet<>();
        try (Stream<Path> cpus = Files.list(Path.of("/sys/devices/system/cpu"))) {
            for (Path cpu : (Iterable<Path>) cpus::iterator) {
                Path list = cpu.resolve("topology/thread_siblings_list");
                if (cpu.getFileName().toString().matches("cpu\\d+") && Files.isReadable(list)) {
                    siblings.add(Files.readString(list).strip());
                }
            }
        } catch (IOException e) {
            return logical; // not Linux, or /sys is closed: nothing better is known
        }
        return siblings.isEmpty() ? logical : Math.min(logical, siblings.size());
    }
}
