package dev.flagship.tensor;

/**
 * One kind of arithmetic on registers and nothing else, enough of it in flight to hide its latency:
 * what products are measured against. Safe for use from several threads at once, until it is
 * closed.
 */
public interface PeakLoop extends AutoCloseable {

    /** What is multiplied with what. */
    enum Kind {
        /** F32 by F32, summed in F32. */
        FP32("FP32"),
        /** BF16 by BF16, summed in F32. */
        BF16("BF16"),
        /** 8-bit weights by int8, summed in 32 bits, and never saturated. */
        INT8("int8"),
        /**
         * 4-bit weights by int8, summed in 32 bits: only where other instructions than those of
         * {@link #INT8} do it.
         */
        INT4("4-bit");

        private final String title;

        Kind(String title) {
            this.title = title;
        }

        /** For people. */
        @Override
        public String toString() {
            return title;
        }
    }

    Kind kind();

    /** What one product takes, for people: {@code vfmadd231ps, 256 bits}. */
    String instructions();

    /** Multiplications and additions of one round; a fused multiply-add counts as two. */
    long operations();

    /**
     * Runs on the calling thread.
     *
     * @param rounds positive
     */
    void run(int rounds);

    /** Nobody may be in it or run it afterwards. */
    @Override
    void close();
}
