package dev.flagship.kernels.x86;

import dev.flagship.tensor.CanonicalMath;
import java.util.List;

/** The numbers of {@link CanonicalMath#exp}, as both forms of its code have them side by side. */
enum ExpConstant {
    LOW(0, CanonicalMath.EXP_LOW),
    HIGH(1, CanonicalMath.EXP_HIGH),
    LOG2_E(2, CanonicalMath.LOG2_E),
    MAGIC(3, CanonicalMath.ROUND_MAGIC),
    LN2_HIGH(4, CanonicalMath.LN2_HIGH),
    LN2_LOW(5, CanonicalMath.LN2_LOW),
    EXP_5(6, CanonicalMath.EXP_5),
    EXP_4(7, CanonicalMath.EXP_4),
    EXP_3(8, CanonicalMath.EXP_3),
    EXP_2(9, CanonicalMath.EXP_2),
    EXP_1(10, CanonicalMath.EXP_1),
    EXP_0(11, CanonicalMath.EXP_0),
    /** Its bits are {@link CanonicalMath}'s ONE_BITS as well. */
    ONE(12, 1f);

    static final int COUNT = 13;

    /** Of the polynomial, those after the first. */
    static final List<ExpConstant> LOWER_POWERS = List.of(EXP_4, EXP_3, EXP_2, EXP_1, EXP_0);

    private final int place;
    private final float value;

    ExpConstant(int place, float value) {
        this.place = place;
        this.value = value;
    }

    /** Its number among them. */
    int place() {
        return place;
    }

    float value() {
        return value;
    }
}
