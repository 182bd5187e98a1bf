package dev.flagship.base;

import java.util.Locale;

/** Byte counts for people. */
public final class Bytes {
    private Bytes() {}

    /** {@code 98362432} becomes {@code 93.8 MiB}; counts below 1 KiB stay exact. */
    public static String human(long bytes) {
        if (Math.abs(bytes) < 1024) {
            return bytes + " B";
        }
        double value = bytes;
        String[] units = {"KiB", "MiB", "GiB", "TiB"};
        int unit = -1;
        while (Math.abs(value) >= 1024 && unit < units.length - 1) {
            value /= 1024;
            unit++;
        }
        return String.format(Locale.ROOT, "%.1f %s", value, units[unit]);
    }
}
