package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.Gp.*;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * Every form of every instruction over awkward registers, bases and displacements, each with the
 * text that a disassembler must print for it (Intel syntax of GNU binutils).
 */
final class EncoderCases {
    private static final int[] REGISTERS = {0, 7, 8, 15, 16, 31};
    private static final Gp[] BASES = {RAX, RBP, RSP, R12, R13};
    private static final List<String> COMPARISONS =
            List.of("eq", "lt", "le", "unord", "neq", "nlt", "nle", "ord");
    private static final KMask K1 = new KMask(1);
    private static final KMask K7 = new KMask(7);

    /** One instruction; its bytes in hexadecimal. */
    record Case(String bytes, String text) {
        @Override
        public String toString() {
            return bytes + " " + text;
        }
    }

    private final List<Case> cases = new ArrayList<>();
    private int turn;

    static List<Case> all() {
        EncoderCases all = new EncoderCases();
        all.general();
        all.tiles();
        for (VectorOp op : VectorOp.values()) {
            if (op.evex != null) {
                all.vectors(op, 512);
            }
            if (op.vex != null) {
                all.vectors(op, 256);
            }
        }
        return all.cases;
    }

    private void add(String text, Consumer<Assembler> instruction) {
        Assembler asm = new Assembler();
        instruction.accept(asm);
        cases.add(new Case(HexFormat.of().formatHex(asm.bytes()), text));
    }

    // --- general instructions

    private void general() {
        Gp[] registers = {RAX, RDI, R8, R15, RSP, RBP, R12, R13};
        for (int i = 0; i < registers.length; i++) {
            Gp a = registers[i];
            Gp b = registers[(i + 3) % registers.length];
            String ab = name(a) + "," + name(b);
            add("mov " + ab, asm -> asm.mov(a, b));
            add("add " + ab, asm -> asm.add(a, b));
            add("sub " + ab, asm -> asm.sub(a, b));
            add("cmp " + ab, asm -> asm.cmp(a, b));
            add("xor " + low(a) + "," + low(b), asm -> asm.xor(a, b));
            add("push " + name(a), asm -> asm.push(a));
            add("pop " + name(a), asm -> asm.pop(a));
            add("mov " + low(a) + ",0xf0f0f0f", asm -> asm.mov32(a, 0x0F0F0F0F));
            add("kmovd k1," + low(a), asm -> asm.kmovd(K1, a));
            add("kmovd k7," + low(a), asm -> asm.kmovd(K7, a));
            for (int value : new int[] {0, 127, 128, -128, -129, 1 << 20}) {
                String imm = "," + hex64(value);
                if (a != RAX || fits8(value)) { // the accumulator's own form prints alike
                    add("add " + name(a) + imm, asm -> asm.add(a, value));
                    add("sub " + name(a) + imm, asm -> asm.sub(a, value));
                    add("cmp " + name(a) + imm, asm -> asm.cmp(a, value));
                }
            }
        }
        for (Gp base : BASES) {
            for (int displacement : new int[] {0, 1, 127, 128, -128, -129}) {
                Mem plain = Mem.at(base, displacement);
                Mem indexed = Mem.at(base, R9, 8).plus(displacement);
                for (Mem mem : List.of(plain, indexed)) {
                    String at = "QWORD PTR " + text(mem);
                    String at32 = "DWORD PTR " + text(mem);
                    add("mov r8," + at, asm -> asm.mov(R8, mem));
                    add("mov " + at + ",rdx", asm -> asm.mov(mem, RDX));
                    add("mov " + at32 + ",r10d", asm -> asm.mov32(mem, R10));
                    add("mov ecx," + at32, asm -> asm.mov32(RCX, mem));
                    add("lea r15," + text(mem), asm -> asm.lea(R15, mem));
                    add("add rsi," + at, asm -> asm.add(RSI, mem));
                    add("cmp rbx," + at, asm -> asm.cmp(RBX, mem));
                    add("add " + at + ",r11", asm -> asm.add(mem, R11));
                    add("sub " + at + ",0x1", asm -> asm.sub(mem, 1));
                    add("prefetcht0 BYTE PTR " + text(mem), asm -> asm.prefetcht0(mem));
                    add("prefetcht1 BYTE PTR " + text(mem), asm -> asm.prefetcht1(mem));
                }
            }
        }
        add("ret", Assembler::ret);
        add("int3", Assembler::int3);
        add("cpuid", Assembler::cpuid);
        add("xgetbv", Assembler::xgetbv);
        add("endbr64", Assembler::endbr64);
        add("vzeroupper", Assembler::vzeroupper);
    }

