package dev.flagship.kernels.vector;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.tensor.KernelsProvider;
import dev.flagship.tensor.PeakLoop;
import dev.flagship.tensor.SerialTeam;
import java.io.IOException;
import java.io.InputStream;
import java.lang.module.ModuleDescriptor;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.ServiceLoader;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class VectorKernelsProviderTest {
    private static final String SERVICE = KernelsProvider.class.getName();

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
        assertThat(provided)
                .containsExactly(VectorKernelsProvider.class.getName())
                .isEqualTo(listed);
    }

    private static InputStream resource(String name) throws IOException {
        // Other jars on the class path have a module-info too: ask beside our own class.
        var url = VectorKernelsProvider.class.getProtectionDomain().getCodeSource().getLocation();
        return java.net.URI.create(url + name.substring(1)).toURL().openStream();
    }

    @Test
    void isFoundAndMakesTheRung() {
        KernelsProvider provider =
                ServiceLoader.load(KernelsProvider.class).stream()
                        .map(ServiceLoader.Provider::get)
                        .filter(p -> p.name().equals("vector"))
                        .findFirst()
                        .orElseThrow();
        assertThat(provider.obstacle()).isEmpty();
        assertThat(provider.preference()).isPositive();
        try (var kernels = provider.create(new SerialTeam(), _ -> {})) {
            assertThat(kernels.rung()).startsWith("vector-");
        }
    }

    @Test
    void itsLimitIsThatOfItsOwnMultiplyAdds() {
        List<PeakLoop> loops = new VectorKernelsProvider().peakLoops();
        assertThat(loops).extracting(PeakLoop::kind).containsExactly(PeakLoop.Kind.FP32);
        loops.getFirst().run(1000);
        assertThat(loops.getFirst().instructions()).endsWith(" bits");
        loops.forEach(PeakLoop::close);
    }

    @Test
    void saysWhatIsMissingWithoutTheIncubatorModule() throws Exception {
        String java = ProcessHandle.current().info().command().orElseThrow();
        String classes =
                System.getProperty(
                        "surefire.test.class.path", System.getProperty("java.class.path"));
        Process child =
                new ProcessBuilder(java, "-Xshare:auto", "-cp", classes, Child.class.getName())
                        .redirectErrorStream(true)
                        .start();
        String output =
                new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        assertThat(child.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(output).startsWith("vector: ").contains("--add-modules jdk.incubator.vector");
        assertThat(child.exitValue()).isZero();
    }

    /** What a program does that looks for rungs, in a JVM without the module. */
    static final class Child {
        private Child() {}

        public static void main(String[] args) {
            for (KernelsProvider provider : ServiceLoader.load(KernelsProvider.class)) {
                System.out.println(provider.name() + ": " + provider.obstacle().orElse("runs"));
            }
        }
    }
}
