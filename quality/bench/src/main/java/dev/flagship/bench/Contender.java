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
     */
    record Reading(
            double tokensPerSecond, double productGflops, double productShare, double weightGbps) {

        static Reading speedOnly(double tokensPerSecond) {
            return new Reading(tokensPerSecond, 0, 0, 0);
        }
    }
}
