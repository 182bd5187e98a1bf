package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;
import static dev.flagship.kernels.x86.Gp.*;
import static dev.flagship.kernels.x86.VectorOp.*;
import static dev.flagship.tensor.BandMatrix.BLOCK;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;

/**
 * Widens blocks of some bands of weights to F32 lines, 16 rows each, in the order of k: the numbers
 * of {@link BandMatrix#weight}, bit for bit. Lane = row; for each quantised weight the group's
 * scale (of super-blocks a product), the number less its offset or its level, as a float, and one
 * multiplication or {@code fma}.
 *
 * <p>Numbers of 4 bits are looked up among 16 floats where registers hold as many. All other
 * quantised ones, and in shorter registers these too, are made signed bytes first, of four columns
 * at a time. Floats and levels are parameters: types that differ in nothing else share their code.
 *
 * @param type of {@link #SHAPES}
 */
record FloatUnpacker(Isa isa, DType type) {
    // Slots of the parameters, which leave alone what FloatKernel wants to find again. A call uses
    // up NUMBERS, SCALES, SUPER_SCALES and BANDS.
    static final int NUMBERS = FloatKernel.NUMBERS;

    /** Where the scales of the first block begin, of super-blocks those of its groups. */
    static final int SCALES = FloatKernel.SLOTS;

    /** Where those of its super-block begin; only for types that have some. */
    static final int SUPER_SCALES = SCALES + 1;

    /** Blocks from the first one to the end of its super-block. */
    static final int SUPER_LEFT = SCALES + 2;

    /** Out: per band 16 numbers for each k, bands without a gap. */
    static final int LINES = SCALES + 3;

    /** Blocks of 32 k, at least 1. */
    static final int BLOCKS = SCALES + 4;

    /** At least 1. */
    static final int BANDS = SCALES + 5;

    /** Bytes from one band to the next. */
    static final int NUMBER_STRIDE = SCALES + 6;

    static final int SCALE_STRIDE = SCALES + 7;

    /** Distance in bytes at which numbers are asked for ahead. */
    static final int AHEAD = SCALES + 8;

    private static final int CONSTANT = SCALES + 9;

    /** What {@link #tables} says. */
    static final int TABLES = CONSTANT + 1;

    private static final int FACTOR = TABLES;

    /** A register's worth of F32 numbers, or of levels. */
    private static final int NUMBER_TABLE = FACTOR + 4;

    static final int SLOTS = NUMBER_TABLE + 8;

    /** The quantised types, all of which can be widened. */
    static final Set<DType> TYPES = types();

    /** What has code of its own: some of them, and F16. */
    static final Set<DType> SHAPES = shapes();

    private static final int LINE = 64;
    private static final int COLUMNS = 4; // of a byte each in a lane
    private static final int FOURS = BLOCK / COLUMNS;
    private static final int SUPER = BandMatrix.SUPER_BLOCK / BLOCK;
    private static final int MANTISSA_BITS = 23;

    private static final Gp NUMBER = RSI;
    private static final Gp SCALE = RDX;
    private static final Gp LINE_OUT = RAX;
    private static final Gp COUNT = RCX;

    private static final Gp BLOCKS_OF_SUPER = R8;
    private static final Gp DISTANCE = R9;
    private static final Gp OTHER = R10;

    FloatUnpacker {
        check(
                SHAPES.contains(type) && widens(isa, type),
                "%s weights are not widened by code of their own",
                type);
    }

    /**
     * Whether weights of a type are ever widened: of the float types F16 with wide registers, whose
     * tiles pay for a conversion with a tenth of their time. That of BF16 costs them nothing, and
     * short registers wait for other things.
     */
    static boolean widens(Isa isa, DType type) {
        return type.quantized() || type == DType.F16 && isa.wide();
    }

    private static Set<DType> types() {
        Set<DType> types = EnumSet.allOf(DType.class);
        types.removeIf(type -> !type.quantized());
        return Collections.unmodifiableSet(types);
    }

