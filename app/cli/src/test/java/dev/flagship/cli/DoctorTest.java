package dev.flagship.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.cli.Finding.Verdict;
import dev.flagship.serving.FreeMemory;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DoctorTest {
    @TempDir Path folder;

    @Test
    void javaThatMovesObjectsUnderNativeCodeFails() {
        assertThat(Doctor.java(Runtime.Version.parse("25.0.2")).verdict())
                .isEqualTo(Verdict.FAILED);
        assertThat(Doctor.java(Runtime.Version.parse("25.0.3+9-LTS")).verdict())
                .isEqualTo(Verdict.OK);
        assertThat(Doctor.java(Runtime.Version.parse("26")).verdict()).isEqualTo(Verdict.OK);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-Xint",
                "-XX:TieredStopAtLevel=1",
                "-XX:UseAVX=1",
                "-XX:-EnableVectorSupport",
                "-XX:+UseCompactObjectHeaders"
            })
    void flagsThatSlowJavaDownFailWithARemedy(String flag) {
        assertThat(Doctor.flags(List.of("-Xmx1g", flag), ModuleLayer.boot()))
                .anySatisfy(finding -> {
                    assertThat(finding.verdict()).isEqualTo(Verdict.FAILED);
                    assertThat(finding.detail()).contains(flag, "take it out");
                });
    }

    @Test
    void javaWithoutTheIncubatorModuleFailsWithARemedy() {
        List<Finding> findings =
                Doctor.flags(List.of("-Xmx1g", "-XX:TieredStopAtLevel=4"), ModuleLayer.empty());
        assertThat(findings).hasSize(1);
        assertThat(findings.getFirst().verdict()).isEqualTo(Verdict.FAILED);
        assertThat(findings.getFirst().detail()).contains("--add-modules jdk.incubator.vector");
    }

    private Finding memory(Path meminfo) {
        return Doctor.memory(new FreeMemory(meminfo, List.of(folder)));
    }

    @Test
    void littleMemoryIsAWarning() throws Exception {
        Path plenty = Files.writeString(folder.resolve("plenty"), "MemAvailable:  8388608 kB\n");
        Path little = Files.writeString(folder.resolve("little"), "MemAvailable:  204800 kB\n");
        assertThat(memory(plenty).verdict()).isEqualTo(Verdict.OK);
        assertThat(memory(plenty).detail()).startsWith("8.0 GiB");
        assertThat(memory(little).verdict()).isEqualTo(Verdict.WARNING);
        assertThat(memory(folder.resolve("none")).verdict()).isEqualTo(Verdict.OK);
    }

    @Test
    void aGroupsLimitCounts() throws Exception {
        Path plenty = Files.writeString(folder.resolve("plenty"), "MemAvailable:  8388608 kB\n");
        Files.writeString(folder.resolve("memory.max"), "max\n");
        Files.writeString(folder.resolve("memory.current"), "300000000\n");
        assertThat(memory(plenty).verdict()).isEqualTo(Verdict.OK);
        Files.writeString(folder.resolve("memory.max"), "536870912\n");
        assertThat(memory(plenty).verdict()).isEqualTo(Verdict.WARNING);
        Files.writeString(folder.resolve("memory.max"), "1610612736\n");
        Files.writeString(folder.resolve("memory.current"), "1400000000\n");
        assertThat(memory(plenty).verdict()).isEqualTo(Verdict.WARNING);
        Files.writeString(folder.resolve("memory.stat"), "anon 1\ninactive_file 1300000000\n");
        assertThat(memory(plenty).verdict()).isEqualTo(Verdict.OK);
    }

    @Test
    void theStoresModelsAndTheirPackedWeightsAreMeasured() throws Exception {
        Files.createDirectories(folder.resolve("models/m"));
        Files.write(folder.resolve("models/m/m.gguf"), new byte[2 << 20]);
        Files.createDirectories(folder.resolve("packed"));
        Files.write(folder.resolve("packed/m.bands"), new byte[3 << 20]);
        assertThat(Doctor.store(folder).detail())
                .contains("models take 2.0 MiB", "packed weights 3.0 MiB");
    }

    @Test
    void aStoreThatDoesNotExistYetIsJudgedByItsParent() throws Exception {
        assertThat(Doctor.store(folder.resolve("a/b")).verdict()).isEqualTo(Verdict.OK);
        assertThat(folder.resolve("a")).doesNotExist();
        Path file = Files.createFile(folder.resolve("file"));
        Finding noFolder = Doctor.store(file.resolve("store"));
        assertThat(noFolder.verdict()).isEqualTo(Verdict.WARNING);
        assertThat(noFolder.detail()).contains("FLAGSHIP_HOME");
    }

    @Test
    void aPortInUseIsAWarningThatSaysWhatToDo() throws Exception {
        try (var taken = new ServerSocket(0, 1, InetAddress.ofLiteral("127.0.0.1"))) {
            Finding finding = Doctor.port(taken.getLocalPort());
            assertThat(finding.verdict()).isEqualTo(Verdict.WARNING);
            assertThat(finding.detail()).contains("--port N");
        }
    }

    @Test
    void onlyAFailureIsUnhealthy() {
        var fine = List.of(Finding.ok("a", ""), Finding.warning("b", ""));
        assertThat(Doctor.healthy(fine)).isTrue();
        assertThat(Doctor.healthy(List.of(fine.getFirst(), Finding.failed("c", "")))).isFalse();
    }
}
