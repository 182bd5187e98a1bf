package dev.flagship.formats;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Damage without a plan: whatever happens to a file, it opens or gives a {@link FormatException},
 * and leaves nothing open.
 */
class DamagedFilesTest {
    /** For each format; {@code -Dtests.fuzz.millis=} makes a longer search. */
    private static final long FUZZ_MILLIS = Long.getLong("tests.fuzz.millis", 1_500);

    @TempDir Path folder;

    @BeforeEach
    void loadClasses() throws IOException {
        OpenedModels.loadClasses(folder);
    }

    private Path write(byte[] bytes) throws IOException {
        return Files.write(folder.resolve("damaged"), bytes);
    }

    @Test
    void refusesEveryTruncation() throws IOException {
        for (byte[] valid :
                new byte[][] {
                    TinyModels.gguf(2),
                    TinyModels.gguf(3),
                    TinyModels.safetensors(),
                    TinyModels.archive(),
                    TinyModels.stream()
                }) {
            for (int length = 0; length < valid.length; length++) {
                assertThat(OpenedModels.readAll(write(Arrays.copyOf(valid, length))))
                        .as("first %d bytes", length)
                        .isNotNull();
            }
        }
    }

    @Test
    void survivesRandomDamageToGguf() throws IOException {
        fuzz(TinyModels.gguf(3));
    }

    @Test
    void survivesRandomDamageToSafetensors() throws IOException {
        fuzz(TinyModels.safetensors());
    }

    @Test
    void survivesRandomDamageToPyTorchsArchive() throws IOException {
        fuzz(TinyModels.archive());
    }

    @Test
    void survivesRandomDamageToPyTorchsStream() throws IOException {
        fuzz(TinyModels.stream());
    }

    private void fuzz(byte[] valid) throws IOException {
        String property = System.getProperty("tests.seed", "random");
        long seed = property.equals("random") ? new Random().nextLong() : Long.parseLong(property);
        SplittableRandom random = new SplittableRandom(seed);
        long end = System.nanoTime() + FUZZ_MILLIS * 1_000_000;
        int opened = 0;
        int refused = 0;
        for (int round = 0; System.nanoTime() < end; round++) {
            byte[] damaged = valid;
            for (int i = random.nextInt(1, 4); i > 0; i--) {
                damaged = damage(damaged, random);
            }
            try {
                if (OpenedModels.readAll(write(damaged)) == null) {
                    opened++;
                } else {
                    refused++;
                }
            } catch (Throwable e) {
                throw new AssertionError(
                        "round %d of -Dtests.seed=%d: %s".formatted(round, seed, e), e);
            }
        }
        // Both outcomes must occur, else the damage is too mild or too wild to test anything.
        assertThat(opened).as("opened, -Dtests.seed=%d", seed).isPositive();
        assertThat(refused).as("refused, -Dtests.seed=%d", seed).isPositive();
    }

    private static byte[] damage(byte[] bytes, SplittableRandom random) {
        int at = random.nextInt(bytes.length);
        byte[] copy = bytes.clone();
        switch (random.nextInt(5)) {
            case 0 -> copy[at] ^= (byte) (1 << random.nextInt(8));
            case 1 -> copy[at] = (byte) random.nextInt(256);
            case 2 ->
                    Arrays.fill(
                            copy,
                            at,
                            Math.min(copy.length, at + 8),
                            (byte) (random.nextBoolean() ? 0xFF : 0));
            case 3 -> {
                int count = random.nextInt(1, 16);
                byte[] longer = Arrays.copyOf(bytes, bytes.length + count);
                System.arraycopy(bytes, at, longer, at + count, bytes.length - at);
                return longer;
            }
            default -> {
                int count = Math.min(random.nextInt(1, 16), bytes.length - at);
                byte[] shorter = Arrays.copyOf(bytes, Math.max(1, bytes.length - count));
                System.arraycopy(
                        bytes,
                        at + count,
                        shorter,
                        Math.min(at, shorter.length),
                        Math.max(0, Math.min(bytes.length - at - count, shorter.length - at)));
                return shorter;
            }
        }
        return copy;
    }
}
