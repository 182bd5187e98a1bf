package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.VectorOp.Form.*;
import static dev.flagship.kernels.x86.VectorOp.OpcodeMap.*;
import static dev.flagship.kernels.x86.VectorOp.Prefix.*;
import static dev.flagship.kernels.x86.VectorOp.Tuple.*;

import org.jspecify.annotations.Nullable;

/**
 * The vector instructions that kernels use: opcode map, mandatory prefix, opcode, order of operands
 * and the size of the memory operand (Intel SDM volume 2, "Instruction Set Reference"). W is 0 in
 * all of them.
 */
enum VectorOp {
    VMOVUPS("vmovups", "vmovups", M0F, NONE, 0x10, LOAD, FULL_MEM),
    VMOVUPS_STORE("vmovups", "vmovups", M0F, NONE, 0x11, STORE, FULL_MEM),
    VMOVDQU("vmovdqu32", "vmovdqu", M0F, F3, 0x6F, LOAD, FULL_MEM),
    VMOVDQU_STORE("vmovdqu32", "vmovdqu", M0F, F3, 0x7F, STORE, FULL_MEM),
    /** Loads the lanes whose sign is set in a mask, 0 into the others; EVEX masks any load. */
    VMASKMOVPS(null, "vmaskmovps", M0F38, P66, 0x2C, MASKED_LOAD, FULL_MEM),
    /** Stores the lanes whose sign is set in a mask; EVEX masks any store. */
    VMASKMOVPS_STORE(null, "vmaskmovps", M0F38, P66, 0x2E, MASKED_STORE, FULL_MEM),
    VBROADCASTSS("vbroadcastss", "vbroadcastss", M0F38, P66, 0x18, LOAD, SCALAR),
    VPBROADCASTD("vpbroadcastd", "vpbroadcastd", M0F38, P66, 0x58, LOAD, SCALAR),
    /** The source is a general register. */
    VPBROADCASTD_GP("vpbroadcastd", null, M0F38, P66, 0x7C, FROM_GP, SCALAR),

    VPDPBUSD("vpdpbusd", "vpdpbusd", M0F38, P66, 0x50, THREE, FULL),
    VPABSB(null, "vpabsb", M0F38, P66, 0x1C, TWO, FULL_MEM),
    VPSIGNB(null, "vpsignb", M0F38, P66, 0x08, THREE, FULL_MEM),
    VPMADDUBSW("vpmaddubsw", "vpmaddubsw", M0F38, P66, 0x04, THREE, FULL_MEM),
    VPMADDWD("vpmaddwd", "vpmaddwd", M0F, P66, 0xF5, THREE, FULL_MEM),

    VDPBF16PS("vdpbf16ps", null, M0F38, F3, 0x52, THREE, FULL),
    VCVTNE2PS2BF16("vcvtne2ps2bf16", null, M0F38, F2, 0x72, THREE, FULL),
    VCVTNEPS2BF16("vcvtneps2bf16", null, M0F38, F3, 0x72, TWO_NARROWING, FULL),
    VCVTPH2PS("vcvtph2ps", "vcvtph2ps", M0F38, P66, 0x13, TWO_WIDENING, HALF_MEM),
    VCVTPS2PH("vcvtps2ph", "vcvtps2ph", M0F3A, P66, 0x1D, NARROWING_STORE_IMM, HALF_MEM),

    VFMADD213PS("vfmadd213ps", "vfmadd213ps", M0F38, P66, 0xA8, THREE, FULL),
    VFMADD231PS("vfmadd231ps", "vfmadd231ps", M0F38, P66, 0xB8, THREE, FULL),
    VFMSUB213PS("vfmsub213ps", "vfmsub213ps", M0F38, P66, 0xAA, THREE, FULL),
    VFMSUB231PS("vfmsub231ps", "vfmsub231ps", M0F38, P66, 0xBA, THREE, FULL),
    VFNMADD231PS("vfnmadd231ps", "vfnmadd231ps", M0F38, P66, 0xBC, THREE, FULL),
    VSQRTPS("vsqrtps", "vsqrtps", M0F, NONE, 0x51, TWO, FULL),
    VADDPS("vaddps", "vaddps", M0F, NONE, 0x58, THREE, FULL),
    VMULPS("vmulps", "vmulps", M0F, NONE, 0x59, THREE, FULL),
    VSUBPS("vsubps", "vsubps", M0F, NONE, 0x5C, THREE, FULL),
    VMINPS("vminps", "vminps", M0F, NONE, 0x5D, THREE, FULL),
    VDIVPS("vdivps", "vdivps", M0F, NONE, 0x5E, THREE, FULL),
    VMAXPS("vmaxps", "vmaxps", M0F, NONE, 0x5F, THREE, FULL),
    /** Writes a mask register. */
    VCMPPS("vcmpps", null, M0F, NONE, 0xC2, COMPARE_IMM, FULL),
    /** Sets all bits of the lanes that compare so. */
    VCMPPS_LANES(null, "vcmpps", M0F, NONE, 0xC2, THREE_IMM, FULL),
    VPCMPEQD(null, "vpcmpeqd", M0F, P66, 0x76, THREE, FULL_MEM),
    VBLENDPS(null, "vblendps", M0F3A, P66, 0x0C, THREE_IMM, FULL),

