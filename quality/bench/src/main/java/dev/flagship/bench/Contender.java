package dev.flagship.bench;

/** One side of a comparison. */
interface Contender {

    /** Does the figure's work for the workload's time. */
    Reading read(Figure figure);

    /**
     * What was seen.
     *
     * @param tokensPerSecond the figure
     * @param productGflops 10⁹ operations a second within matrix products; 0 if not known
     * @param productShare share of the time that products took; 0 if not known
     * @param weightGbps 10⁹ bytes of weights read a second; 0 if not known
     * @param seconds that it took; 0 if not known
     */
    record Reading(
            double tokensPerSecond,
            double productGflops,
            double productShare,
            double weightGbps,
            double seconds) {

        /** Multiplications and additions of products for one token; 0 if not known. */
        double operationsPerToken() {
            return 1e9 * productGflops * productShare / tokensPerSecond;
        }

        /** Weights read for one token; 0 if not known. */
        double weightBytesPerToken() {
            return 1e9 * weightGbps / tokensPerSecond;
        }

        static Reading speedOnly(double tokensPerSecond) {
            return new Reading(tokensPerSecond, 0, 0, 0, 0);
        }
    }
}
