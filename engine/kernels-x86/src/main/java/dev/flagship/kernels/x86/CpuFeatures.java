package dev.flagship.kernels.x86;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What the processor has and the operating system lets programs use (Intel SDM volume 1, sections
 * 14.3 and 15.2). A flag of CPUID alone is not enough: the registers must be saved at a task
 * switch, which XCR0 tells.
 *
 * @param signature vendor, family, model, stepping and features, for caches and markers
 */
record CpuFeatures(
        String signature,
        boolean avx2,
        boolean fma,
        boolean f16c,
        boolean avxVnni,
        boolean avx512f,
        boolean avx512bw,
        boolean avx512dq,
        boolean avx512vl,
        boolean avx512Vnni,
        boolean avx512Bf16,
        boolean amxInt8) {

    /** XCR0: the lower halves (SSE) and the upper halves (AVX) of ymm registers. */
    private static final long YMM_STATE = 0b110;

    /** XCR0: also masks, upper halves of zmm0–15, and zmm16–31. */
    private static final long ZMM_STATE = 0b1110_0110;

    /** XCR0: the configuration and the contents of tiles. */
    private static final long TILE_STATE = 0b11 << 17;

    /** The words of CPUID. */
    interface Cpuid {
        Words at(int leaf, int subleaf);
    }

    /** What one CPUID instruction returns. */
    record Words(int eax, int ebx, int ecx, int edx) {}

    /** Reads XCR0; an illegal instruction unless CPUID says OSXSAVE. */
    interface Xcr0 {
        long read();
    }

    static CpuFeatures from(Cpuid cpuid, Xcr0 xcr0) {
        Words vendor = cpuid.at(0, 0);
        Words basic = cpuid.at(1, 0);
        int highest = vendor.eax();
        boolean osSaves = bit(basic.ecx(), 27);
        long state = osSaves ? xcr0.read() : 0;
        boolean ymm = (state & YMM_STATE) == YMM_STATE && bit(basic.ecx(), 28);
        boolean tiles = (state & TILE_STATE) == TILE_STATE;
        boolean zmm = ymm && (state & ZMM_STATE) == ZMM_STATE;
        Words none = new Words(0, 0, 0, 0);
        Words seven = highest >= 7 ? cpuid.at(7, 0) : none;
        Words sevenOne = highest >= 7 && seven.eax() != 0 ? cpuid.at(7, 1) : none;
        boolean avx512f = zmm && bit(seven.ebx(), 16);
        String signature =
                String.format(
                        Locale.ROOT,
                        "%08x%08x%08x-%08x-%08x-%08x-%08x-%08x-%05x",
                        vendor.ebx(),
                        vendor.edx(),
                        vendor.ecx(),
                        basic.eax(),
                        seven.ebx(),
                        seven.ecx(),
                        seven.edx(),
                        sevenOne.eax(),
                        state & 0xFFFFF);
        return new CpuFeatures(
                signature,
                ymm && bit(seven.ebx(), 5),
                ymm && bit(basic.ecx(), 12),
                ymm && bit(basic.ecx(), 29),
                ymm && bit(sevenOne.eax(), 4),
                avx512f,
                avx512f && bit(seven.ebx(), 30),
                avx512f && bit(seven.ebx(), 17),
                avx512f && bit(seven.ebx(), 31),
                avx512f && bit(seven.ecx(), 11),
                avx512f && bit(sevenOne.eax(), 5),
                tiles && bit(seven.edx(), 24) && bit(seven.edx(), 25));
    }

    /** The same without AMX, which a process must also be permitted to use. */
    CpuFeatures withoutAmx() {
        return new CpuFeatures(
                signature,
                avx2,
                fma,
                f16c,
                avxVnni,
                avx512f,
                avx512bw,
                avx512dq,
                avx512vl,
                avx512Vnni,
                avx512Bf16,
                false);
    }

    private static boolean bit(int word, int bit) {
        return (word >>> bit & 1) != 0;
    }

    /** The instruction sets that kernels are made for, as far as programs may use them. */
    @Override
    public String toString() {
        List<String> names = new ArrayList<>();
        add(names, avx2, "AVX2");
        add(names, fma, "FMA");
        add(names, f16c, "F16C");
        add(names, avxVnni, "AVX-VNNI");
        add(names, avx512f, "AVX-512 F");
        add(names, avx512bw, "BW");
        add(names, avx512dq, "DQ");
        add(names, avx512vl, "VL");
        add(names, avx512Vnni, "VNNI");
        add(names, avx512Bf16, "BF16");
        add(names, amxInt8, "AMX-INT8");
        return names.isEmpty() ? "none of AVX2 and AVX-512" : String.join(" ", names);
    }

    private static void add(List<String> names, boolean present, String name) {
        if (present) {
            names.add(name);
        }
    }

    /** What the AVX-512 kernels need and this machine lacks; empty if they can run. */
    List<String> lackingForAvx512() {
        List<String> lacking = new ArrayList<>();
        if (!avx512f) {
            lacking.add("AVX-512 F");
        }
        if (!avx512bw) {
            lacking.add("AVX-512 BW");
        }
        if (!avx512dq) {
            lacking.add("AVX-512 DQ");
        }
        if (!avx512vl) {
            lacking.add("AVX-512 VL");
        }
        if (!avx512Vnni) {
            lacking.add("AVX-512 VNNI");
        }
        return lacking;
    }

    /** What the AMX kernels need and this machine lacks; empty if they can run. */
    List<String> lackingForAmx() {
        List<String> lacking = lackingForAvx512();
        if (!amxInt8) {
            lacking.add("AMX-INT8");
        }
        return lacking;
    }

    /**
     * What the AVX2 kernels need and this machine lacks; empty if they can run.
     *
     * @param vnni for those with AVX-VNNI
     */
    List<String> lackingForAvx2(boolean vnni) {
        List<String> lacking = new ArrayList<>();
        if (!avx2) {
            lacking.add("AVX2");
        }
        if (!fma) {
            lacking.add("FMA");
        }
        if (!f16c) {
            lacking.add("F16C");
        }
        if (vnni && !avxVnni) {
            lacking.add("AVX-VNNI");
        }
        return lacking;
    }
}
