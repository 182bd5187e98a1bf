package dev.flagship.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MachineTest {
    @TempDir Path sys;

    private void cache(int cpu, int index, String level, String size, String sharers)
            throws IOException {
        Path folder = sys.resolve("cpu" + cpu + "/cache/index" + index);
        Files.createDirectories(folder);
        Files.writeString(folder.resolve("level"), level + "\n");
        Files.writeString(folder.resolve("size"), size + "\n");
        Files.writeString(folder.resolve("shared_cpu_list"), sharers + "\n");
    }

    @Test
    void aCacheThatProcessorsShareCountsOnce() throws IOException {
        for (int cpu = 0; cpu < 4; cpu++) {
            cache(cpu, 0, "1", "48K", "" + cpu);
            cache(cpu, 2, "2", "2048K", "" + cpu);
            cache(cpu, 3, "3", "32M", cpu < 2 ? "0-1" : "2-3");
        }
        assertThat(Machine.lastCacheBytes(sys)).isEqualTo(64L << 20);
    }

    @Test
    void withoutALevelThreeTheLevelTwoIsTheLast() throws IOException {
        cache(0, 0, "1", "64K", "0");
        cache(0, 1, "2", "512K", "0-3");
        assertThat(Machine.lastCacheBytes(sys)).isEqualTo(512L << 10);
    }

    @Test
    void aSystemThatDoesNotTellHasNoKnownCache() {
        assertThat(Machine.lastCacheBytes(sys.resolve("absent"))).isZero();
    }

    @Test
    void featuresAreReadOnIntelAndOnArm() {
        assertThat(Machine.features(List.of("processor\t: 0", "flags\t\t: fpu avx2 avx512_vnni")))
                .containsExactlyInAnyOrder("fpu", "avx2", "avx512_vnni");
        assertThat(Machine.features(List.of("Features\t: fp asimd asimddp")))
                .containsExactlyInAnyOrder("fp", "asimd", "asimddp");
        assertThat(Machine.features(List.of())).isEmpty();
    }
}
