package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;

import dev.flagship.kernels.x86.VectorOp.Form;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Writes machine code, one method call an instruction, operands in Intel's order (destination
 * first).
 *
 * <p>A vector instruction on zmm registers, under a mask or with a broadcast operand is encoded as
 * EVEX, on xmm and ymm registers as VEX. The code is position-independent: jumps are relative and
 * memory is named by registers only.
 */
final class Assembler {
    private byte[] code = new byte[4096];
    private int size;
    private int openJumps;

    /** The code so far. All labels that jumps name must be bound. */
    byte[] bytes() {
        check(openJumps == 0, "%s jumps go to labels that were never bound", openJumps);
        return Arrays.copyOf(code, size);
    }

    private void emit(int b) {
        if (size == code.length) {
            code = Arrays.copyOf(code, 2 * size);
        }
        code[size++] = (byte) b;
    }

    private void emit32(int value) {
        for (int shift = 0; shift < 32; shift += 8) {
            emit(value >>> shift);
        }
    }

    private static boolean fits8(int value) {
        return value == (byte) value;
    }

    // --- operands

    /** ModRM, SIB and displacement; an 8-bit displacement counts units of {@code unit} bytes. */
    private void modRm(int reg, Operand rm, int unit) {
        int middle = (reg & 7) << 3;
        if (!(rm instanceof Mem m)) {
            emit(0xC0 | middle | rm.number() & 7);
            return;
        }
        int base = m.base().number() & 7;
        int displacement = m.displacement();
        boolean short8 = displacement % unit == 0 && fits8(displacement / unit);
        // Base 5 without a displacement means something else, so rbp and r13 always have one.
        int mod = displacement == 0 && base != 5 ? 0x00 : short8 ? 0x40 : 0x80;
        Gp index = m.index();
        if (index != null || base == 4) { // base 4 announces a SIB, so rsp and r12 need one
            emit(mod | middle | 4);
            int scale = Integer.numberOfTrailingZeros(m.scale()) << 6;
            emit(scale | (index == null ? 4 : index.number() & 7) << 3 | base);
        } else {
            emit(mod | middle | base);
        }
        if (mod == 0x40) {
            emit(displacement / unit);
        } else if (mod == 0x80) {
            emit32(displacement);
        }
    }

    private static int indexNumber(Operand rm) {
        return rm instanceof Mem m && m.index() != null ? m.index().number() : 0;
    }

    /** An instruction of the general registers. */
    private void legacy(boolean wide, int reg, Operand rm, int... opcode) {
        int rex = (wide ? 8 : 0) | reg >> 3 << 2 | indexNumber(rm) >> 3 << 1 | rm.number() >> 3;
        if (rex != 0) {
            emit(0x40 | rex);
        }
        for (int b : opcode) {
            emit(b);
        }
        modRm(reg, rm, 1);
    }

    // --- general instructions

    void mov(Gp dst, Gp src) {
        legacy(true, src.number(), dst, 0x89);
    }

    void mov(Gp dst, Mem src) {
        legacy(true, dst.number(), src, 0x8B);
    }

    void mov(Mem dst, Gp src) {
        legacy(true, src.number(), dst, 0x89);
    }

    /** Stores the lower half of a register. */
    void mov32(Mem dst, Gp src) {
        legacy(false, src.number(), dst, 0x89);
    }

    /** Sets the lower half of a register and clears the upper. */
    void mov32(Gp dst, Mem src) {
        legacy(false, dst.number(), src, 0x8B);
    }

    /** Sets the lower half of a register and clears the upper. */
    void mov32(Gp dst, int value) {
        if (dst.number() >= 8) {
            emit(0x41);
        }
        emit(0xB8 | dst.number() & 7);
        emit32(value);
    }

    void lea(Gp dst, Mem src) {
        legacy(true, dst.number(), src, 0x8D);
    }

    void add(Gp dst, Gp src) {
        legacy(true, src.number(), dst, 0x01);
    }

    void add(Gp dst, Mem src) {
        legacy(true, dst.number(), src, 0x03);
    }

