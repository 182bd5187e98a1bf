package dev.flagship.tensor;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Objects;

/**
 * The groups of numbers that a type of fewer than four bits chooses from, and names instead of
 * storing them. They are part of ggml's file format (ggml-common.h, the tables called grids); a
 * resource has them as {@code tools/codebooks/codebooks.py} takes them from the {@code gguf}
 * package (MIT; see NOTICE).
 *
 * <p>The resource holds 2 bytes a name, little-endian, of eight numbers of two bits or four of
 * three, the first lowest; the books of IQ2_XXS, IQ2_XS, IQ2_S, IQ1_S, IQ3_XXS and IQ3_S follow one
 * another.
 */
final class Codebook {
    private static final String RESOURCE = "codebooks.bin";

    private static final byte[] ALL = read();
    private static final Codebook IQ2_XXS = eights(0, 256);
    private static final Codebook IQ2_XS = eights(256, 512);
    private static final Codebook IQ2_S = eights(768, 1024);
    private static final Codebook IQ1_S = eights(1792, 2048);
    private static final Codebook IQ3_XXS = fours(3840, 256);
    private static final Codebook IQ3_S = fours(4096, 512);

    private final int[] fours;

    private Codebook(int[] fours) {
        this.fours = fours;
    }

    /** The book of a type with {@link DType#named}. */
    static Codebook of(DType type) {
        return switch (type) {
            case IQ2_XXS -> IQ2_XXS;
            case IQ2_XS -> IQ2_XS;
            case IQ2_S -> IQ2_S;
            case IQ1_S, IQ1_M -> IQ1_S;
            case IQ3_XXS -> IQ3_XXS;
            case IQ3_S -> IQ3_S;
            default -> throw new IllegalStateException(type + " has no codebook");
        };
    }

    /**
     * Four numbers, a byte each, without their signs: see {@link DType#level}.
     *
     * @param index a name, or for groups of eight twice a name and one more for the second half
     */
    int four(int index) {
        return fours[index];
    }

    private static byte[] read() {
        try (InputStream in = Codebook.class.getResourceAsStream(RESOURCE)) {
            return Objects.requireNonNull(in, "the module holds its codebooks").readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Codebook eights(int from, int names) {
        int[] fours = new int[2 * names];
        for (int i = 0; i < fours.length; i++) {
            fours[i] = spread(entry(from + i / 2) >>> i % 2 * 8, 2);
        }
        return new Codebook(fours);
    }

    private static Codebook fours(int from, int names) {
        int[] fours = new int[names];
        for (int i = 0; i < names; i++) {
            fours[i] = spread(entry(from + i), 3);
        }
        return new Codebook(fours);
    }

    private static int entry(int index) {
        return ALL[2 * index] & 0xFF | (ALL[2 * index + 1] & 0xFF) << 8;
    }

    private static int spread(int packed, int bits) {
        int four = 0;
        for (int i = 0; i < 4; i++) {
            four |= (packed >>> i * bits & (1 << bits) - 1) << 8 * i;
        }
        return four;
    }
}
