package dev.flagship.kernels.x86;

/** What the r/m field of an instruction may name. */
sealed interface Operand permits Gp, Vec, KMask, Tmm, Mem {

    /** Number of a register; that of the base register for memory. */
    int number();
}