    void add(Mem dst, Gp src) {
        legacy(true, src.number(), dst, 0x01);
    }

    void add(Gp dst, int value) {
        immediate(0, dst, value);
    }

    void sub(Gp dst, Gp src) {
        legacy(true, src.number(), dst, 0x29);
    }

    void sub(Gp dst, int value) {
        immediate(5, dst, value);
    }

    void sub(Mem dst, int value) {
        immediate(5, dst, value);
    }

    void cmp(Gp a, Gp b) {
        legacy(true, b.number(), a, 0x39);
    }

    void cmp(Gp a, Mem b) {
        legacy(true, a.number(), b, 0x3B);
    }

    void cmp(Gp a, int value) {
        immediate(7, a, value);
    }

    /** Clears the register. */
    void xor(Gp dst, Gp src) {
        legacy(false, src.number(), dst, 0x31);
    }

    private void immediate(int digit, Operand dst, int value) {
        if (fits8(value)) {
            legacy(true, digit, dst, 0x83);
            emit(value);
        } else {
            legacy(true, digit, dst, 0x81);
            emit32(value);
        }
    }

    void push(Gp register) {
        if (register.number() >= 8) {
            emit(0x41);
        }
        emit(0x50 | register.number() & 7);
    }

    void pop(Gp register) {
        if (register.number() >= 8) {
            emit(0x41);
        }
        emit(0x58 | register.number() & 7);
    }

    void ret() {
        emit(0xC3);
    }

    void int3() {
        emit(0xCC);
    }

    void cpuid() {
        emit(0x0F);
        emit(0xA2);
    }

    void xgetbv() {
        emit(0x0F);
        emit(0x01);
        emit(0xD0);
    }

    /** Marks the target of an indirect call, which some systems demand. */
    void endbr64() {
        emit(0xF3);
        emit(0x0F);
        emit(0x1E);
        emit(0xFA);
    }

    void prefetcht0(Mem at) {
        legacy(false, 1, at, 0x0F, 0x18);
    }

    /** Into the second-level cache. */
    void prefetcht1(Mem at) {
        legacy(false, 2, at, 0x0F, 0x18);
    }

    void vzeroupper() {
        emit(0xC5);
        emit(0xF8);
        emit(0x77);
    }

    /** Sets a mask register from the lower half of a general register. */
    void kmovd(KMask dst, Gp src) {
        if (src.number() < 8) {
            emit(0xC5);
            emit(0xFB);
        } else {
            emit(0xC4);
            emit(0xC1);
            emit(0x7B);
        }
        emit(0x92);
        modRm(dst.number(), src, 1);
    }

    // --- jumps

    /** The label's place is here. */
    void bind(Label label) {
        check(label.position == Label.UNBOUND, "the label is bound already");
        label.position = size;
        for (int at : label.waiting) {
            int distance = size - (at + 4);
            for (int i = 0; i < 4; i++) {
                code[at + i] = (byte) (distance >>> 8 * i);
            }
        }
        openJumps -= label.waiting.size();
        label.waiting.clear();
    }

    void jmp(Label label) {
        jump(label, new int[] {0xEB}, 0xE9);
    }

    void jcc(Condition condition, Label label) {
        jump(label, new int[] {0x70 | condition.code}, 0x0F, 0x80 | condition.code);
    }

    /** Backward jumps are short where that reaches; forward ones are not known to be. */
    private void jump(Label label, int[] near, int... far) {
        boolean bound = label.position != Label.UNBOUND;
        int back = label.position - (size + near.length + 1);
        boolean reaches = bound && fits8(back);
        for (int b : reaches ? near : far) {
            emit(b);
        }
        if (reaches) {
            emit(back);
        } else if (bound) {
            emit32(label.position - (size + 4));
        } else {
            label.waiting.add(size);
            openJumps++;
            emit32(0);
        }
    }

    // --- vector instructions

    /** dst ← op(src). */
    void op(VectorOp op, Dest dst, Operand src) {
        check(
                switch (op.form) {
                    case LOAD, FROM_GP, TWO, TWO_WIDENING, TWO_NARROWING -> true;
                    default -> false;
                },
                "%s does not take (dst, src)",
                op);
        encode(op, dst, number(dst), 0, src);
    }

