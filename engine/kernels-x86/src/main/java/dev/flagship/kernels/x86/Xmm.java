package dev.flagship.kernels.x86;

/** A register of 128 bits. */
record Xmm(int number) implements Vec {
    @Override
    public int bits() {
        return 128;
    }

    @Override
    public String toString() {
        return "xmm" + number;
    }
}