    // --- tiles

    private void tiles() {
        add("tilerelease", Assembler::tilerelease);
        for (int i = 0; i < 8; i++) {
            Tmm a = new Tmm(i);
            Tmm b = new Tmm((i + 3) % 8);
            Tmm c = new Tmm((i + 5) % 8);
            add("tilezero " + a, asm -> asm.tilezero(a));
            add("tdpbssd " + a + "," + b + "," + c, asm -> asm.tdpbssd(a, b, c));
        }
        for (Gp base : BASES) {
            for (int displacement : new int[] {0, 127, 128, -129}) {
                Mem plain = Mem.at(base, displacement);
                add("ldtilecfg " + text(plain), asm -> asm.ldtilecfg(plain));
                for (Gp index : new Gp[] {RCX, R9}) {
                    Mem rows = Mem.at(base, index, 1).plus(displacement);
                    Tmm t = new Tmm(base.number() & 7);
                    add("tileloadd " + t + "," + text(rows), asm -> asm.tileloadd(t, rows));
                    add("tilestored " + text(rows) + "," + t, asm -> asm.tilestored(rows, t));
                }
            }
        }
    }

    // --- vector instructions

    private void vectors(VectorOp op, int bits) {
        int registers = bits == 512 ? REGISTERS.length : 4;
        for (int i = 0; i < registers; i++) {
            registers(op, bits, i, registers, null);
        }
        if (bits == 512) {
            registers(op, bits, 1, registers, K1);
            registers(op, bits, 4, registers, K7);
        }
        if (op.form == VectorOp.Form.FROM_GP) {
            return;
        }
        int unit = bits == 512 ? op.displacementUnit(512, false) : 1;
        for (Mem mem : places(unit)) {
            memory(op, bits, mem);
        }
        if (bits == 512 && op.tuple == VectorOp.Tuple.FULL) {
            for (Mem mem : places(4)) {
                memory(op, bits, mem.broadcasting());
            }
        }
        if (bits == 512 && stores(op)) {
            memory(op, bits, Mem.at(R13, unit).masked(K1));
        }
    }

    /** Each base with some displacements, in turn over all instructions; some with an index. */
    private List<Mem> places(int unit) {
        int[] displacements = {
            0, unit, 127 * unit, 128 * unit, -128 * unit, -129 * unit, unit + 1, -3
        };
        Gp[] indices = {RCX, R9, R15, RBP};
        List<Mem> places = new ArrayList<>();
        for (Gp base : BASES) {
            places.add(Mem.at(base, displacements[turn % displacements.length]));
            places.add(Mem.at(base, displacements[(turn + 3) % displacements.length]));
            turn++;
        }
        for (Gp index : indices) {
            places.add(
                    Mem.at(BASES[turn % BASES.length], index, 1 << turn % 4)
                            .plus(displacements[turn % displacements.length]));
            turn++;
        }
        return places;
    }

    private static boolean stores(VectorOp op) {
        return switch (op.form) {
            case STORE, NARROWING_STORE, NARROWING_STORE_IMM -> true;
            default -> false;
        };
    }

