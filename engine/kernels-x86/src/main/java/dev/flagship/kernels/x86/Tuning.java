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
 */
record Tuning(int prefetch, int unpackRows) {
    private static final String HEAD = "flagship-tuning-2";

    Tuning {
        check(prefetch >= 0 && prefetch <= 65_536, "prefetch %s is not in [0, 65536]", prefetch);
        check(unpackRows >= 2, "unpackRows %s is below 2", unpackRows);
    }

    /** The best on the processors that the kernels were made on. */
    static Tuning usual(Isa isa) {
        return new Tuning(KernelLibrary.PREFETCH, isa.wide() ? 48 : 64);
    }

    Tuning withPrefetch(int bytes) {
        return new Tuning(bytes, unpackRows);
    }

    /** As {@link #parse} reads it: one line, with a checksum. */
    String text() {
        String body = "%s %d %d".formatted(HEAD, prefetch, unpackRows);
        return body + " " + checksum(body) + "\n";
    }

    /** Empty if the text was not written by {@link #text}. */
    static Optional<Tuning> parse(String text) {
        String[] words = text.strip().split(" ", -1);
        if (words.length != 4) {
            return Optional.empty();
        }
        try {
            Tuning tuning = new Tuning(Integer.parseInt(words[1]), Integer.parseInt(words[2]));
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
