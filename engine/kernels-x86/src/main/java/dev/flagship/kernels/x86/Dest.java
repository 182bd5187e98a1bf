package dev.flagship.kernels.x86;

/** What a vector instruction writes: a vector register, one under a mask, or a mask register. */
sealed interface Dest permits Vec, Masked, KMask {}
