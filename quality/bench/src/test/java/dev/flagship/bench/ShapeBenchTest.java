package dev.flagship.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.tensor.MemoryLedger;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

@DisabledOnOs(OS.WINDOWS)
class ShapeBenchTest {
    private static final ShapeBench.Shape SHAPE = new ShapeBench.Shape("small", 13, 33, 40);

    @TempDir Path folder;

    private static JsonNode run(String python) {
        var silent = new PrintStream(OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8);
        var settings = new ShapeBench.Settings("auto", 2, 3, 0.005, true, python);
        Report report = new ShapeBench(settings, List.of(SHAPE), silent).run();
        return JsonMapper.shared().readTree(report.json());
    }

    /**
     * What stands where Python would: a peer of two settings, whose product ends with this number.
     */
    private String peer(double last) throws IOException {
        Path script = folder.resolve("python");
        Files.writeString(
                script,
                """
                #!/bin/sh
                while read -r line; do
                  case $line in
                  *'"op":"load"'*) echo '{"engines": {"PyTorch": "2.0"}}' ;;
                  *'"op":"shape"'*) echo '{"last": {"PyTorch": {"slow": %s, "fast": %s}}}' ;;
                  *'"slow"'*) echo '{"products": 500, "seconds": 0.5}' ;;
                  *) echo '{"products": 1000, "seconds": 0.5}' ;;
                  esac
                done
                """
                        .formatted(lastNumber(), last));
        assertThat(script.toFile().setExecutable(true)).isTrue();
        return script.toString();
    }

    private static double lastNumber() {
        double sum = 0;
        for (int k = 0; k < 33; k++) {
            sum += ((12 * 31 + k * 7) % 17 - 8) / 8.0 * (((39 * 13 + k * 5) % 19 - 9) / 16.0);
        }
        return sum;
    }

    @Test
    void everyFloatTypeIsMeasuredWithoutAPeerAndAllMemoryComesBack() {
        long before = MemoryLedger.arenas();
        JsonNode report = run("/no/such/python");
        for (String type : List.of("f32", "f16", "bf16")) {
            JsonNode figure = report.at("/figures/small_" + type + "_gflops");
            assertThat(figure.path("samples")).hasSize(3);
            assertThat(figure.path("median").asDouble()).isPositive();
        }
        assertThat(report.at("/facts/no ratio").asString()).contains("/no/such/python");
        assertThat(MemoryLedger.arenas()).isEqualTo(before);
    }

    @Test
    void aPeerIsComparedByItsRateOfTheSameProduct() throws IOException {
        JsonNode report = run(peer(lastNumber()));
        JsonNode peer = report.at("/figures/small_bf16_gflops/rivals/PyTorch");
        assertThat(peer.path("setting").asString()).isEqualTo("fast");
        assertThat(peer.path("median").asDouble()).isEqualTo(2000 * 2.0 * 13 * 33 * 40 / 1e9);
        assertThat(report.at("/facts/peers").asString()).contains("PyTorch 2.0");
        assertThat(report.at("/facts/no ratio").asString("")).doesNotContain("gave");
    }

    @Test
    void aPeerThatComputesAnotherProductHasNoRatio() throws IOException {
        JsonNode report = run(peer(lastNumber() + 1));
        assertThat(report.at("/facts/no ratio").asString())
                .contains("PyTorch, fast gave " + (lastNumber() + 1));
        JsonNode peer = report.at("/figures/small_f32_gflops/rivals/PyTorch");
        assertThat(peer.has("median")).isTrue();
        assertThat(peer.has("ratio")).isFalse();
    }

    @Test
    void theScriptForPythonIsOnTheClassPath() {
        assertThat(ShapeBench.class.getResource("products_peer.py")).isNotNull();
    }
}
