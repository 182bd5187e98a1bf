package dev.flagship.tokenizers;

import java.util.Random;

/**
 * The seed of a random test: {@code -Dtests.seed=} a number, or a new one each time. Tests name it
 * when they fail.
 */
final class Seeds {
    private Seeds() {}

    static long seed() {
        String given = System.getProperty("tests.seed", "random");
        return given.equals("random") ? new Random().nextLong() : Long.parseLong(given);
    }
}
