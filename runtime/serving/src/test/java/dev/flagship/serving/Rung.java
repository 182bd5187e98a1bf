package dev.flagship.serving;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.flagship.tensor.KernelsProvider;
import java.util.Optional;
import java.util.ServiceLoader;

/** Rungs by name, for tests that run on each that this machine has. */
final class Rung {
    private Rung() {}

    /** Skips the test, with the obstacle in its report, where a rung that exists cannot run. */
    static void assume(String name) {
        if (name.equals("scalar")) {
            return;
        }
        KernelsProvider provider =
                ServiceLoader.load(KernelsProvider.class).stream()
                        .map(ServiceLoader.Provider::get)
                        .filter(p -> p.name().equals(name))
                        .findFirst()
                        .orElseThrow();
        Optional<String> obstacle = provider.obstacle();
        assumeTrue(obstacle.isEmpty(), () -> name + ": " + obstacle.orElse(""));
    }
}
