package dev.flagship.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class ReportTest {
    private static Samples of(double... values) {
        Samples samples = new Samples();
        for (double value : values) {
            samples.add(value);
        }
        return samples;
    }

    private static Report report(OptionalDouble ratio) {
        Report report = new Report();
        report.fact("model", "a model");
        report.fact("machine", "word ".repeat(60).strip());
        report.row("read", "limit: read of a file of this size", "GB/s", of(12, 13, 14));
        report.row(
                "prefill",
                "prefill of 512 tokens",
                "tok/s",
                of(1234, 1300, 1100),
                List.of(new Report.Rival("llama.cpp", "fa off", of(600, 617), ratio)));
        report.row("load", "load", "s", of(0.5));
        report.row("none", "nothing measured", "s", of());
        return report;
    }

    @Test
    void columnsAreAlignedAndNoLineIsTooLong() {
        String table = report(OptionalDouble.of(2.03)).table();
        assertThat(table.lines()).allMatch(line -> line.length() <= 100);
        assertThat(table)
                .endsWith(
                        """

                                                                 median      min to max  ratio
                        limit: read of a file of this size   13.00 GB/s  12.00 to 14.00
                        prefill of 512 tokens               1,234 tok/s  1,100 to 1,300
                          llama.cpp, fa off                 608.5 tok/s  600.0 to 617.0   2.03
                        load                                    0.500 s
                        """);
    }

    @Test
    void longFactsWrapUnderTheirKey() {
        String table = report(OptionalDouble.empty()).table();
        assertThat(table.lines().filter(l -> l.contains("word")).count()).isGreaterThan(3);
        assertThat(table.lines().filter(l -> l.startsWith("machine     word"))).hasSize(1);
        assertThat(table.lines().filter(l -> l.startsWith("            word"))).isNotEmpty();
    }

    @Test
    void anUnfairRatioIsShownNowhere() {
        Report report = report(OptionalDouble.empty());
        JsonNode prefill = JsonMapper.shared().readTree(report.json()).at("/figures/prefill");
        assertThat(prefill.at("/rivals/llama.cpp").has("ratio")).isFalse();
        assertThat(prefill.at("/rivals/llama.cpp/median").asDouble()).isEqualTo(608.5);
        assertThat(report.table().lines()).anyMatch(l -> l.endsWith("600.0 to 617.0"));
    }

    @Test
    void jsonCarriesEverySample() {
        JsonNode root = JsonMapper.shared().readTree(report(OptionalDouble.of(2.0)).json());
        assertThat(root.at("/facts/model").asString()).isEqualTo("a model");
        assertThat(root.at("/figures/prefill/samples")).hasSize(3);
        assertThat(root.at("/figures/prefill/median").asDouble()).isEqualTo(1234);
        assertThat(root.at("/figures/prefill/rivals/llama.cpp/ratio").asDouble()).isEqualTo(2.0);
        assertThat(root.at("/figures/none").isMissingNode()).isTrue();
    }

    @Test
    void numbersHaveThreeDigitsOrMore() {
        assertThat(Report.number(0)).isEqualTo("0");
        assertThat(Report.number(0.1234)).isEqualTo("0.123");
        assertThat(Report.number(12.345)).isEqualTo("12.35");
        assertThat(Report.number(123.45)).isEqualTo("123.5");
        assertThat(Report.number(12345.6)).isEqualTo("12,346");
    }
}
