package dev.flagship.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.hostile.Format;
import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** A short search in every parser, and all models that once broke a promise. */
class FuzzTest {
    /** For each parser; {@code ./flagship fuzz} searches longer. */
    private static final long MILLIS = Long.getLong("tests.fuzz.millis", 3_000);

    @TempDir Path folder;

    @ParameterizedTest
    @EnumSource(Format.class)
    void noDamageBreaksAPromise(Format format) throws InterruptedException {
        String given = System.getProperty("tests.seed", "random");
        long seed = given.equals("random") ? new Random().nextInt() : Long.parseLong(given);
        Fuzzer.Result result = new Fuzzer(format, folder).search(seed, Duration.ofMillis(MILLIS));
        result.failure()
                .ifPresent(failure -> {
                    throw new AssertionError(failure.replay(format), failure.cause());
                });
        // Both must occur, else the damage is too mild or too wild to find anything.
        assertThat(result.opened()).as("opened, -Dtests.seed=%d", seed).isPositive();
        assertThat(result.refused()).as("refused, -Dtests.seed=%d", seed).isPositive();
    }

    @Test
    void aSeedDecidesARound() throws InterruptedException, IOException {
        for (int i = 0; i < 2; i++) {
            Path own = Files.createDirectory(folder.resolve("run" + i));
            new Fuzzer(Format.TOKENIZER_JSON, own).search(42, Duration.ZERO);
        }
        try (Stream<Path> files = Files.list(folder.resolve("run0"))) {
            for (Path file : (Iterable<Path>) files::iterator) {
                assertThat(folder.resolve("run1").resolve(file.getFileName()))
                        .hasSameBinaryContentAs(file);
            }
        }
    }

    /** Folders below {@code crashes/}, each a whole model. */
    static Stream<Path> crashes() throws IOException, URISyntaxException {
        URL crashes = Objects.requireNonNull(FuzzTest.class.getResource("crashes"));
        List<Path> models = new ArrayList<>();
        try (Stream<Path> folders = Files.list(Path.of(crashes.toURI()))) {
            folders.filter(Files::isDirectory).sorted().forEach(models::add);
        }
        assertThat(models).isNotEmpty();
        return models.stream();
    }

    @ParameterizedTest
    @MethodSource("crashes")
    void whatOnceBrokeAPromiseBreaksNoneNow(Path model) throws IOException {
        long bytes = 0;
        try (Stream<Path> files = Files.list(model)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                bytes += Files.size(file);
            }
        }
        Reading.of(model, bytes);
    }
}
