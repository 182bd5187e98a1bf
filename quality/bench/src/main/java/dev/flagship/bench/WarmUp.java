package dev.flagship.bench;

/**
 * Readings that do not count, until a contender is as fast as it becomes.
 *
 * @param readings how many there were
 * @param tokensPerSecond the best of them
 */
record WarmUp(int readings, double tokensPerSecond) {
    /** Warm is what three readings in a row did not improve by more than this. */
    private static final double WARM = 0.02;

    private static final int UNIMPROVED = 3;
    private static final int MOST = 12;

    /** It ends after this long: a busy machine never settles, and of slow work few must do. */
    private static final double MOST_SECONDS = 20;

    /** When it ends, for people. */
    static String rule() {
        return "for each figure until %d in a row were no better by %.0f %% or %.0f s had passed"
                .formatted(UNIMPROVED, 100 * WARM, MOST_SECONDS);
    }

    /** By that rule; one of the readings is planned already. */
    static WarmUp of(Outlook outlook, String what, Contender contender, Figure figure) {
        long started = System.nanoTime();
        double best = 0;
        int unimproved = 0;
        int readings = 0;
        while (unimproved < UNIMPROVED
                && readings < MOST
                && System.nanoTime() - started < MOST_SECONDS * 1e9) {
            if (readings > 0) {
                outlook.plan(what, 1);
            }
            double speed = speed(outlook, what, contender, figure);
            unimproved = speed > best * (1 + WARM) ? 0 : unimproved + 1;
            best = Math.max(best, speed);
            readings++;
        }
        return new WarmUp(readings, best);
    }

    /** One reading, for what is warm at once. */
    static WarmUp once(Outlook outlook, String what, Contender contender, Figure figure) {
        return new WarmUp(1, speed(outlook, what, contender, figure));
    }

    private static double speed(Outlook outlook, String what, Contender contender, Figure figure) {
        return outlook.read("Warm-up", what, () -> contender.read(figure)).tokensPerSecond();
    }
}
