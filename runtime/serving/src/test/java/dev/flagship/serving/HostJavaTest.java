package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class HostJavaTest {
    private static final String ON = "-XX:+UseCompactObjectHeaders";
    private static final String OFF = "-XX:-UseCompactObjectHeaders";
    private static final Path MODEL = Path.of("m.gguf");

    private static Runtime.Version java(String version) {
        return Runtime.Version.parse(version);
    }

    @Test
    void versionsThatMoveObjectsUnderNativeCodeAreFlawed() {
        for (String old : List.of("25", "25.0.2+10", "25.0.2")) {
            assertThat(HostJava.flaw(java(old)).orElseThrow())
                    .contains("older than 25.0.3", "JDK-8377811");
        }
        for (String good : List.of("25.0.3", "25.0.3+9-LTS", "25.0.4", "26", "27-ea")) {
            assertThat(HostJava.flaw(java(good))).isEmpty();
        }
    }

    @Test
    void compactHeadersAreAFlawWhereTheyWereAskedForLast() {
        assertThat(HostJava.flaw(List.of("-Xmx1g", ON)).orElseThrow())
                .contains(ON, "corrupts memory", "JDK-8380060");
        assertThat(HostJava.flaw(List.of(OFF, ON))).isPresent();
        assertThat(HostJava.flaw(List.of(ON, OFF))).isEmpty();
        assertThat(HostJava.flaw(List.of("-Xmx1g", "-Dx=" + ON))).isEmpty();
        assertThat(HostJava.flaw(HostJava.flags())).isEmpty();
    }

    @Test
    void aFlawedJavaLoadsNoModelAndSaysWhatToDo() {
        HostJava.check(MODEL);
        HostJava.check(MODEL, java("25.0.3"), List.of(OFF));
        assertThatThrownBy(() -> HostJava.check(MODEL, java("25.0.2"), List.of()))
                .isInstanceOf(LoadException.class)
                .hasMessageContaining("Cannot load m.gguf: Java 25.0.2 is older")
                .hasMessageEndingWith("Install a newer one.");
        assertThatThrownBy(() -> HostJava.check(MODEL, java("25.0.3"), List.of(ON)))
                .isInstanceOf(LoadException.class)
                .hasMessageContaining(ON)
                .hasMessageContaining("Take it out of FLAGSHIP_JAVA_OPTS");
    }
}