    /** dst ← op(src, imm). */
    void op(VectorOp op, Dest dst, Operand src, int imm) {
        switch (op.form) {
            case TWO_IMM -> encode(op, dst, number(dst), 0, src);
            case SHIFT_IMM -> encode(op, dst, op.digit, number(dst), src);
            default -> check(false, "%s does not take (dst, src, imm)", op);
        }
        emit(imm);
    }

    /** dst ← op(a, b); some read dst as well. */
    void op(VectorOp op, Dest dst, Vec a, Operand b) {
        boolean masked = op.form == Form.MASKED_LOAD && b instanceof Mem;
        check(op.form == Form.THREE || masked, "%s does not take (dst, a, b)", op);
        encode(op, dst, number(dst), a.number(), b);
    }

    /** dst ← op(a, b, imm). */
    void op(VectorOp op, Dest dst, Vec a, Operand b, int imm) {
        check(
                op.form == Form.THREE_IMM || op.form == Form.COMPARE_IMM,
                "%s does not take (dst, a, b, imm)",
                op);
        encodeLength(op, dst, number(dst), a.number(), b, a.bits());
        emit(imm);
    }

    /** Memory ← op(src). */
    void store(VectorOp op, Mem dst, Vec src) {
        check(
                op.form == Form.STORE || op.form == Form.NARROWING_STORE,
                "%s does not store without an immediate",
                op);
        encodeLength(op, src, src.number(), 0, dst, src.bits());
    }

    /** Memory ← op(src), only the lanes whose sign is set in the mask. */
    void store(VectorOp op, Mem dst, Vec mask, Vec src) {
        check(op.form == Form.MASKED_STORE, "%s does not store by a mask register", op);
        encodeLength(op, src, src.number(), mask.number(), dst, src.bits());
    }

    /** Memory ← op(src, imm). */
    void store(VectorOp op, Mem dst, Vec src, int imm) {
        check(op.form == Form.NARROWING_STORE_IMM, "%s does not store with an immediate", op);
        encodeLength(op, src, src.number(), 0, dst, src.bits());
        emit(imm);
    }

    private static int number(Dest dst) {
        return switch (dst) {
            case Vec v -> v.number();
            case Masked m -> m.register().number();
            case KMask k -> k.number();
        };
    }

    private static int bits(Dest dst) {
        return switch (dst) {
            case Vec v -> v.bits();
            case Masked m -> m.register().bits();
            case KMask _ -> 0;
        };
    }

    /** The longer of destination and source is the instruction's length. */
    private void encode(VectorOp op, Dest dst, int reg, int vvvv, Operand rm) {
        int source = rm instanceof Vec v ? v.bits() : 0;
        if (rm instanceof Mem && op.form == Form.TWO_NARROWING) {
            source = 2 * bits(dst);
        }
        encodeLength(op, dst, reg, vvvv, rm, Math.max(bits(dst), source));
    }

    private void encodeLength(VectorOp op, Dest dst, int reg, int vvvv, Operand rm, int bits) {
        Mem mem = rm instanceof Mem m ? m : null;
        check(
                mem == null || !mem.broadcast() || op.tuple == VectorOp.Tuple.FULL,
                "%s cannot broadcast its memory operand",
                op);
        boolean evex =
                bits == 512
                        || op.vex == null
                        || dst instanceof Masked
                        || (mem != null && (mem.broadcast() || mem.mask() != null));
        if (evex) {
            check(op.evex != null, "%s has no EVEX form", op);
            evex(op, reg, vvvv, rm, bits, dst);
        } else {
            check(reg < 16 && vvvv < 16 && rm.number() < 16, "%s: VEX has 16 vector registers", op);
            vex(op, reg, vvvv, rm, bits);
        }
    }

    private void vex(VectorOp op, int reg, int vvvv, Operand rm, int bits) {
        vex(op.map, op.prefix, op.opcode, reg, vvvv, rm, bits);
    }

