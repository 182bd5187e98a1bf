package dev.flagship.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Without the default model; with it, .ci/run has the launcher make and use a cache. */
class RehearsalTest {
    @TempDir Path home;

    @Test
    void withoutTheDefaultModelItFetchesNoneAndSaysThatItIsWorthAnotherTry() {
        var environment = Map.of("FLAGSHIP_HOME", home.toString(), "FLAGSHIP_HUB", "no URL");
        assertThat(Rehearsal.run(environment)).isEqualTo(Rehearsal.NO_MODEL);
        assertThat(home).isEmptyDirectory();
    }
}