    VPAND("vpandd", "vpand", M0F, P66, 0xDB, THREE, FULL),
    VPANDN("vpandnd", "vpandn", M0F, P66, 0xDF, THREE, FULL),
    VPOR("vpord", "vpor", M0F, P66, 0xEB, THREE, FULL),
    VPXOR("vpxord", "vpxor", M0F, P66, 0xEF, THREE, FULL),
    VPTERNLOGD("vpternlogd", null, M0F3A, P66, 0x25, THREE_IMM, FULL),

    VPSRLW("vpsrlw", "vpsrlw", M0F, P66, 0x71, SHIFT_IMM, FULL_MEM, 2),
    VPSRLD("vpsrld", "vpsrld", M0F, P66, 0x72, SHIFT_IMM, FULL, 2),
    VPSLLD("vpslld", "vpslld", M0F, P66, 0x72, SHIFT_IMM, FULL, 6),
    /** Shifts signs in. */
    VPSRAD("vpsrad", "vpsrad", M0F, P66, 0x72, SHIFT_IMM, FULL, 4),

    VPSUBB("vpsubb", "vpsubb", M0F, P66, 0xF8, THREE, FULL_MEM),
    VPADDW("vpaddw", "vpaddw", M0F, P66, 0xFD, THREE, FULL_MEM),
    VPADDD("vpaddd", "vpaddd", M0F, P66, 0xFE, THREE, FULL),
    VPSUBD("vpsubd", "vpsubd", M0F, P66, 0xFA, THREE, FULL),
    VPMINSD("vpminsd", "vpminsd", M0F38, P66, 0x39, THREE, FULL),
    VPMAXSD("vpmaxsd", "vpmaxsd", M0F38, P66, 0x3D, THREE, FULL),

    VCVTDQ2PS("vcvtdq2ps", "vcvtdq2ps", M0F, NONE, 0x5B, TWO, FULL),
    VCVTPS2DQ("vcvtps2dq", "vcvtps2dq", M0F, P66, 0x5B, TWO, FULL),
    VPMOVZXBW("vpmovzxbw", "vpmovzxbw", M0F38, P66, 0x30, TWO_WIDENING, HALF_MEM),
    VPMOVZXBD("vpmovzxbd", "vpmovzxbd", M0F38, P66, 0x31, TWO_WIDENING, QUARTER_MEM),
    VPMOVSXBD("vpmovsxbd", "vpmovsxbd", M0F38, P66, 0x21, TWO_WIDENING, QUARTER_MEM),
    VPMOVZXWD("vpmovzxwd", "vpmovzxwd", M0F38, P66, 0x33, TWO_WIDENING, HALF_MEM),
    VPMOVSDB("vpmovsdb", null, M0F38, F3, 0x21, NARROWING_STORE, QUARTER_MEM),

    VPACKSSDW("vpackssdw", "vpackssdw", M0F, P66, 0x6B, THREE, FULL),
    VPACKSSWB("vpacksswb", "vpacksswb", M0F, P66, 0x63, THREE, FULL_MEM),
    VPUNPCKLDQ("vpunpckldq", "vpunpckldq", M0F, P66, 0x62, THREE, FULL),
    VPUNPCKHDQ("vpunpckhdq", "vpunpckhdq", M0F, P66, 0x6A, THREE, FULL),
    VPERM2I128(null, "vperm2i128", M0F3A, P66, 0x46, THREE_IMM, FULL),
    VPSHUFB("vpshufb", "vpshufb", M0F38, P66, 0x00, THREE, FULL_MEM),
    VPSHUFD("vpshufd", "vpshufd", M0F, P66, 0x70, TWO_IMM, FULL),
    /** Numbers of the last operand, by the lowest bits of the other's lanes. */
    VPERMPS("vpermps", "vpermps", M0F38, P66, 0x16, THREE, FULL),
    VSHUFI32X4("vshufi32x4", null, M0F3A, P66, 0x43, THREE_IMM, FULL),
    VSCALEFPS("vscalefps", null, M0F38, P66, 0x2C, THREE, FULL),
    VRNDSCALEPS("vrndscaleps", null, M0F3A, P66, 0x08, TWO_IMM, FULL),
    VROUNDPS(null, "vroundps", M0F3A, P66, 0x08, TWO_IMM, FULL);