    private static Set<DType> shapes() {
        Set<DType> shapes = EnumSet.of(DType.F16);
        TYPES.forEach(type -> shapes.add(ProductKernel.shape(type)));
        return Collections.unmodifiableSet(shapes);
    }

    /** The code for a type, which it may share with others. */
    static FloatUnpacker of(Isa isa, DType type) {
        return new FloatUnpacker(isa, ProductKernel.shape(type));
    }

    /**
     * What the slots from {@link #TABLES} on hold for a type: a factor of scales, or of those of
     * super-blocks, in all lanes of a short register; then what numbers of 4 bits stand for, floats
     * for wide registers, signed bytes by turns for short ones.
     */
    static long[] tables(Isa isa, DType type) {
        ByteBuffer bytes = ByteBuffer.allocate(8 * (SLOTS - TABLES)).order(ByteOrder.LITTLE_ENDIAN);
        while (bytes.position() < 8 * (NUMBER_TABLE - TABLES)) {
            bytes.putFloat(type == DType.MXFP4 ? 0.5f : type.scaleUnit());
        }
        for (int code = 0; bytes.hasRemaining(); code = (code + 1) % 16) {
            int number = type.coded() ? type.level(code) : code - type.offset();
            if (isa.wide()) {
                bytes.putFloat(number);
            } else {
                bytes.put((byte) number);
            }
        }
        long[] slots = new long[SLOTS - TABLES];
        bytes.flip().asLongBuffer().get(slots);
        return slots;
    }

    /** Name for profilers and messages. */
    String symbol() {
        return String.format(Locale.ROOT, "widen_%s_%s", type, isa.registersSymbol());
    }

    byte[] assemble() {
        return new Emitter().emit();
    }

    /** Writes the code. */
    private final class Emitter {
        private final Assembler asm = new Assembler();
        private final int bits = type.bits();
        private final boolean minima = type.hasMinimum();
        private final boolean superBlocks = type.superBlocks();

        /** Groups of a block. */
        private final int groups = type.quantized() ? BLOCK / type.groupElements() : 1;

        /** Registers that hold a number for each row of a band. */
        private final int parts = LINE / isa.bytes();

        /** Numbers are looked up as floats. */
        private final boolean lookedUp = isa.wide() && bits == 4;

        // Registers from the first on, to take apart; from the last on, constants and scales.
        private final Vec four = isa.register(0);
        private final Vec spare = isa.register(1);
        private final Vec lowBits = last(0);
        private final Vec highBits = last(1);

        /** 2⁻¹²⁷, twice the smallest scale of MXFP4, whose numbers have no high bits. */
        private final Vec leastDoubled = last(1);

        /** What a byte has more than the number; or what numbers of 4 bits stand for. */
        private final Vec offset = last(2);

        private final Vec scales = last(3);
        private final Vec minimum = last(4);
        private final PackedFours fours = new PackedFours(asm, isa, bits, lowBits, highBits);

        private Vec last(int i) {
            return isa.register(isa.registers() - 1 - i);
        }

        /** Scales of a super-block. */
        private Vec common(int part) {
            return last(5 + part);
        }

        private Vec commonMinimum(int part) {
            return last(5 + parts + part);
        }

        /** Of a four of columns. */
        private Vec weight(int k) {
            return isa.register(2 + k);
        }

        byte[] emit() {
            asm.endbr64();
            asm.push(RBP);
            asm.mov(RBP, RSP);
            constants();
            asm.mov(LINE_OUT, param(LINES));
            asm.mov(DISTANCE, param(AHEAD));
            Label band = new Label();
            asm.bind(band);
            band();
            asm.mov(OTHER, param(NUMBER_STRIDE));
            asm.add(param(NUMBERS), OTHER);
            asm.mov(OTHER, param(SCALE_STRIDE));
            asm.add(param(SCALES), OTHER);
            asm.add(param(SUPER_SCALES), OTHER);
            asm.sub(param(BANDS), 1);
            asm.jcc(Condition.NOT_EQUAL, band);
            asm.vzeroupper();
            asm.pop(RBP);
            asm.ret();
            return asm.bytes();
        }

