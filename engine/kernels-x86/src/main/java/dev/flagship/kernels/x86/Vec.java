package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;

/** A vector register. */
sealed interface Vec extends Operand, Dest permits Xmm, Ymm, Zmm {

    /** Length of the register. */
    int bits();

    /** This register with only the lanes of k written; the others keep what they hold. */
    default Masked merging(KMask k) {
        return new Masked(this, k, false);
    }

    /** This register with only the lanes of k written; the others become zero. */
    default Masked zeroing(KMask k) {
        return new Masked(this, k, true);
    }

    private static void checked(int number) {
        check(number >= 0 && number < 32, "vector register %s; there are 32", number);
    }

    static Xmm xmm(int number) {
        checked(number);
        return new Xmm(number);
    }

    static Ymm ymm(int number) {
        checked(number);
        return new Ymm(number);
    }

    static Zmm zmm(int number) {
        checked(number);
        return new Zmm(number);
    }
}
