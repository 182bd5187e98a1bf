package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "a process is ended there without its hooks")
class InterruptedPackingTest {
    @TempDir Path temp;

    /** Packs a model, and stops in the midst of it. */
    static final class Packing {
        private Packing() {}

        public static void main(String[] words) throws IOException {
            var listener =
                    new LoadListener() {
                        @Override
                        public void progress(String stage, long done, long total) {
                            if (stage.startsWith("Packing") && done > 0) {
                                System.out.println(stage);
                                while (true) {
                                    try {
                                        Thread.sleep(60_000);
                                    } catch (InterruptedException e) {
                                        throw new IllegalStateException(e);
                                    }
                                }
                            }
                        }

                        @Override
                        public void warning(String message) {}
                    };
            var options =
                    LoadOptions.of("tiny")
                            .withKernels("scalar")
                            .withThreads(1)
                            .withPackedFolder(Path.of(words[1]));
            LoadedModel.load(Path.of(words[0]), options, listener).close();
        }
    }

    /** As a terminal does at Ctrl-C, but for the signal's name: some shells have SIGINT ignored. */
    @Test
    void leavesNoPartBehindWhenTheProcessIsToldToEnd() throws Exception {
        Path packed = temp.resolve("packed");
        Process process =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "-XX:TieredStopAtLevel=1",
                                "-cp",
                                System.getProperty("java.class.path"),
                                Packing.class.getName(),
                                TinyModels.roomy(temp).toString(),
                                packed.toString())
                        .redirectError(ProcessBuilder.Redirect.DISCARD)
                        .start();
        try {
            assertThat(process.inputReader().readLine()).startsWith("Packing weights once");
            assertThat(parts(packed)).hasSize(1);
            process.destroy();
            assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
            assertThat(parts(packed)).isEmpty();
        } finally {
            process.destroyForcibly();
        }
    }

    private static List<Path> parts(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(".part")).toList();
        }
    }
}
