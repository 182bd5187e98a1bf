package dev.flagship.kernels.x86;

/** A register of 512 bits. */
record Zmm(int number) implements Vec {
    @Override
    public int bits() {
        return 512;
    }

    @Override
    public String toString() {
        return "zmm" + number;
    }
}
