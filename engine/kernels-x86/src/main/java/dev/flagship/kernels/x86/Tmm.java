package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;

/** A tile register: up to 16 rows of up to 64 bytes. */
record Tmm(int number) implements Operand {
    Tmm {
        check(number >= 0 && number < 8, "tile register %s; there are 8", number);
    }

    @Override
    public String toString() {
        return "tmm" + number;
    }
}
