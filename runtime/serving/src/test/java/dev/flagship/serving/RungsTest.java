package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.tensor.DType;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KernelsProvider;
import dev.flagship.tensor.PeakLoop;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Team;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** The choice among rungs on hosts of every kind. */
class RungsTest {
    private final List<String> warnings = new ArrayList<>();

    /** A rung on some host. */
    private record Rung(String name, Optional<String> obstacle, boolean suits, String warning)
            implements KernelsProvider {
        static Rung good(String name) {
            return new Rung(name, Optional.empty(), true, "");
        }

        static Rung hindered(String name) {
            return new Rung(name, Optional.of("no " + name + "; allow it"), true, "");
        }

        static Rung foreign(String name) {
            return new Rung(name, Optional.of("another processor"), false, "");
        }

        static Rung partly(String name) {
            return new Rung(name, Optional.empty(), true, "Some of " + name + " is wrong.");
        }

        @Override
        public int preference() {
            return 1;
        }

        @Override
        public Optional<String> host() {
            return Optional.of(name + " host");
        }

        @Override
        public Kernels create(Team team, Set<DType> types, Consumer<String> heard) {
            if (!warning.isEmpty()) {
                heard.accept(warning);
            }
            return new ScalarKernels(team);
        }

        @Override
        public List<PeakLoop> peakLoops() {
            return obstacle.isPresent() ? List.of() : List.of(new Loop(name));
        }
    }

    /** Tells whose it is. */
    private record Loop(String instructions) implements PeakLoop {
        @Override
        public Kind kind() {
            return Kind.FP32;
        }

        @Override
        public long operations() {
            return 1;
        }

        @Override
        public void run(int rounds) {}

        @Override
        public void close() {}
    }

    @Test
    void peakLoopsAreThoseOfTheRungAskedForElseOfTheBestThatRuns() {
        List<KernelsProvider> host =
                List.of(Rung.hindered("best"), Rung.good("better"), Rung.good("good"));
        assertThat(loops("good", host)).containsExactly("good");
        assertThat(loops(LoadOptions.AUTO, host)).containsExactly("better");
        assertThat(loops("scalar", host)).containsExactly("better");
        assertThat(loops(LoadOptions.AUTO, List.of(Rung.hindered("best")))).isEmpty();
    }

    private static List<String> loops(String name, List<KernelsProvider> providers) {
        return Rungs.peakLoops(name, providers).stream().map(PeakLoop::instructions).toList();
    }

    private void create(String name, KernelsProvider... providers) {
        try (Kernels kernels =
                Rungs.create(
                        name,
                        new SerialTeam(),
                        Set.of(DType.F32),
                        warnings::add,
                        List.of(providers))) {
            assertThat(kernels.rung()).isEqualTo("scalar");
        }
    }

    @Test
    void theBestIsTakenWithoutAWord() {
        create("auto", Rung.good("x86"), Rung.good("vector"));
        assertThat(warnings).isEmpty();
    }

    @Test
    void theFallOfOneOrTwoRungsIsOneWarningWithTheRungInUse() {
        create("auto", Rung.hindered("x86"), Rung.good("vector"));
        assertThat(warnings)
                .containsExactly(
                        "The x86 kernels cannot run here: no x86; allow it. Computing with the scalar kernels.");
        warnings.clear();
        create("auto", Rung.hindered("x86"), Rung.hindered("vector"));
        assertThat(warnings)
                .singleElement()
                .asString()
                .contains("no x86; allow it", "no vector; allow it", "with the scalar kernels");
    }

    @Test
    void whatWasMadeForAnotherProcessorIsNoLoss() {
        create("auto", Rung.foreign("x86"), Rung.good("vector"));
        assertThat(warnings).isEmpty();
        var examination = Rungs.examine("auto", List.of(Rung.foreign("x86"), Rung.good("vector")));
        assertThat(examination.shortfalls()).isEmpty();
        assertThat(Rungs.examine("vector", List.of(Rung.foreign("x86"), Rung.good("vector"))))
                .isEqualTo(examination);
    }

    @Test
    void anExaminationFindsWhatALoadWouldWarnOf() {
        var providers = List.<KernelsProvider>of(Rung.hindered("x86"), Rung.partly("vector"));
        var examination = Rungs.examine("auto", providers);
        assertThat(examination.rung()).isEqualTo("scalar");
        assertThat(examination.hosts()).containsExactly("x86 host", "vector host");
        create("auto", providers.toArray(KernelsProvider[]::new));
        assertThat(examination.shortfalls()).hasSize(2).isEqualTo(warnings);
    }

    @Test
    void askingForLessThanTheBestIsAShortfall() {
        var providers = List.<KernelsProvider>of(Rung.good("x86"), Rung.good("vector"));
        assertThat(Rungs.examine("x86", providers).shortfalls()).isEmpty();
        for (String less : List.of("vector", "scalar")) {
            assertThat(Rungs.examine(less, providers).shortfalls())
                    .singleElement()
                    .asString()
                    .contains(less, "x86", "--kernels");
        }
    }

    @Test
    void aRungThatWasNamedAndCannotRunIsAnError() {
        assertThatThrownBy(() -> create("x86", Rung.hindered("x86"), Rung.good("vector")))
                .isInstanceOf(LoadException.class)
                .hasMessageContaining("no x86; allow it");
        assertThatThrownBy(() -> create("fast", Rung.good("x86")))
                .isInstanceOf(LoadException.class)
                .hasMessageContaining("auto, x86, scalar");
    }
}
