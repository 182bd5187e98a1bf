package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;

import dev.flagship.kernels.x86.ProductKernel.Source;
import dev.flagship.tensor.DType;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.zip.CRC32C;

/**
 * What of the products may be chosen by time, since it cannot change a bit. Prefetch distances and
 * tiles are assembled into kernels; the rest says how to use them.
 *
 * @param prefetch distance in bytes at which weights are asked for ahead
 * @param far the same where several rows of x meet single bands, whose lines must be on their way
 *     all the time: into the second-level cache
 * @param unpackRows rows of x from which tiles read unpacked weights instead of the matrix
 * @param shortGroup bands that one row of x meets together where a band is short: 1, 2 or 4, as
 *     many streams through memory that each begin anew with the next group
 * @param inPlace the tile of int8 products that read the matrix, of {@link Tile#inPlace}
 * @param unpacked the tile of those that read unpacked weights, of {@link Tile#unpacked}
 * @param floats the tile of products with F32 activations, of {@link Tile#floats}
 */
record Tuning(
        int prefetch,
        int far,
        int unpackRows,
        int shortGroup,
        Tile inPlace,
        Tile unpacked,
        Tile floats) {
    private static final String HEAD = "flagship-tuning-4";

    /** Far enough to hide the latency of memory, near enough to stay in L1. */
    private static final int USUAL_PREFETCH = 3072;

    private static final int USUAL_FAR = 8192;

    /** Bytes of a short band's numbers, at most. */
    private static final int SHORT_BAND = 16_384;

    Tuning {
        check(distance(prefetch), "prefetch %s is not in [0, 65536]", prefetch);
        check(distance(far), "far %s is not in [0, 65536]", far);
        check(unpackRows >= 2, "unpackRows %s is below 2", unpackRows);
        check(
                shortGroup == 1 || shortGroup == 2 || shortGroup == KernelLibrary.ROW_BANDS,
                "shortGroup %s is not 1, 2 or 4",
                shortGroup);
    }

    private static boolean distance(int bytes) {
        return bytes >= 0 && bytes <= 65_536;
    }

    /** The best on the processors that the kernels were made on. */
    static Tuning usual(Isa isa) {
        return new Tuning(
                USUAL_PREFETCH,
                USUAL_FAR,
                isa.wide() ? 48 : 64,
                KernelLibrary.ROW_BANDS,
                Tile.inPlace(isa).getFirst(),
                Tile.unpacked(isa).getFirst(),
                Tile.floats(isa).getFirst());
    }

    Tuning withPrefetch(int bytes) {
        return new Tuning(bytes, far, unpackRows, shortGroup, inPlace, unpacked, floats);
    }

    Tuning withFar(int bytes) {
        return new Tuning(prefetch, bytes, unpackRows, shortGroup, inPlace, unpacked, floats);
    }

    Tuning withUnpackRows(int rows) {
        return new Tuning(prefetch, far, rows, shortGroup, inPlace, unpacked, floats);
    }

    Tuning withShortGroup(int bands) {
        return new Tuning(prefetch, far, unpackRows, bands, inPlace, unpacked, floats);
    }

    Tuning withInPlace(Tile tile) {
        return new Tuning(prefetch, far, unpackRows, shortGroup, tile, unpacked, floats);
    }

    Tuning withUnpacked(Tile tile) {
        return new Tuning(prefetch, far, unpackRows, shortGroup, inPlace, tile, floats);
    }

    Tuning withFloats(Tile tile) {
        return new Tuning(prefetch, far, unpackRows, shortGroup, inPlace, unpacked, tile);
    }

    /** Whether kernels assembled for the other serve this one, too. */
    boolean sharesKernels(Tuning other) {
        return withUnpackRows(other.unpackRows).withShortGroup(other.shortGroup).equals(other);
    }

    /**
     * Bands of the largest group for one row of x.
     *
     * @param bandBytes of a band's numbers
     */
    int rowGroup(long bandBytes) {
        return bandBytes <= SHORT_BAND ? shortGroup : KernelLibrary.ROW_BANDS;
    }

    /** The tile where rows of x are many enough for it. */
    private Tile tile(Isa isa, DType type, Source source) {
        if (NarrowTile.signed(isa, type)) {
            return Tile.SIGNED;
        }
        return source == Source.MATRIX ? inPlace : unpacked;
    }

    /**
     * Tiles of several rows of x for groups of 1, 2, 4… bands. Where {@link HalfSums} are read, all
     * have as many columns, but where a tile holds all rows.
     */
    List<Tile> tiles(Isa isa, DType type, Source source) {
        boolean matrix = source == Source.MATRIX;
        Tile largest = tile(isa, type, source);
        List<Tile> tiles =
                new ArrayList<>(
                        ProductKernel.halved(type)
                                ? largest.halves()
                                : largest.groups(matrix ? Tile.inPlace(isa) : Tile.unpacked(isa)));
        if (matrix && isa.wide() && largest.bands() < Tile.SHORT.bands()) {
            tiles.add(Tile.SHORT);
        }
        return Collections.unmodifiableList(tiles);
    }

    /** The tile for several rows of x, with the largest group of bands; smaller ones halve it. */
    Tile tile(Isa isa, DType type, int rows, Source source) {
        boolean few = source == Source.MATRIX && isa.wide() && rows <= Tile.SHORT.columns();
        return few ? Tile.SHORT : tile(isa, type, source);
    }

    /** As {@link #parse} reads it: one line, with a checksum. */
    String text() {
        String body =
                "%s %d %d %d %d %s %s %s"
                        .formatted(
                                HEAD,
                                prefetch,
                                far,
                                unpackRows,
                                shortGroup,
                                inPlace,
                                unpacked,
                                floats);
        return body + " " + checksum(body) + "\n";
    }

    /** Empty if the text was not written by {@link #text}, or for another instruction set. */
    static Optional<Tuning> parse(Isa isa, String text) {
        String[] words = text.strip().split(" ", -1);
        if (words.length != 9) {
            return Optional.empty();
        }
        try {
            Tuning tuning =
                    new Tuning(
                            Integer.parseInt(words[1]),
                            Integer.parseInt(words[2]),
                            Integer.parseInt(words[3]),
                            Integer.parseInt(words[4]),
                            Tile.parse(words[5], Tile.inPlace(isa)),
                            Tile.parse(words[6], Tile.unpacked(isa)),
                            Tile.parse(words[7], Tile.floats(isa)));
            return tuning.text().equals(text) ? Optional.of(tuning) : Optional.empty();
        } catch (RuntimeException e) { // no number, or what cannot be
            return Optional.empty();
        }
    }

    private static String checksum(String body) {
        CRC32C crc = new CRC32C();
        crc.update(body.getBytes(StandardCharsets.US_ASCII));
        return HexFormat.of().toHexDigits((int) crc.getValue());
    }
}
