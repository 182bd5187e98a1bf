package dev.flagship.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.kernels.x86.KernelLibrary.Symbol;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PerfMapTest {
    private static final List<Symbol> SYMBOLS =
            List.of(new Symbol("quantize_avx512", 0x7f00, 0x40), new Symbol("b", 0x7f40, 16));

    @TempDir private Path folder = Path.of("");

    @Test
    void aLineIsAddressSizeAndNameInHexadecimal() throws IOException {
        Path file = folder.resolve("perf-1.map");
        new PerfMap(file).add(SYMBOLS);
        assertThat(file)
                .content()
                .isEqualTo("7f00 40 flagship::quantize_avx512\n7f40 10 flagship::b\n");
    }

    @Test
    void aSecondModelsKernelsJoinTheFirsts() throws IOException {
        Path file = folder.resolve("perf-1.map");
        new PerfMap(file).add(SYMBOLS);
        new PerfMap(file).add(SYMBOLS);
        assertThat(Files.readAllLines(file)).hasSize(4);
    }

    @Test
    void theMapOfAnEarlierProcessOfThisNumberIsReplaced() throws IOException {
        Path file = Files.writeString(folder.resolve("perf-1.map"), "stale\n");
        Files.setLastModifiedTime(file, FileTime.fromMillis(0));
        new PerfMap(file).add(SYMBOLS);
        assertThat(file).content().doesNotContain("stale").startsWith("7f00 ");
    }

    @Test
    void aLinkIsNotFollowed() throws IOException {
        Path victim = Files.writeString(folder.resolve("victim"), "mine");
        Path link = Files.createSymbolicLink(folder.resolve("perf-1.map"), victim);
        assertThatThrownBy(() -> new PerfMap(link).add(SYMBOLS)).isInstanceOf(IOException.class);
        assertThat(victim).content().isEqualTo("mine");
    }
}
