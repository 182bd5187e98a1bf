package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;

/** A destination of which only the lanes of a mask are written. */
record Masked(Vec register, KMask mask, boolean zeroing) implements Dest {
    Masked {
        check(mask.number() != 0, "k0 cannot mask %s: it means no mask", register);
    }

    @Override
    public String toString() {
        return "%s{%s}%s".formatted(register, mask, zeroing ? "{z}" : "");
    }
}
