package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Optional;
import java.util.zip.CRC32C;

/**
 * What of the products may be chosen by time, since it cannot change a bit.
 *
 * @param prefetch distance in bytes at which weights are asked for ahead
 * @param unpackRows rows of x from which unpacking the weights pays
 * @param rowBands bands that one row of x meets at once: 1, 2 or 4
 * @param tileBands bands of a tile for several rows of x: 1 (with 12 columns) or 2 (with 6)
 */
record Tuning(int prefetch, int unpackRows, int rowBands, int tileBands) {
    /** The best on the processors that the kernels were made on. */
    static final Tuning DEFAULT = new Tuning(KernelLibrary.PREFETCH, 16, 4, 2);

    private static final String HEAD = "flagship tuning 1";

    Tuning {
        check(prefetch >= 0 && prefetch <= 65_536, "prefetch %s is not in [0, 65536]", prefetch);
        check(unpackRows >= 2, "unpackRows %s is below 2", unpackRows);
        check(
                rowBands == 1 || rowBands == 2 || rowBands == 4,
                "rowBands %s is none of 1, 2, 4",
                rowBands);
        check(tileBands == 1 || tileBands == 2, "tileBands %s is neither 1 nor 2", tileBands);
    }

    Tuning withPrefetch(int bytes) {
        return new Tuning(bytes, unpackRows, rowBands, tileBands);
    }

    Tuning withUnpackRows(int rows) {
        return new Tuning(prefetch, rows, rowBands, tileBands);
    }

    Tuning withRowBands(int bands) {
        return new Tuning(prefetch, unpackRows, bands, tileBands);
    }

    Tuning withTileBands(int bands) {
        return new Tuning(prefetch, unpackRows, rowBands, bands);
    }

    /** Bands of the largest group for so many rows of x; smaller ones halve it. */
    int group(int rows) {
        return rows == 1 ? rowBands : tileBands;
    }

    /** As {@link #parse} reads it: one line, with a checksum. */
    String text() {
        String body = "%s %d %d %d %d".formatted(HEAD, prefetch, unpackRows, rowBands, tileBands);
        return body + " " + checksum(body) + "\n";
    }

    /** Empty if the text was not written by {@link #text}. */
    static Optional<Tuning> parse(String text) {
        String[] words = text.strip().split(" ");
        if (words.length != 8) {
            return Optional.empty();
        }
        try {
            var tuning =
                    new Tuning(
                            Integer.parseInt(words[3]),
                            Integer.parseInt(words[4]),
                            Integer.parseInt(words[5]),
                            Integer.parseInt(words[6]));
            return tuning.text().equals(text) ? Optional.of(tuning) : Optional.empty();
        } catch (RuntimeException e) { // no number, or one that cannot be
            return Optional.empty();
        }
    }

    private static String checksum(String body) {
        var crc = new CRC32C();
        crc.update(body.getBytes(StandardCharsets.US_ASCII));
        return HexFormat.of().toHexDigits((int) crc.getValue());
    }
}
