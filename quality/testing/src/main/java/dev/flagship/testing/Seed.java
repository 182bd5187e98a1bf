package dev.flagship.testing;

import java.util.Random;

/** Where a test's random numbers begin. Failures name it, so that they can be replayed. */
public record Seed(long value) {

    /** The one given by {@code -Dtests.seed=}, or a new one. */
    public static Seed given() {
        String given = System.getProperty("tests.seed", "random");
        return new Seed(given.equals("random") ? new Random().nextInt() : Long.parseLong(given));
    }

    /** A fresh sequence of random numbers; each call starts from the beginning. */
    public Random random() {
        return new Random(value);
    }

    @Override
    public String toString() {
        return "-Dtests.seed=" + value;
    }
}
