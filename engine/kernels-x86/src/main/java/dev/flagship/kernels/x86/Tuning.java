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
 * @param unpackRows rows of x from which tiles read unpacked weights instead of the matrix
 * @param shortGroup bands that one row of x meets together where a band is short: 1, 2 or 4, as
 *     many streams through memory that each begin anew with the next group
 */
record Tuning(int prefetch, int unpackRows, int shortGroup) {
    private static final String HEAD = "flagship-tuning-3";

    /** Bytes of a short band's numbers, at most. */
    private static final int SHORT_BAND = 16_384;

    Tuning {
        check(prefetch >= 0 && prefetch <= 65_536, "prefetch %s is not in [0, 65536]", prefetch);
        check(unpackRows >= 2, "unpackRows %s is below 2", unpackRows);
        check(
                shortGroup == 1 || shortGroup == 2 || shortGroup == KernelLibrary.ROW_BANDS,
                "shortGroup %s is not 1, 2 or 4",
                shortGroup);
    }

    /** The best on the processors that the kernels were made on. */
    static Tuning usual(Isa isa) {
        return new Tuning(KernelLibrary.PREFETCH, isa.wide() ? 48 : 64, KernelLibrary.ROW_BANDS);
    }

    Tuning withPrefetch(int bytes) {
        return new Tuning(bytes, unpackRows, shortGroup);
    }

    Tuning withUnpackRows(int rows) {
        return new Tuning(prefetch, rows, shortGroup);
    }

    Tuning withShortGroup(int bands) {
        return new Tuning(prefetch, unpackRows, bands);
    }

    /**
     * Bands of the largest group for one row of x.
     *
     * @param bandBytes of a band's numbers
     */
    int rowGroup(long bandBytes) {
        return bandBytes <= SHORT_BAND ? shortGroup : KernelLibrary.ROW_BANDS;
    }

    /** As {@link #parse} reads it: one line, with a checksum. */
    String text() {
        String body = "%s %d %d %d".formatted(HEAD, prefetch, unpackRows, shortGroup);
        return body + " " + checksum(body) + "\n";
    }

    /** Empty if the text was not written by {@link #text}. */
    static Optional<Tuning> parse(String text) {
        String[] words = text.strip().split(" ", -1);
        if (words.length != 5) {
            return Optional.empty();
        }
        try {
            Tuning tuning =
                    new Tuning(
                            Integer.parseInt(words[1]),
                            Integer.parseInt(words[2]),
                            Integer.parseInt(words[3]));
            return tuning.text().equals(text) ? Optional.of(tuning) : Optional.empty();
        } catch (RuntimeException e) { // no number, or one that cannot be
            return Optional.empty();
        }
    }

    private static String checksum(String body) {
        CRC32C crc = new CRC32C();
        crc.update(body.getBytes(StandardCharsets.US_ASCII));
        return HexFormat.of().toHexDigits((int) crc.getValue());
    }
}
