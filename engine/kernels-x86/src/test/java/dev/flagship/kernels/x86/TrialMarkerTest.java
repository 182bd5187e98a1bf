package dev.flagship.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrialMarkerTest {
    private static final String VARIANT = "avx512-v1-abc";

    @TempDir private Path folder = Path.of("");

    @Test
    void standsWhileTheTrialRunsAndNoLonger() throws IOException {
        Path markers = folder.resolve("new/kernels");
        try (TrialMarker _ = TrialMarker.write(markers, VARIANT)) {
            assertThat(markers).isDirectoryContaining("glob:**/trying-avx512-v1-abc-*");
        }
        assertThat(markers).isEmptyDirectory();
    }

    @Test
    void aLivingProcessBarsNothing() {
        try (TrialMarker _ = TrialMarker.write(folder, VARIANT)) {
            assertThat(TrialMarker.leftBehind(folder, VARIANT)).isEmpty();
        }
    }

    @Test
    void aDeadProcessBarsItsVariantAndNoOther() throws IOException {
        Path marker = Files.createFile(folder.resolve("trying-avx512-v1-abc-999999999"));
        assertThat(TrialMarker.leftBehind(folder, VARIANT)).contains(marker);
        assertThat(TrialMarker.leftBehind(folder, "avx512-v2-abc")).isEmpty();
        assertThat(TrialMarker.leftBehind(folder, "avx512-v1-ab")).isEmpty();
    }

    @Test
    void aProcessThatOnlyHasTheNumberOfTheDeadOneIsNotIt() throws IOException {
        Path marker = folder.resolve("trying-avx512-v1-abc-" + ProcessHandle.current().pid());
        Files.writeString(marker, "1999-01-01T00:00:00Z");
        assertThat(TrialMarker.leftBehind(folder, VARIANT)).contains(marker);
    }

    @Test
    void aNameThatNobodyWritesBarsToo() throws IOException {
        Path marker = Files.createFile(folder.resolve("trying-avx512-v1-abc-x"));
        assertThat(TrialMarker.leftBehind(folder, VARIANT)).contains(marker);
    }

    @Test
    void aFolderThatCannotBeMadeIsNoObstacle() throws IOException {
        Path file = Files.createFile(folder.resolve("file"));
        try (TrialMarker _ = TrialMarker.write(file.resolve("kernels"), VARIANT)) {
            assertThat(TrialMarker.leftBehind(file.resolve("kernels"), VARIANT)).isEmpty();
        }
        assertThat(file).isEmptyFile();
    }

    @Test
    void standsBesideTheModelStore() {
        assertThat(TrialMarker.defaultFolder(Map.of("FLAGSHIP_HOME", "/a", "XDG_DATA_HOME", "/b")))
                .isEqualTo(Path.of("/a/kernels"));
        assertThat(TrialMarker.defaultFolder(Map.of("XDG_DATA_HOME", "/b")))
                .isEqualTo(Path.of("/b/flagship/kernels"));
        assertThat(TrialMarker.defaultFolder(Map.of()).toString()).endsWith(".flagship/kernels");
    }
}