    /** Bytes before the opcode in the legacy encoding; bits in VEX and EVEX. */
    enum OpcodeMap {
        M0F(1),
        M0F38(2),
        M0F3A(3);

        final int bits;

        OpcodeMap(int bits) {
            this.bits = bits;
        }
    }

    /** The mandatory prefix as the pp bits. */
    enum Prefix {
        NONE(0),
        P66(1),
        F3(2),
        F2(3);

        final int bits;

        Prefix(int bits) {
            this.bits = bits;
        }
    }

    /** Which operands there are, destination first, and which field names each. */
    enum Form {
        /** reg ← r/m; a register source is an xmm register where one number is broadcast. */
        LOAD,
        /** r/m ← reg. */
        STORE,
        /** reg ← m, only the lanes of vvvv. */
        MASKED_LOAD,
        /** r/m ← reg, only the lanes of vvvv. */
        MASKED_STORE,
        /** reg ← general register. */
        FROM_GP,
        /** reg ← r/m. */
        TWO,
        /** reg ← r/m, the source shorter. */
        TWO_WIDENING,
        /** reg ← r/m, the destination shorter. */
        TWO_NARROWING,
        TWO_IMM,
        /** reg ← vvvv, r/m. */
        THREE,
        THREE_IMM,
        /** mask reg ← vvvv, r/m. */
        COMPARE_IMM,
        /** vvvv ← r/m; reg continues the opcode. */
        SHIFT_IMM,
        /** r/m ← reg, the destination shorter. */
        NARROWING_STORE,
        NARROWING_STORE_IMM;

        boolean immediate() {
            return switch (this) {
                case TWO_IMM, THREE_IMM, COMPARE_IMM, SHIFT_IMM, NARROWING_STORE_IMM -> true;
                case LOAD,
                        STORE,
                        MASKED_LOAD,
                        MASKED_STORE,
                        FROM_GP,
                        TWO,
                        TWO_WIDENING,
                        TWO_NARROWING,
                        THREE,
                        NARROWING_STORE ->
                        false;
            };
        }
    }

    /** Size of the memory operand, and so the unit N of an EVEX 8-bit displacement. */
    enum Tuple {
        /** A whole vector, or one number broadcast. */
        FULL,
        /** A whole vector. */
        FULL_MEM,
        /** Half a vector. */
        HALF_MEM,
        /** A quarter of a vector. */
        QUARTER_MEM,
        /** One 32-bit number. */
        SCALAR
    }

    /** Mnemonic of the EVEX form; null if there is none. */
    final @Nullable String evex;

    /** Mnemonic of the VEX form; null if there is none. */
    final @Nullable String vex;

    final OpcodeMap map;
    final Prefix prefix;
    final int opcode;
    final Form form;
    final Tuple tuple;

    /** Goes where other instructions have a register, in the form that has it. */
    final int digit;

    VectorOp(
            @Nullable String evex,
            @Nullable String vex,
            OpcodeMap map,
            Prefix prefix,
            int opcode,
            Form form,
            Tuple tuple) {
        this(evex, vex, map, prefix, opcode, form, tuple, 0);
    }

    VectorOp(
            @Nullable String evex,
            @Nullable String vex,
            OpcodeMap map,
            Prefix prefix,
            int opcode,
            Form form,
            Tuple tuple,
            int digit) {
        this.evex = evex;
        this.vex = vex;
        this.map = map;
        this.prefix = prefix;
        this.opcode = opcode;
        this.form = form;
        this.tuple = tuple;
        this.digit = digit;
    }

    /** N of an EVEX displacement for vectors of {@code bits}. */
    int displacementUnit(int bits, boolean broadcast) {
        return switch (tuple) {
            case FULL -> broadcast ? 4 : bits / 8;
            case FULL_MEM -> bits / 8;
            case HALF_MEM -> bits / 16;
            case QUARTER_MEM -> bits / 32;
            case SCALAR -> 4;
        };
    }
}
