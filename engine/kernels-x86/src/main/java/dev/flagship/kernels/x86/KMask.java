package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;

/** A mask register, one bit a lane. k0 as a mask of an instruction means no mask. */
record KMask(int number) implements Operand, Dest {
    KMask {
        check(number >= 0 && number < 8, "mask register %s; there are 8", number);
    }

    @Override
    public String toString() {
        return "k" + number;
    }
}
