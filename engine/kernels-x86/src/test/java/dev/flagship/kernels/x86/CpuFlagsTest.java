package dev.flagship.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class CpuFlagsTest {
    @TempDir private Path folder = Path.of("");

    @Test
    void readsTheFirstProcessorsFlags() throws IOException {
        Path file =
                Files.writeString(
                        folder.resolve("cpuinfo"),
                        "model name\t: avx512f in a name\nflags\t\t: fpu avx2 fma f16c avx512f avx512bw\nflags\t\t: avx512_vnni\n");
        CpuFeatures features = CpuFlags.read(file);
        assertThat(features.avx2() && features.fma() && features.avx512bw()).isTrue();
        assertThat(features.lackingForAvx512())
                .containsExactly("AVX-512 DQ", "AVX-512 VL", "AVX-512 VNNI");
        assertThat(features).hasToString("AVX2 FMA F16C AVX-512 F BW");
    }

    @Test
    void whatCannotBeReadHasNone() {
        assertThat(CpuFlags.read(folder.resolve("none"))).hasToString("none of AVX2 and AVX-512");
    }

    @Test
    @EnabledOnOs(value = OS.LINUX, architectures = "amd64")
    void agreesWithTheProcessorItself() {
        CpuFeatures asked = ((CpuProbe.Found) CpuProbe.run(new LinuxPages())).features();
        assertThat(CpuFlags.read(CpuFlags.CPUINFO)).hasToString(asked.toString());
    }
}
