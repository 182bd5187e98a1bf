package dev.flagship.bench;

/** A speed that is compared, in tokens a second. */
enum Figure {
    PREFILL,
    DECODE_SHORT,
    DECODE_LONG,
    /** Several sequences in one step, their tokens together. */
    DECODE_MANY
}
