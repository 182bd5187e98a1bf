package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;

import org.jspecify.annotations.Nullable;

/**
 * A memory operand {@code [base + index·scale + displacement]}.
 *
 * @param index null for none; rsp cannot be one
 * @param scale 1, 2, 4 or 8
 * @param broadcast one 32-bit number for all lanes, {1to16}
 * @param mask lanes that a store writes, null for all
 */
record Mem(
        Gp base,
        @Nullable Gp index,
        int scale,
        int displacement,
        boolean broadcast,
        @Nullable KMask mask)
        implements Operand {

    Mem {
        check(index != Gp.RSP, "rsp cannot be an index");
        check(Integer.bitCount(scale) == 1 && scale > 0 && scale <= 8, "scale %s", scale);
        check(mask == null || mask.number() != 0, "k0 cannot mask a store: it means no mask");
    }

    static Mem at(Gp base) {
        return at(base, 0);
    }

    static Mem at(Gp base, int displacement) {
        return new Mem(base, null, 1, displacement, false, null);
    }

    static Mem at(Gp base, Gp index, int scale) {
        return new Mem(base, index, scale, 0, false, null);
    }

    /** The place {@code bytes} further on. */
    Mem plus(int bytes) {
        return new Mem(base, index, scale, Math.addExact(displacement, bytes), broadcast, mask);
    }

    /** The number here, read once for all lanes. */
    Mem broadcasting() {
        return new Mem(base, index, scale, displacement, true, mask);
    }

    /** Only these lanes are written. */
    Mem masked(KMask k) {
        return new Mem(base, index, scale, displacement, broadcast, k);
    }

    @Override
    public int number() {
        return base.number();
    }
}