        private void band() {
            asm.mov(NUMBER, param(NUMBERS));
            asm.mov(SCALE, param(SCALES));
            asm.mov(COUNT, param(BLOCKS));
            Label superBlock = new Label();
            Label block = new Label();
            Label done = new Label();
            if (superBlocks) { // the first of which may be a rest
                asm.mov(OTHER, param(SUPER_SCALES));
                superScales(OTHER);
                asm.mov(BLOCKS_OF_SUPER, param(SUPER_LEFT));
                asm.jmp(block);
                asm.bind(superBlock);
                superScales(SCALE);
                asm.add(SCALE, BandMatrix.groupScalesAt(type));
                asm.mov32(BLOCKS_OF_SUPER, SUPER);
            }
            asm.bind(block);
            block();
            asm.sub(COUNT, 1);
            if (superBlocks) {
                asm.jcc(Condition.EQUAL, done);
                asm.sub(BLOCKS_OF_SUPER, 1);
                asm.jcc(Condition.NOT_EQUAL, block);
                asm.jmp(superBlock);
            } else {
                asm.jcc(Condition.NOT_EQUAL, block);
            }
            asm.bind(done);
        }

        private void block() {
            for (int line = 0; line < bits; line++) {
                asm.prefetcht0(Mem.at(NUMBER, DISTANCE, 1).plus(line * LINE));
            }
            for (int part = 0; part < parts; part++) {
                for (int group = 0; group < groups; group++) {
                    if (type.quantized()) {
                        groupScales(part, group);
                    }
                    for (int i = 0; i < FOURS / groups; i++) {
                        widen(part, group * FOURS / groups + i);
                    }
                }
            }
            asm.add(NUMBER, bits * LINE);
            if (type.quantized()) {
                asm.add(SCALE, groups * BandMatrix.groupScaleBytes(type));
            }
            asm.add(LINE_OUT, BLOCK * LINE);
        }

        private Mem param(int slot) {
            return Mem.at(RDI, 8 * slot);
        }

        private void constants() {
            if (lookedUp || type.coded()) {
                asm.op(VMOVDQU, offset, param(NUMBER_TABLE));
            } else if (type.offset() > 0) {
                constant(offset, type.offset() * 0x01010101);
            }
            if (bits < 8 && !lookedUp) {
                constant(lowBits, PackedFours.lowBits(bits));
            }
            if (PackedFours.split(bits)) {
                constant(highBits, PackedFours.highBits(bits));
            }
            if (type == DType.MXFP4) {
                constant(leastDoubled, ProductKernel.Emitter.LEAST_DOUBLED);
            }
        }

        private void constant(Vec to, int value) {
            asm.mov32(RAX, value);
            if (isa.wide()) {
                asm.op(VPBROADCASTD_GP, to, RAX);
            } else {
                asm.mov32(param(CONSTANT), RAX);
                asm.op(VPBROADCASTD, to, param(CONSTANT));
            }
        }

        // --- scales

        /** Those of a super-block, as floats. */
        private void superScales(Gp from) {
            for (int part = 0; part < parts; part++) {
                Mem at = Mem.at(from, part * isa.bytes() / 2);
                asm.op(VCVTPH2PS, common(part), at);
                if (type.coded()) {
                    multiplyByFactor(common(part));
                }
                if (minima) {
                    asm.op(VCVTPH2PS, commonMinimum(part), at.plus(32));
                }
            }
        }

        private void multiplyByFactor(Vec numbers) {
            Mem factor = param(FACTOR);
            asm.op(VMULPS, numbers, numbers, isa.wide() ? factor.broadcasting() : factor);
        }

