package dev.flagship.kernels.x86;

/** When a jump is taken, after a comparison of unsigned or equal numbers. */
enum Condition {
    BELOW(2),
    AT_LEAST(3),
    EQUAL(4),
    NOT_EQUAL(5),
    ABOVE(7);

    /** Low four bits of the opcode. */
    final int code;

    Condition(int code) {
        this.code = code;
    }
}