    private void vex(
            VectorOp.OpcodeMap map,
            VectorOp.Prefix prefix,
            int opcode,
            int reg,
            int vvvv,
            Operand rm,
            int bits) {
        int notReg = (reg >> 3 ^ 1) << 7;
        int notIndex = indexNumber(rm) >> 3 ^ 1;
        int notBase = rm.number() >> 3 ^ 1;
        int tail = (vvvv ^ 15) << 3 | (bits == 256 ? 4 : 0) | prefix.bits;
        if (map == VectorOp.OpcodeMap.M0F && notIndex == 1 && notBase == 1) {
            emit(0xC5);
            emit(notReg | tail);
        } else {
            emit(0xC4);
            emit(notReg | notIndex << 6 | notBase << 5 | map.bits);
            emit(tail);
        }
        emit(opcode);
        modRm(reg, rm, 1);
    }

    private void evex(VectorOp op, int reg, int vvvv, Operand rm, int bits, Dest dst) {
        Mem mem = rm instanceof Mem m ? m : null;
        // A register's fifth bit takes the place of the index's fourth.
        int x = mem != null ? indexNumber(mem) >> 3 : rm.number() >> 4;
        emit(0x62);
        emit(
                (reg >> 3 & 1 ^ 1) << 7
                        | (x ^ 1) << 6
                        | (rm.number() >> 3 & 1 ^ 1) << 5
                        | (reg >> 4 ^ 1) << 4
                        | op.map.bits);
        emit((vvvv & 15 ^ 15) << 3 | 4 | op.prefix.bits);
        boolean broadcast = mem != null && mem.broadcast();
        emit(
                (zeroing(dst) ? 0x80 : 0)
                        | (bits >> 8) << 5
                        | (broadcast ? 0x10 : 0)
                        | (vvvv >> 4 ^ 1) << 3
                        | mask(dst, mem));
        emit(op.opcode);
        modRm(reg, rm, op.displacementUnit(bits, broadcast));
    }

    private static boolean zeroing(Dest dst) {
        return dst instanceof Masked m && m.zeroing();
    }

    private static int mask(Dest dst, @Nullable Mem mem) {
        if (dst instanceof Masked m) {
            return m.mask().number();
        }
        return mem != null && mem.mask() != null ? mem.mask().number() : 0;
    }

    // --- tiles (Intel AMX; SDM volume 1, chapter 18)

    private void tile(VectorOp.Prefix prefix, int opcode, int reg, int vvvv, Operand rm) {
        vex(VectorOp.OpcodeMap.M0F38, prefix, opcode, reg, vvvv, rm, 128);
    }

    /** Sets all tiles' rows and columns from 64 bytes, and clears the tiles. */
    void ldtilecfg(Mem config) {
        tile(VectorOp.Prefix.NONE, 0x49, 0, 0, config);
    }

    /** Ends the use of tiles. */
    void tilerelease() {
        tile(VectorOp.Prefix.NONE, 0x49, 0, 0, new Tmm(0));
    }

    void tilezero(Tmm dst) {
        tile(VectorOp.Prefix.F2, 0x49, dst.number(), 0, new Tmm(0));
    }

    /** dst ← rows at base, base + index, base + 2·index…; the index register holds bytes. */
    void tileloadd(Tmm dst, Mem rows) {
        tile(VectorOp.Prefix.F2, 0x4B, dst.number(), 0, strided(rows));
    }

    /** Rows at base, base + index, base + 2·index… ← src. */
    void tilestored(Mem rows, Tmm src) {
        tile(VectorOp.Prefix.F3, 0x4B, src.number(), 0, strided(rows));
    }

    /**
     * c[m][n] += Σ a[m][4k + i] · b[k][4n + i] over k and i &lt; 4, int8 into int32, without
     * saturation.
     */
    void tdpbssd(Tmm c, Tmm a, Tmm b) {
        tile(VectorOp.Prefix.F2, 0x5E, c.number(), b.number(), a);
    }

    private static Mem strided(Mem rows) {
        check(rows.index() != null && rows.scale() == 1, "rows of a tile are an index apart");
        return rows;
    }
}