    private void registers(VectorOp op, int bits, int i, int count, @Nullable KMask mask) {
        int r0 = REGISTERS[i];
        int r1 = REGISTERS[(i + 1) % count];
        int r2 = REGISTERS[(i + 2) % count];
        int imm = 1 + i;
        boolean zeroing = K7.equals(mask);
        IntFunction<Dest> dst = n -> masked(vec(bits, n), mask, zeroing);
        switch (op.form) {
            case LOAD -> {
                Vec source = vec(op.tuple == VectorOp.Tuple.SCALAR ? 128 : bits, r1);
                add(text(op, bits, dst.apply(r0), source), a -> a.op(op, dst.apply(r0), source));
            }
            case TWO -> {
                Vec source = vec(bits, r1);
                add(text(op, bits, dst.apply(r0), source), a -> a.op(op, dst.apply(r0), source));
            }
            case FROM_GP -> {
                Gp source = new Gp[] {RAX, RDI, R8, R15, RSP, RBP}[i];
                add(
                        text(op, bits, dst.apply(r0), low(source)),
                        a -> a.op(op, dst.apply(r0), source));
            }
            case TWO_WIDENING -> {
                boolean quarter = op.tuple == VectorOp.Tuple.QUARTER_MEM;
                Vec source = vec(quarter || bits == 256 ? 128 : bits / 2, r1);
                add(text(op, bits, dst.apply(r0), source), a -> a.op(op, dst.apply(r0), source));
            }
            case TWO_NARROWING -> {
                Dest half = masked(vec(bits / 2, r0), mask, zeroing);
                Vec source = vec(bits, r1);
                add(text(op, bits, half, source), a -> a.op(op, half, source));
            }
            case TWO_IMM, SHIFT_IMM -> {
                Vec source = vec(bits, r1);
                add(
                        text(op, bits, dst.apply(r0), source, hex(imm)),
                        a -> a.op(op, dst.apply(r0), source, imm));
            }
            case THREE ->
                    add(
                            text(op, bits, dst.apply(r0), vec(bits, r1), vec(bits, r2)),
                            a -> a.op(op, dst.apply(r0), vec(bits, r1), vec(bits, r2)));
            case THREE_IMM ->
                    add(
                            withImmediate(
                                    op, bits, imm, dst.apply(r0), vec(bits, r1), vec(bits, r2)),
                            a -> a.op(op, dst.apply(r0), vec(bits, r1), vec(bits, r2), imm));
            case COMPARE_IMM -> {
                if (mask == null) {
                    KMask k = new KMask(i + 1);
                    add(
                            "vcmpneqps " + list(k, vec(bits, r1), vec(bits, r2)),
                            a -> a.op(op, k, vec(bits, r1), vec(bits, r2), 4));
                }
            }
            case STORE,
                    MASKED_LOAD,
                    MASKED_STORE,
                    NARROWING_STORE,
                    NARROWING_STORE_IMM -> {} // registers use the load form, or have none
        }
    }

    private void memory(VectorOp op, int bits, Mem mem) {
        int count = bits == 512 ? REGISTERS.length : 4;
        int r0 = REGISTERS[turn % count];
        int r1 = REGISTERS[(turn + 1) % count];
        turn++;
        Vec dst = vec(bits, r0);
        Vec other = vec(bits, r1);
        String at = memoryText(op, bits, mem);
        int imm = 1 + turn % 7;
        switch (op.form) {
            case LOAD, TWO, TWO_WIDENING -> add(text(op, bits, dst, at), a -> a.op(op, dst, mem));
            case TWO_NARROWING -> {
                Vec half = vec(bits / 2, r0);
                add(text(op, bits, half, at), a -> a.op(op, half, mem));
            }
            case TWO_IMM -> add(text(op, bits, dst, at, hex(imm)), a -> a.op(op, dst, mem, imm));
            case SHIFT_IMM -> {
                if (bits == 512) { // VEX shifts registers only
                    add(text(op, bits, dst, at, hex(imm)), a -> a.op(op, dst, mem, imm));
                }
            }
            case THREE, MASKED_LOAD ->
                    add(text(op, bits, dst, other, at), a -> a.op(op, dst, other, mem));
            case THREE_IMM ->
                    add(
                            withImmediate(op, bits, imm, dst, other, at),
                            a -> a.op(op, dst, other, mem, imm));
            case COMPARE_IMM -> {
                KMask k = new KMask(1 + turn % 7);
                add("vcmpordps " + list(k, other, at), a -> a.op(op, k, other, mem, 7));
            }
            case STORE, NARROWING_STORE -> add(text(op, bits, at, dst), a -> a.store(op, mem, dst));
            case MASKED_STORE ->
                    add(text(op, bits, at, other, dst), a -> a.store(op, mem, other, dst));
            case NARROWING_STORE_IMM ->
                    add(text(op, bits, at, dst, hex(imm)), a -> a.store(op, mem, dst, imm));
            case FROM_GP -> throw new AssertionError(op);
        }
    }

