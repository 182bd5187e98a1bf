package dev.flagship.kernels.x86;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** The instruction sets that kernels are made for, the best first. */
enum Isa {
    /** The same as below and AMX's int8 tiles. */
    AMX_INT8("amx-int8", 512, true),
    /** AVX-512 F, BW, DQ, VL and VNNI. */
    AVX512_VNNI("avx512-vnni", 512, true),
    /** AVX2, FMA, F16C and AVX-VNNI. */
    AVX2_VNNI("avx2-vnni", 256, true),
    /** AVX2, FMA and F16C. */
    AVX2("avx2", 256, false);

    /** As it stands in the names of rungs and markers. */
    final String tag;

    /** Whether {@code vpdpbusd} is there. */
    final boolean vnni;

    private final int bits;

    Isa(String tag, int bits, boolean vnni) {
        this.tag = tag;
        this.bits = bits;
        this.vnni = vnni;
    }

    /** The one of this tag. */
    static Optional<Isa> of(String tag) {
        return Arrays.stream(values()).filter(isa -> isa.tag.equals(tag)).findFirst();
    }

    /** The best that a machine runs; empty if it runs none. */
    static Optional<Isa> best(CpuFeatures features) {
        return Arrays.stream(values()).filter(isa -> isa.lacking(features).isEmpty()).findFirst();
    }

    /** As it stands in the names of kernels. */
    String symbol() {
        return tag.replace('-', '_');
    }

    /** As it stands in the names of kernels that know a length of registers, no more. */
    String registersSymbol() {
        return wide() ? "avx512" : "avx2";
    }

    /** Whether there are 32 registers of 512 bits, masks, and broadcasts within operands. */
    boolean wide() {
        return bits == 512;
    }

    /** Whether many rows are multiplied in tiles. */
    boolean tiles() {
        return this == AMX_INT8;
    }

    /** The set whose kernels multiply in vector registers as this one's do, and nowhere else. */
    Isa withoutTiles() {
        return tiles() ? AVX512_VNNI : this;
    }

    /** Bytes of a register. */
    int bytes() {
        return bits / 8;
    }

    /** Number of vector registers. */
    int registers() {
        return wide() ? 32 : 16;
    }

    /** A register of full length. */
    Vec register(int number) {
        return wide() ? Vec.zmm(number) : Vec.ymm(number);
    }

    /** What this needs and a machine lacks; empty if its kernels can run there. */
    List<String> lacking(CpuFeatures features) {
        return switch (this) {
            case AMX_INT8 -> features.lackingForAmx();
            case AVX512_VNNI -> features.lackingForAvx512();
            case AVX2_VNNI -> features.lackingForAvx2(true);
            case AVX2 -> features.lackingForAvx2(false);
        };
    }
}
