package dev.flagship.serving;

import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KernelsProvider;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.Team;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Chooses the kernels and the size of the team. */
public final class Rungs {
    private static final String SCALAR = "scalar";

    private Rungs() {}

    /**
     * Creates the rung of that name, or for {@code auto} the best that runs here; a rung that
     * cannot run is reported with cause, remedy and the rung used instead.
     *
     * @throws LoadException if a rung named explicitly does not exist or cannot run here
     */
    public static Kernels create(String name, Team team, LoadListener listener) {
        if (name.equals(SCALAR)) {
            return new ScalarKernels(team);
        }
        List<KernelsProvider> providers =
                ServiceLoader.load(KernelsProvider.class, Rungs.class.getClassLoader()).stream()
                        .map(ServiceLoader.Provider::get)
                        .sorted(Comparator.comparingInt(KernelsProvider::preference).reversed())
                        .toList();
        if (!name.equals(LoadOptions.AUTO)) {
            return named(name, providers, team);
        }
        for (KernelsProvider provider : providers) {
            var obstacle = provider.obstacle();
            if (obstacle.isEmpty()) {
                return provider.create(team);
            }
            listener.warning(
                    "The %s kernels cannot run here: %s."
                            .formatted(provider.name(), obstacle.get()));
        }
        listener.warning(
                "Computing with the scalar kernels, which are far slower than the others.");
        return new ScalarKernels(team);
    }

    private static Kernels named(String name, List<KernelsProvider> providers, Team team) {
        for (KernelsProvider provider : providers) {
            if (provider.name().equals(name)) {
                var obstacle = provider.obstacle();
                if (obstacle.isPresent()) {
                    throw new LoadException(place(name), "they cannot run here", obstacle.get());
                }
                return provider.create(team);
            }
        }
        String known =
                Stream.concat(providers.stream().map(KernelsProvider::name), Stream.of(SCALAR))
                        .collect(Collectors.joining(", "));
        throw new LoadException(
                place(name), "there are no such kernels", "Known are auto, " + known + ".");
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