        private void groupScales(int part, int group) {
            int before = part * isa.bytes() / 4; // rows
            Mem own = Mem.at(SCALE, group * BandMatrix.groupScaleBytes(type));
            if (type == DType.MXFP4) {
                // 2^(e − 127) by its bits, of which an e of 0 would have none; then half of it.
                asm.op(VPMOVZXBD, scales, own.plus(before));
                asm.op(VPSLLD, scales, scales, MANTISSA_BITS);
                asm.op(VPMAXSD, scales, scales, leastDoubled);
                multiplyByFactor(scales);
            } else if (!superBlocks) {
                asm.op(VCVTPH2PS, scales, own.plus(2 * before));
                if (minima) {
                    asm.op(VCVTPH2PS, minimum, own.plus(32 + 2 * before));
                }
            } else if (type == DType.Q2_K) { // both in a byte
                asm.op(VPMOVZXBD, minimum, own.plus(before));
                asm.op(VPSLLD, scales, minimum, 28);
                asm.op(VPSRLD, scales, scales, 28);
                asm.op(VPSRLD, minimum, minimum, 4);
                timesCommon(scales, common(part));
                timesCommon(minimum, commonMinimum(part));
            } else {
                asm.op(VPMOVSXBD, scales, own.plus(before));
                timesCommon(scales, common(part));
                if (minima) {
                    asm.op(VPMOVSXBD, minimum, own.plus(16 + before));
                    timesCommon(minimum, commonMinimum(part));
                }
            }
        }

        private void timesCommon(Vec own, Vec common) {
            asm.op(VCVTDQ2PS, own, own);
            asm.op(VMULPS, own, own, common);
        }

        // --- numbers

        /** Four columns of as many rows as a register has lanes. */
        private void widen(int part, int four) {
            Mem block = Mem.at(NUMBER, part * isa.bytes());
            Mem out = Mem.at(LINE_OUT, four * COLUMNS * LINE + part * isa.bytes());
            if (!type.quantized()) {
                Mem halves = Mem.at(NUMBER, four * COLUMNS * LINE / 2);
                for (int k = 0; k < COLUMNS; k++) {
                    asm.op(VCVTPH2PS, weight(k), halves.plus(k * LINE / 2));
                    asm.store(VMOVUPS_STORE, out.plus(k * LINE), weight(k));
                }
                return;
            }
            if (lookedUp) {
                lookUp(block.plus(four / 2 * LINE), four % 2 * 4);
            } else {
                take(block, four);
            }
            for (int k = 0; k < COLUMNS; k++) {
                Vec weight = weight(k);
                if (!lookedUp) {
                    Vec from = this.four;
                    if (k < COLUMNS - 1) {
                        asm.op(VPSLLD, weight, from, 8 * (COLUMNS - 1 - k));
                        from = weight;
                    }
                    asm.op(VPSRAD, weight, from, 8 * (COLUMNS - 1));
                    asm.op(VCVTDQ2PS, weight, weight);
                }
                if (!minima) {
                    asm.op(VMULPS, weight, weight, scales);
                } else { // dmin·m is subtracted
                    asm.op(superBlocks ? VFMSUB213PS : VFMADD213PS, weight, scales, minimum);
                }
                asm.store(VMOVUPS_STORE, out.plus(k * LINE), weight);
            }
        }

        /** The lookup heeds the lowest four bits of a lane. */
        private void lookUp(Mem line, int shift) {
            if (shift == 0) {
                asm.op(VMOVDQU, four, line);
            }
            for (int k = 0; k < COLUMNS; k++) {
                Vec number = four;
                if (shift + 8 * k > 0) {
                    asm.op(VPSRLD, weight(k), four, shift + 8 * k);
                    number = weight(k);
                }
                asm.op(VPERMPS, weight(k), number, offset);
            }
        }

        /** four ← four columns, a signed byte each. */
        private void take(Mem block, int four) {
            if (bits == 8) {
                asm.op(VMOVDQU, this.four, block.plus(four * LINE));
            } else {
                fours.take(block, four, this.four, spare);
            }
            if (type.coded()) {
                asm.op(VPSHUFB, this.four, offset, this.four);
            } else if (type.offset() > 0) {
                asm.op(VPSUBB, this.four, this.four, offset);
            }
        }
    }
}
