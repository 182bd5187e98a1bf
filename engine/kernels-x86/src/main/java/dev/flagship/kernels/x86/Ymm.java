package dev.flagship.kernels.x86;

/** A register of 256 bits. */
record Ymm(int number) implements Vec {
    @Override
    public int bits() {
        return 256;
    }

    @Override
    public String toString() {
        return "ymm" + number;
    }
}
