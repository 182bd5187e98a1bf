package dev.flagship.architecture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The rules hold for what is shipped, and each of them fails where it is broken on purpose. */
final class HouseRulesTest {

    private static final House HOUSE = new House("dev.flagship");
    private static final House DIRTY = new House("dev.flagship.architecture.dirty");

    private static final JavaClasses SHIPPED =
            new ClassFileImporter()
                    .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
                    .importPackages(HOUSE.root());

    private static final JavaClasses SAMPLES = new ClassFileImporter().importPackages(DIRTY.root());

    @TestFactory
    Stream<DynamicTest> everyRuleHolds() {
        return new TreeMap<>(HouseRules.of(HOUSE))
                .entrySet().stream()
                        .map(rule ->
                                DynamicTest.dynamicTest(
                                        rule.getKey(), () -> rule.getValue().check(SHIPPED)));
    }

    @Test
    void rulesSeeEveryModule() {
        Map<String, Integer> seen = new TreeMap<>();
        for (JavaClass type : SHIPPED) {
            HOUSE.moduleOf(type.getPackageName())
                    .ifPresent(m -> seen.merge(m.name(), 1, Integer::sum));
        }
        var expected = new TreeSet<String>();
        for (House.Module module : House.MODULES) {
            if (!module.name().equals("architecture-tests")) {
                expected.add(module.name());
            }
        }
        assertThat(seen.keySet()).isEqualTo(expected);
        assertThat(SHIPPED.size()).as("classes in all: %s", seen).isGreaterThan(200);
    }

    /** Each bad class breaks its rule, and the message names it. */
    @ParameterizedTest
    @CsvSource({
        "directions, nn.KnowsServing",
        "directions, models.BringsLibrary",
        "directions, server.SpeaksHelidon",
        "directions, http.FetchesByItself",
        "directions, elsewhere.Homeless",
        "cycles, formats.Ping",
        "names, nn.WeightManager",
        "statics, nn.Counter",
        "mutable constants, nn.Cache",
        "error types, launch.Oops",
        "untyped errors, launch.ThrowsAnything",
        "process, serving.Prints",
        "process, serving.Quits",
        "threads, models.StartsThreads",
        "restricted calls, tensor.CallsNative",
    })
    void ruleFailsOnBadBuilding(String rule, String sample) {
        ArchRule broken = Objects.requireNonNull(HouseRules.of(DIRTY).get(rule), rule);
        assertThatThrownBy(() -> broken.check(SAMPLES))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining(DIRTY.root() + "." + sample);
    }
}