    // --- text

    private static Vec vec(int bits, int number) {
        return switch (bits) {
            case 128 -> Vec.xmm(number);
            case 256 -> Vec.ymm(number);
            default -> Vec.zmm(number);
        };
    }

    private static Dest masked(Vec register, @Nullable KMask mask, boolean zeroing) {
        if (mask == null) {
            return register;
        }
        return zeroing ? register.zeroing(mask) : register.merging(mask);
    }

    private static String text(VectorOp op, int bits, Object... operands) {
        String mnemonic = bits == 512 ? op.evex : op.vex;
        // Bare, this mnemonic is the older EVEX form.
        String form = bits == 256 && op == VectorOp.VPDPBUSD ? "{vex} " : "";
        return form + mnemonic + " " + list(operands);
    }

    /** A comparison's immediate is part of its name. */
    private static String withImmediate(VectorOp op, int bits, int imm, Object... operands) {
        return op == VectorOp.VCMPPS_LANES
                ? "vcmp" + COMPARISONS.get(imm) + "ps " + list(operands)
                : text(op, bits, operands) + "," + hex(imm);
    }

    private static String list(Object... operands) {
        return String.join(",", Arrays.stream(operands).map(Object::toString).toList());
    }

    private static String memoryText(VectorOp op, int bits, Mem mem) {
        if (mem.broadcast()) {
            return "DWORD BCST " + text(mem);
        }
        int size =
                switch (op.tuple) {
                    case FULL, FULL_MEM -> bits;
                    case HALF_MEM -> bits / 2;
                    case QUARTER_MEM -> bits / 4;
                    case SCALAR -> 32;
                };
        String word =
                switch (size) {
                    case 512 -> "ZMMWORD";
                    case 256 -> "YMMWORD";
                    case 128 -> "XMMWORD";
                    case 64 -> "QWORD";
                    default -> "DWORD";
                };
        KMask mask = mem.mask();
        return word + " PTR " + text(mem) + (mask == null ? "" : "{" + mask + "}");
    }

    private static String text(Mem mem) {
        StringBuilder text = new StringBuilder("[").append(name(mem.base()));
        Gp index = mem.index();
        if (index != null) {
            text.append('+').append(name(index)).append('*').append(mem.scale());
        }
        int d = mem.displacement();
        boolean always = mem.base() == RBP || mem.base() == R13;
        if (d != 0 || always) {
            text.append(d < 0 ? "-" : "+").append(hex(Math.abs(d)));
        }
        return text.append(']').toString();
    }

    private static boolean fits8(int value) {
        return value == (byte) value;
    }

    private static String name(Gp register) {
        return register.name().toLowerCase(Locale.ROOT);
    }

    /** Name of the lower half. */
    private static String low(Gp register) {
        String name = name(register);
        return register.number() >= 8 ? name + "d" : "e" + name.substring(1);
    }

    private static String hex(int value) {
        return "0x" + Integer.toHexString(value);
    }

    private static String hex64(int value) {
        return "0x" + Long.toHexString(value);
    }
}
