package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;
import static dev.flagship.kernels.x86.Gp.*;
import static dev.flagship.kernels.x86.Vec.zmm;
import static dev.flagship.kernels.x86.VectorOp.*;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;

/**
 * Int8 products: a sweep over groups of bands, for each group over tiles of columns (rows of x),
 * for each tile over blocks of 32 k. Lane = row of the band. The tiles of registers of 256 bits are
 * {@link NarrowTile}'s.
 *
 * <p>Per block an integer accumulator starts at −128·S (8-bit), −8·S (Q4_0), −16·S (Q5_0) or −32·S
 * (Q6_K, per group of 16), which undoes the offset of the unsigned weights; then {@code acc =
 * fma((float) I, sw·sa, acc)} and for types with a minimum {@code acc = fma(m, sa·S, acc)}: the
 * operations and the order of {@link dev.flagship.tensor.ScalarKernels}, whatever the tile.
 *
 * <p>Nibbles that stand for levels are looked up, as level + 128 where the product wants unsigned
 * weights, and from there on are 8-bit. The levels are parameters: types that differ in nothing
 * else share their kernels. Numbers of 3 bits get 28 more, and so the offset of 6-bit ones.
 *
 * <p>Scales of super-blocks are products. A single row of x makes them where it meets them; several
 * find them in scratch, as F32, where they are written before a group of bands is swept.
 *
 * @param type of {@link #SHAPES}
 * @param source where the weights of a tile are read
 * @param bands bands of a group: 1, 2 or 4
 * @param columns largest tile, 1 to {@value Tile#MOST_COLUMNS}; for narrower rests there is a body
 *     of each width
 * @param prefetch distance in bytes at which the weights are asked for ahead, into the first-level
 *     cache
 * @param far the same into the second-level cache, for several rows of x and a single band
 */
record ProductKernel(
        Isa isa, DType type, Source source, int bands, int columns, int prefetch, int far) {

    /** Where the weights of a tile are read. */
    enum Source {
        /** The matrix itself: right where a line is used by few columns. */
        MATRIX,
        /**
         * Scratch, where each group is first unpacked to 8-bit lines and F32 scales: right where
         * many columns use it.
         */
        SCRATCH
    }

    // Slots of the parameters. A call uses up NUMBERS, SCALES, OUT and GROUPS.
    static final int NUMBERS = 0;
    static final int SCALES = 1;
    static final int ACTIVATIONS = 2;
    static final int ACTIVATION_STRIDE = 3;
    static final int OUT = 4;
    static final int OUT_STRIDE = 5;
    static final int BLOCKS = 6;
    static final int GROUPS = 7;
    static final int COLUMNS = 8;

    /** Lanes of a group's last band that are stored, a bit each. */
    static final int LAST_MASK = 9;

    /** All of them. */
    static final long ALL_LANES = 0xFFFF;

    static final int SCRATCH_LINES = 10;
    static final int SCRATCH_SCALES = 11;

    /** Bytes from one band to the next. */
    static final int NUMBER_STRIDE = 12;

    static final int SCALE_STRIDE = 13;

    /** The same lanes as {@link #LAST_MASK}, a byte of ones each, in two slots. */
    static final int LAST_LANES = 14;

    /** Where {@link NarrowTile} keeps what does not fit into registers. */
    static final int NARROW = 16;

    /** {@link HalfSums}, for groups of 16. */
    static final int HALF_SUMS = NARROW + NarrowTile.SLOTS;

    /** Bytes from a block's sums to the next block's. */
    static final int HALF_SUM_STRIDE = HALF_SUMS + 1;

    /** Those of the tile at hand, and a register's place meanwhile: the kernel's own. */
    private static final int TILE_HALF_SUMS = HALF_SUMS + 2;

    private static final int SAVED_TILE_ROWS = HALF_SUMS + 3;

    /**
     * Bytes by which asking for the next group's weights goes on in each block of each tile, where
     * weights are unpacked: they come from memory while this group is multiplied. {@link
     * #nextStep}.
     */
    static final int NEXT_STEP = HALF_SUMS + 4;

    /** Lines asked for at a time, as many as {@link #nextStep} goes on at most. */
    private static final int NEXT_LINES = 2;

    /** How far that has come: the kernel's own. */
    private static final int NEXT = HALF_SUMS + 5;

    /** Bytes from a tile's sums to the next tile's. */
    static final int HALF_SUM_TILE = HALF_SUMS + 6;

    static final int SLOTS = HALF_SUMS + 7;

    static final int LINE = 64;
    static final int LINES_8 = 8;

    /** Blocks of 32 in a super-block. */
    private static final int SUPER = 8;

    /** The types that there are kernels for; their groups of 16 have no minima. */
    static final Set<DType> TYPES = types();

    /** Those of them that have kernels of their own. */
    static final Set<DType> SHAPES = shapes();

    private static Set<DType> types() {
        Set<DType> types = EnumSet.allOf(DType.class);
        types.removeIf(type -> !type.quantized() || type == DType.Q2_K);
        return Collections.unmodifiableSet(types);
    }

    private static Set<DType> shapes() {
        Set<DType> shapes = EnumSet.noneOf(DType.class);
        TYPES.forEach(type -> shapes.add(shape(type)));
        return Collections.unmodifiableSet(shapes);
    }

    /** The type whose kernels multiply this one, with its own {@link #tables}. */
    static DType shape(DType type) {
        if (!type.named()) {
            return type;
        }
        return halved(type) ? DType.IQ2_XS : DType.IQ4_XS;
    }

    /**
     * What the slots from {@link NarrowTile#FACTOR} on hold for a type: a factor of scales, or of
     * those of super-blocks, and levels; nothing for types without levels.
     */
    static long[] tables(Isa isa, DType type) {
        return type.coded() ? NarrowTile.tables(isa, type) : new long[0];
    }

    ProductKernel {
        check(SHAPES.contains(type), "%s weights have no product of their own here", type);
        int needed =
                isa.wide()
                        ? 2 * bands * columns + 2 * bands + constants(type)
                        : NarrowTile.registers(isa, type, bands, columns);
        check(
                needed <= isa.registers(),
                "a tile of %s bands × %s columns needs too many registers",
                bands,
                columns);
    }

    /** Wide registers that nothing but constants and products use. */
    private static int constants(DType type) {
        return switch (type.bits()) {
            case 3 -> 4;
            case 5, 6 -> 3;
            default -> type.coded() ? 3 : 2;
        };
    }

    /** Whether two groups share a block. */
    static boolean halved(DType type) {
        return type.groupElements() < BandMatrix.BLOCK;
    }

    /** Name for profilers and messages. */
    String symbol() {
        return String.format(
                Locale.ROOT, "project_%s_%s_%dx%d_%s", type, source, bands, columns, isa.symbol());
    }

    /**
     * What {@link #NEXT_STEP} is: the whole group in as many steps as its tiles have blocks, or the
     * beginning of it where rows of x are so few that this would leave lines out.
     *
     * @param bytes of a group's numbers
     * @param columns of a tile
     * @param rows of x
     */
    static long nextStep(long bytes, int blocks, int columns, int rows) {
        long steps = (long) blocks * Math.ceilDiv(rows, columns);
        return Math.min(Math.ceilDiv(bytes, steps), NEXT_LINES * LINE);
    }

    /** Bytes of 8-bit lines in scratch. */
    static long scratchLines(DType type, int bands, int blocks) {
        return type == DType.Q8_0 ? 0 : (long) bands * blocks * LINES_8 * LINE;
    }

    /** Bytes of F32 scales and minima in scratch. */
    static long scratchScales(DType type, int bands, int blocks) {
        return (type.hasMinimum() || halved(type) ? 2L : 1L) * bands * blocks * LINE;
    }

    /** Whether kernels that read lines from the matrix want scales in scratch. */
    static boolean widensScales(DType type) {
        return type.superBlocks();
    }

    byte[] assemble() {
        return new Emitter().emit();
    }

    /** Writes one kernel. */
    final class Emitter {
        // Fixed registers; rdi stays the address of the parameters.
        private static final Gp LINES = RSI;
        private static final Gp SCALE = RDX;
        private static final Gp COUNT = RCX;
        private static final Gp ROW_STRIDE = R8;
        private static final Gp BAND_STRIDE = R9;
        private static final Gp BAND_SCALE_STRIDE = R10;

        /** Three strides, for the fourth band; such tiles have few columns and need one pointer. */
        private static final Gp BAND_STRIDE_3 = R11;

        private static final Gp BAND_SCALE_STRIDE_3 = R12;
        private static final Gp COLUMNS_LEFT = R13;
        private static final Gp TILE_ROWS = R14;
        private static final Gp TILE_OUT = R15;

        /** Each points to a row of x; the next two are reached by the stride as index. */
        private static final Gp[] ROW_POINTERS = {RAX, RBX, R11, R12};

        /** Free where there is one column. */
        private static final Gp LINES_AHEAD = RBX;

        private static final Gp SCALES_AHEAD = R13;

        /** Blocks left of a super-block: where there is one column, and while unpacking. */
        private static final Gp SUPER_LEFT = R8;

        private static final Gp SUPER_LEFT_UNPACKING = R13;

        /** Free in tiles of at most two bands and two pointers to rows of x. */
        private static final Gp NEXT_LINE = R11;

        private static final int NEXT_POINTERS = 2;

        /** Free within a tile, once it is kept elsewhere. */
        private static final Gp HALF_SUM = TILE_ROWS;

        private static final int ROWS_PER_POINTER = 3;
        private static final Gp[] KEPT = {RBX, R12, R13, R14, R15};
        private static final KMask LAST = new KMask(1);

        /**
         * 3-bit numbers are stored with an offset of 4: with this less they have that of 6 bits.
         */
        static final int MINUS_28 = 0xE4E4E4E4;

        private static final Zmm NIBBLES = zmm(31);
        private static final Zmm PRODUCT = zmm(30);

        /** The bits of a number above its lowest: {@link PackedFours#highBits(int)}. */
        private static final Zmm HIGH_BITS = zmm(29);

        /** Levels of a type that has no high bits. */
        private static final Zmm LEVELS = zmm(29);

        private static final Zmm OFFSET_3 = zmm(28);

        private static final int MANTISSA_BITS = 23;

        /** 2⁻¹²⁷, twice the smallest scale of MXFP4. */
        static final int LEAST_DOUBLED = 0x00400000;

        final Assembler asm = new Assembler();
        final int bits = type.bits();

        /** Nibbles stand for levels. */
        final boolean coded = type.coded();

        /** A number's bits lie in two lines. */
        final boolean split = PackedFours.split(bits);

        /** Groups are half a block. */
        final boolean halved = halved(type);

        final boolean minima = type.hasMinimum();
        final boolean superBlocks = type.superBlocks();
        final boolean scratch = source == Source.SCRATCH;
        final boolean row = columns == 1;

        /** Lines are read from scratch, 8-bit. */
        private final boolean unpacked = scratch && type != DType.Q8_0;

        /** Scales are read from scratch, F32. */
        final boolean widened = scratch || superBlocks && !row;

        ProductKernel kernel() {
            return ProductKernel.this;
        }

        Mem param(int slot) {
            return Mem.at(RDI, 8 * slot);
        }

        byte[] emit() {
            asm.endbr64();
            asm.push(RBP);
            asm.mov(RBP, RSP);
            for (Gp kept : KEPT) {
                asm.push(kept);
            }
            constants();
            Label group = new Label();
            asm.bind(group);
            if (widened) {
                unpackGroup();
            }
            if (scratch) {
                asm.mov(RAX, param(NUMBERS));
                for (int b = 0; b < bands; b++) {
                    asm.add(RAX, param(NUMBER_STRIDE));
                }
                asm.mov(param(NEXT), RAX);
            }
            columnSweep();
            nextGroup();
            asm.sub(param(GROUPS), 1);
            asm.jcc(Condition.NOT_EQUAL, group);
            asm.vzeroupper();
            for (int i = KEPT.length - 1; i >= 0; i--) {
                asm.pop(KEPT[i]);
            }
            asm.pop(RBP);
            asm.ret();
            return asm.bytes();
        }

        private void constants() {
            if (!isa.wide()) {
                NarrowTile.constants(this);
            } else {
                asm.mov(RAX, param(LAST_MASK));
                asm.kmovd(LAST, RAX);
                wideConstants();
            }
            asm.mov(ROW_STRIDE, param(ACTIVATION_STRIDE));
            asm.mov(BAND_STRIDE, param(NUMBER_STRIDE));
            asm.mov(BAND_SCALE_STRIDE, param(SCALE_STRIDE));
            if (unpacked) {
                asm.mov(BAND_STRIDE, param(BLOCKS));
                for (int size = 1; size < LINES_8 * LINE; size *= 2) {
                    asm.add(BAND_STRIDE, BAND_STRIDE);
                }
            }
            if (bands > 2) {
                asm.lea(BAND_STRIDE_3, Mem.at(BAND_STRIDE, BAND_STRIDE, 2));
                asm.lea(BAND_SCALE_STRIDE_3, Mem.at(BAND_SCALE_STRIDE, BAND_SCALE_STRIDE, 2));
            }
        }

        private void wideConstants() {
            if (bits < 8) {
                constant(NIBBLES, PackedFours.lowBits(bits));
            }
            if (split) {
                constant(HIGH_BITS, PackedFours.highBits(bits));
            }
            if (bits == 3) {
                constant(OFFSET_3, MINUS_28);
            }
            if (coded) {
                asm.op(VMOVDQU, LEVELS, NarrowTile.levels(this));
            }
            if (type == DType.MXFP4) {
                asm.mov32(RAX, LEAST_DOUBLED);
                asm.mov32(NarrowTile.leastDoubled(this), RAX);
            }
        }

        private void constant(Zmm to, int value) {
            asm.mov32(RAX, value);
            asm.op(VPBROADCASTD_GP, to, RAX);
        }

        private void nextGroup() {
            for (int b = 0; b < bands; b++) {
                asm.mov(RAX, param(NUMBER_STRIDE));
                asm.add(param(NUMBERS), RAX);
                asm.add(param(SCALES), BAND_SCALE_STRIDE);
            }
            asm.mov32(RAX, bands * LINE);
            asm.add(param(OUT), RAX);
        }

        // --- unpacking

        /**
         * Bands one after the other; scales end up as [block][scale, minimum][band], those of
         * groups of 16 as [block][half][band].
         */
        private void unpackGroup() {
            Gp scaleOut = RAX;
            Gp linesOut = RBX;
            for (int b = 0; b < bands; b++) {
                asm.mov(LINES, param(NUMBERS));
                asm.mov(SCALE, param(SCALES));
                if (unpacked) {
                    asm.mov(linesOut, param(SCRATCH_LINES));
                }
                for (int i = 0; i < b; i++) {
                    asm.add(LINES, param(NUMBER_STRIDE));
                    asm.add(SCALE, BAND_SCALE_STRIDE);
                    if (unpacked) {
                        asm.add(linesOut, BAND_STRIDE);
                    }
                }
                asm.mov(scaleOut, param(SCRATCH_SCALES));
                asm.mov(COUNT, param(BLOCKS));
                Label superBlock = new Label();
                Label block = new Label();
                asm.bind(superBlock);
                if (superBlocks) {
                    for (int part = 0; part < parts(); part++) {
                        Mem at = Mem.at(SCALE, part * isa.bytes() / 2);
                        enterSuperBlock(common(part), commonMinimum(part), at);
                    }
                    asm.add(SCALE, superScales());
                    asm.mov32(SUPER_LEFT_UNPACKING, SUPER);
                }
                asm.bind(block);
                widenScales(scaleOut, b);
                if (unpacked) {
                    unpackBlock(linesOut);
                }
                asm.add(SCALE, scaleStep());
                asm.add(scaleOut, scratchScaleStep());
                leaveBlock(SUPER_LEFT_UNPACKING, block, superBlock);
            }
        }

        /** Registers that hold a number for each row of a band. */
        private int parts() {
            return LINE / isa.bytes();
        }

        // While unpacking.
        private Vec common(int part) {
            return isa.register(4 + part);
        }

        private Vec commonMinimum(int part) {
            return isa.register(4 + parts() + part);
        }

        /** Scales of a block of band b, from SCALE into scratch. */
        private void widenScales(Gp scaleOut, int b) {
            Mem first = Mem.at(scaleOut, b * LINE);
            Mem second = Mem.at(scaleOut, (bands + b) * LINE);
            if (superBlocks) {
                for (int part = 0; part < parts(); part++) {
                    int at = part * isa.bytes();
                    Mem small = Mem.at(SCALE, at / 4);
                    smallScale(isa.register(0), small, common(part));
                    asm.store(VMOVUPS_STORE, first.plus(at), isa.register(0));
                    if (halved || minima) {
                        smallScale(
                                isa.register(1),
                                small.plus(16),
                                halved ? common(part) : commonMinimum(part));
                        asm.store(VMOVUPS_STORE, second.plus(at), isa.register(1));
                    }
                }
                return;
            }
            widen(Mem.at(SCALE), first, isa.register(0));
            if (minima) {
                widen(Mem.at(SCALE, 32), second, isa.register(1));
            }
        }

        private void widen(Mem from, Mem to, Vec spare) {
            for (int part = 0; part < LINE; part += isa.bytes()) {
                plainScale(spare, from, part);
                asm.store(VMOVUPS_STORE, to.plus(part), spare);
            }
        }

        /**
         * Scales of a block that is no part of a super-block, or its minima.
         *
         * @param part bytes of F32 numbers before the wanted ones
         */
        void plainScale(Vec to, Mem from, int part) {
            if (type != DType.MXFP4) {
                asm.op(VCVTPH2PS, to, from.plus(part / 2));
                return;
            }
            // 2^(e − 127) by its bits, of which an e of 0 would have none; then half of it.
            Mem least = NarrowTile.leastDoubled(this);
            asm.op(VPMOVZXBD, to, from.plus(part / 4));
            asm.op(VPSLLD, to, to, MANTISSA_BITS);
            asm.op(VPMAXSD, to, to, isa.wide() ? least.broadcasting() : least);
            multiplyByFactor(to);
        }

        private void multiplyByFactor(Vec scales) {
            Mem factor = NarrowTile.factor(this);
            asm.op(VMULPS, scales, scales, isa.wide() ? factor.broadcasting() : factor);
        }

        private void unpackBlock(Gp linesOut) {
            for (int line = 0; line < bits; line++) {
                asm.prefetcht0(Mem.at(LINES, line * LINE + prefetch));
            }
            for (int line = 0; line < LINES_8; line++) {
                Mem to = Mem.at(linesOut, line * LINE);
                if (split) {
                    for (int part = 0; part < LINE; part += isa.bytes()) {
                        splitFour(Mem.at(LINES, part), line, isa.register(2), isa.register(3));
                        asm.store(VMOVDQU_STORE, to.plus(part), isa.register(2));
                    }
                } else if (line % 2 == 0) {
                    unpackLine(Mem.at(LINES, line / 2 * LINE), to);
                }
            }
            asm.add(LINES, bits * LINE);
            asm.add(linesOut, LINES_8 * LINE);
        }

        private int scratchScaleStep() {
            return (minima || halved ? 2 : 1) * bands * LINE;
        }

        // --- super-blocks

        /** Bytes of a super-block's own scales, before those of its groups. */
        private int superScales() {
            return BandMatrix.groupScalesAt(type);
        }

        /** A super-block's scales and minima, F32. */
        void enterSuperBlock(Vec d, Vec dmin, Mem at) {
            asm.op(VCVTPH2PS, d, at);
            if (coded) {
                multiplyByFactor(d);
            }
            if (minima) {
                asm.op(VCVTPH2PS, dmin, at.plus(32));
            }
        }

        /** A group's small scales, times those of its super-block. */
        void smallScale(Vec to, Mem bytes, Operand common) {
            asm.op(minima ? VPMOVZXBD : VPMOVSXBD, to, bytes);
            asm.op(VCVTDQ2PS, to, to);
            asm.op(VMULPS, to, to, common);
        }

        /** Goes on with the next block, if there is one. */
        private void leaveBlock(Gp superLeft, Label block, Label superBlock) {
            asm.sub(COUNT, 1);
            if (superBlocks) {
                Label done = new Label();
                asm.jcc(Condition.EQUAL, done);
                asm.sub(superLeft, 1);
                asm.jcc(Condition.NOT_EQUAL, block);
                asm.jmp(superBlock);
                asm.bind(done);
            } else {
                asm.jcc(Condition.NOT_EQUAL, block);
            }
        }

        private void unpackLine(Mem line, Mem to) {
            Vec low = isa.register(2);
            Vec high = isa.register(3);
            for (int part = 0; part < LINE; part += isa.bytes()) {
                nibbles(line.plus(part), low, high);
                asm.store(VMOVDQU_STORE, to.plus(part), low);
                asm.store(VMOVDQU_STORE, to.plus(LINE + part), high);
            }
        }

        /** low ← columns 0–3 of a 4-bit line, high ← columns 4–7, a byte each, or their levels. */
        private void nibbles(Mem line, Vec low, Vec high) {
            Operand nibbles = isa.wide() ? NIBBLES : NarrowTile.nibbles(this);
            asm.op(VMOVDQU, low, line);
            asm.op(VPSRLW, high, low, 4);
            asm.op(VPAND, low, low, nibbles);
            asm.op(VPAND, high, high, nibbles);
            if (coded) {
                Vec levels = isa.wide() ? LEVELS : isa.register(8); // free while unpacking
                if (!isa.wide()) {
                    asm.op(VMOVDQU, levels, NarrowTile.levels(this));
                }
                asm.op(VPSHUFB, low, levels, low);
                asm.op(VPSHUFB, high, levels, high);
            }
        }

        /**
         * to ← four columns of a block whose numbers lie in two lines, a byte each.
         *
         * @param block where the block's lines begin
         * @param four which of its eight fours of columns
         */
        void splitFour(Mem block, int four, Vec to, Vec spare) {
            Operand lowBits = isa.wide() ? NIBBLES : NarrowTile.nibbles(this);
            Operand highBits = isa.wide() ? HIGH_BITS : NarrowTile.highBits(this);
            new PackedFours(asm, isa, bits, lowBits, highBits).take(block, four, to, spare);
            if (bits == 3) {
                asm.op(VPSUBB, to, to, isa.wide() ? OFFSET_3 : NarrowTile.offset3(this));
            }
        }

        // --- tiles

        private void columnSweep() {
            Label tiles = new Label();
            Label rest = new Label();
            Label done = new Label();
            asm.mov(COLUMNS_LEFT, param(COLUMNS));
            asm.mov(TILE_ROWS, param(ACTIVATIONS));
            asm.mov(TILE_OUT, param(OUT));
            if (halved) {
                asm.mov(RAX, param(HALF_SUMS));
                asm.mov(param(TILE_HALF_SUMS), RAX);
            }
            if (row) { // there is no sweep
                tile(1);
                return;
            }
            asm.bind(tiles);
            asm.cmp(COLUMNS_LEFT, columns);
            asm.jcc(Condition.BELOW, rest);
            tile(columns);
            advance(TILE_ROWS, ROW_STRIDE);
            asm.mov(RCX, param(OUT_STRIDE));
            advance(TILE_OUT, RCX);
            if (halved) {
                asm.mov(RAX, param(HALF_SUM_TILE));
                asm.add(param(TILE_HALF_SUMS), RAX);
            }
            asm.sub(COLUMNS_LEFT, columns);
            asm.jmp(tiles);
            asm.bind(rest);
            Label[] widths = new Label[columns];
            for (int width = 1; width < columns; width++) {
                widths[width] = new Label();
                asm.cmp(COLUMNS_LEFT, width);
                asm.jcc(Condition.EQUAL, widths[width]);
            }
            asm.jmp(done);
            for (int width = 1; width < columns; width++) {
                asm.bind(widths[width]);
                tile(width);
                asm.jmp(done);
            }
            asm.bind(done);
        }

        /** Moves a pointer on by as many strides as a tile has columns. */
        private void advance(Gp pointer, Gp stride) {
            if (columns % 3 == 0) { // a third of it is a scale
                asm.lea(RAX, Mem.at(stride, stride, 2));
                asm.lea(pointer, Mem.at(pointer, RAX, columns / 3));
                return;
            }
            for (int rest = columns; rest > 0; rest -= Integer.highestOneBit(rest)) {
                asm.lea(pointer, Mem.at(pointer, stride, Integer.highestOneBit(rest)));
            }
        }

        private Zmm sum(int width, int band, int column) {
            return zmm(band * width + column);
        }

        private Zmm integer(int width, int band, int column) {
            return zmm(bands * width + band * width + column);
        }

        /** Registers above the accumulators: one per band, then again one per band. */
        private Zmm low(int width, int band) {
            return zmm(2 * bands * width + band);
        }

        private Zmm high(int width, int band) {
            return zmm(2 * bands * width + bands + band);
        }

        /** A number of row {@code column} of the tile's activations. */
        Mem activation(int column, int offset) {
            Gp pointer = ROW_POINTERS[column / ROWS_PER_POINTER];
            int index = column % ROWS_PER_POINTER;
            return index == 0
                    ? Mem.at(pointer, offset)
                    : Mem.at(pointer, ROW_STRIDE, index).plus(offset);
        }

        private static Mem ofBand(Gp base, int band, Gp stride, Gp stride3) {
            return switch (band) {
                case 0 -> Mem.at(base);
                case 1, 2 -> Mem.at(base, stride, band);
                default -> Mem.at(base, stride3, 1);
            };
        }

        Mem line(int band, int line) {
            return ofBand(LINES, band, BAND_STRIDE, BAND_STRIDE_3).plus(line * LINE);
        }

        /** Scales as they lie in the matrix. */
        Mem scales(int band) {
            return ofBand(SCALE, band, BAND_SCALE_STRIDE, BAND_SCALE_STRIDE_3);
        }

        /** F32 scales in scratch. */
        Mem scratchScales(int band) {
            return Mem.at(SCALE, band * LINE);
        }

        Mem scratchMinima(int band) {
            return Mem.at(SCALE, (bands + band) * LINE);
        }

        private void tile(int width) {
            asm.mov(LINES, param(unpacked ? SCRATCH_LINES : NUMBERS));
            asm.mov(SCALE, param(widened ? SCRATCH_SCALES : SCALES));
            asm.mov(COUNT, param(BLOCKS));
            int pointers = Math.ceilDiv(width, ROWS_PER_POINTER);
            asm.mov(ROW_POINTERS[0], TILE_ROWS);
            for (int p = 1; p < pointers; p++) {
                asm.lea(ROW_POINTERS[p], Mem.at(ROW_POINTERS[p - 1], ROW_STRIDE, 2));
                asm.add(ROW_POINTERS[p], ROW_STRIDE);
            }
            if (halved) {
                asm.mov(param(SAVED_TILE_ROWS), TILE_ROWS);
                asm.mov(HALF_SUM, param(TILE_HALF_SUMS));
            }
            NarrowTile narrow = new NarrowTile(this, width);
            if (isa.wide()) {
                for (int i = 0; i < bands * width; i++) {
                    asm.op(VPXOR, zmm(i), zmm(i), zmm(i));
                }
            } else {
                narrow.begin();
            }
            boolean next = scratch && bands <= 2 && pointers <= NEXT_POINTERS;
            if (next) {
                asm.mov(NEXT_LINE, param(NEXT));
            }
            if (row) {
                startAhead();
            }
            boolean products = superBlocks && !widened;
            Label superBlock = new Label();
            Label block = new Label();
            asm.bind(superBlock);
            if (products) {
                for (int b = 0; isa.wide() && b < bands; b++) {
                    enterSuperBlock(kept(b), keptMinimum(b), scales(b));
                }
                if (!isa.wide()) {
                    narrow.enterSuperBlock();
                }
                asm.add(SCALE, superScales());
                asm.mov32(SUPER_LEFT, SUPER);
            }
            asm.bind(block);
            if (isa.wide()) {
                block(width);
            } else {
                narrow.block();
                if (halved) {
                    asm.add(HALF_SUM, param(HALF_SUM_STRIDE));
                }
            }
            asm.add(LINES, lineStep());
            asm.add(SCALE, widened ? scratchScaleStep() : scaleStep());
            for (int p = 0; p < pointers; p++) {
                asm.add(ROW_POINTERS[p], ActivationRows.BLOCK_BYTES);
            }
            if (row) {
                goAhead();
            }
            if (next) {
                for (int i = 0; i < NEXT_LINES; i++) {
                    asm.prefetcht1(Mem.at(NEXT_LINE, i * LINE));
                }
                asm.add(NEXT_LINE, param(NEXT_STEP));
            }
            if (products) {
                leaveBlock(SUPER_LEFT, block, superBlock);
            } else {
                asm.sub(COUNT, 1);
                asm.jcc(Condition.NOT_EQUAL, block);
            }
            if (next) {
                asm.mov(param(NEXT), NEXT_LINE);
            }
            if (halved) {
                asm.mov(TILE_ROWS, param(SAVED_TILE_ROWS));
            }
            if (isa.wide()) {
                store(width);
            } else {
                narrow.store(TILE_OUT);
            }
        }

        private void block(int width) {
            if (halved) {
                for (int half = 0; half < 2; half++) {
                    start(width, half);
                    dots(width, 4 * half, 4);
                    scale(width, half);
                }
                asm.add(HALF_SUM, param(HALF_SUM_STRIDE));
                return;
            }
            start(width, 0);
            dots(width, 0, LINES_8);
            scale(width, 0);
            if (minima) {
                minimum(width);
            }
        }

        private int lineStep() {
            if (unpacked) {
                return LINES_8 * LINE;
            }
            return bits * LINE;
        }

        /** Bytes of a block's scales, without the share of its super-block's own. */
        private int scaleStep() {
            return BandMatrix.groupScaleBytes(type) * (halved ? 2 : 1);
        }

        // --- asking ahead, for a single row of x, which reads memory as fast as it comes

        /** Blocks that the prefetch is ahead. */
        private int ahead() {
            return Math.ceilDiv(prefetch, lineStep());
        }

        /** As {@link #scaleStep}, the super-block's own scales spread over its blocks. */
        private int scaleStepAhead() {
            return superBlocks ? scaleStep() + superScales() / SUPER : scaleStep();
        }

        private void startAhead() {
            asm.lea(LINES_AHEAD, Mem.at(LINES, ahead() * lineStep()));
            asm.lea(SCALES_AHEAD, Mem.at(SCALE, ahead() * scaleStepAhead()));
            Label within = new Label();
            asm.cmp(COUNT, ahead());
            asm.jcc(Condition.ABOVE, within);
            skipToNextGroup();
            asm.bind(within);
        }

        private void goAhead() {
            asm.add(LINES_AHEAD, lineStep());
            asm.add(SCALES_AHEAD, scaleStepAhead());
            Label within = new Label();
            asm.cmp(COUNT, ahead() + 1);
            asm.jcc(Condition.NOT_EQUAL, within);
            skipToNextGroup();
            asm.bind(within);
        }

        /** What follows a band in memory is the next one of this group, which is read already. */
        private void skipToNextGroup() {
            if (bands == 4) {
                asm.add(LINES_AHEAD, BAND_STRIDE_3);
                asm.add(SCALES_AHEAD, BAND_SCALE_STRIDE_3);
            } else if (bands == 2) {
                asm.add(LINES_AHEAD, BAND_STRIDE);
                asm.add(SCALES_AHEAD, BAND_SCALE_STRIDE);
            }
        }

        void askFor(int band, int line) {
            if (!row) {
                // Several rows of x keep a thread so busy that lines of a single band must be on
                // their way all the time: more than the first-level cache has buffers for.
                Mem at = line(band, line);
                if (bands == 1) {
                    asm.prefetcht1(at.plus(far));
                } else {
                    asm.prefetcht0(at.plus(prefetch));
                }
                return;
            }
            Mem at = ofBand(LINES_AHEAD, band, BAND_STRIDE, BAND_STRIDE_3);
            asm.prefetcht0(at.plus(line * LINE));
            if (line == 0) {
                asm.prefetcht0(ofBand(SCALES_AHEAD, band, BAND_SCALE_STRIDE, BAND_SCALE_STRIDE_3));
            }
        }

        private void start(int width, int half) {
            for (int c = 0; c < width; c++) {
                Mem at = halved ? halfSum(c, half) : activation(c, startOffset());
                for (int b = 0; b < bands; b++) {
                    Zmm i = integer(width, b, c);
                    if (minima) {
                        asm.op(VPXOR, i, i, i);
                    } else {
                        asm.op(VPBROADCASTD, i, at);
                        if (bits == 5) {
                            asm.op(VPADDD, i, i, i); // twice −8·S
                        } else if (halved && coded) {
                            asm.op(VPSLLD, i, i, 2); // four times −32·S
                        }
                    }
                }
            }
        }

        /** Where the integer sum of a row of x and a block begins, of 5-bit numbers half of it. */
        int startOffset() {
            return bits == 8 || coded ? ActivationRows.START_8 : ActivationRows.START_4;
        }

        /** Where the integer sum of a row of x and half a block begins. */
        Mem halfSum(int column, int half) {
            return Mem.at(HALF_SUM, HalfSums.PAIR * column + 4 * half);
        }

        /** Products of some of a block's eight fours of columns. */
        private void dots(int width, int first, int count) {
            for (int four = first; four < first + count; four++) {
                if (unpacked || bits == 8) {
                    for (int b = 0; b < bands; b++) {
                        asm.op(VMOVDQU, low(width, b), line(b, four));
                        if (!scratch) {
                            askFor(b, four);
                        }
                    }
                    dot(width, four, false);
                } else if (split) {
                    for (int b = 0; b < bands; b++) {
                        splitFour(line(b, 0), four, low(width, b), high(width, b));
                        if (four < bits) { // a block has so many lines
                            askFor(b, four);
                        }
                    }
                    dot(width, four, false);
                } else if (four % 2 == 0) {
                    for (int b = 0; b < bands; b++) {
                        nibbles(line(b, four / 2), low(width, b), high(width, b));
                        askFor(b, four / 2);
                    }
                    dot(width, four, false);
                    dot(width, four + 1, true);
                }
            }
        }

        /** Adds the products of four k; each activation is broadcast once for all bands. */
        private void dot(int width, int four, boolean upper) {
            for (int c = 0; c < width; c++) {
                Mem a = activation(c, 4 * four);
                if (bands > 1) {
                    asm.op(VPBROADCASTD, PRODUCT, a);
                }
                for (int b = 0; b < bands; b++) {
                    Zmm w = upper ? high(width, b) : low(width, b);
                    asm.op(
                            VPDPBUSD,
                            integer(width, b, c),
                            w,
                            bands > 1 ? PRODUCT : a.broadcasting());
                }
            }
        }

        /** Scales of a super-block, kept where there is one column. */
        private Zmm kept(int band) {
            return zmm(4 * bands + band);
        }

        private Zmm keptMinimum(int band) {
            return zmm(5 * bands + band);
        }

        /**
         * @param half which of a block's groups of 16; 0 for groups of 32
         */
        private void scale(int width, int half) {
            for (int b = 0; b < bands; b++) {
                if (widened) {
                    asm.op(VMOVUPS, low(width, b), scratchScales(half * bands + b));
                } else if (superBlocks) {
                    smallScale(low(width, b), scales(b).plus(16 * half), kept(b));
                } else {
                    plainScale(low(width, b), scales(b), 0);
                }
            }
            for (int c = 0; c < width; c++) {
                for (int b = 0; b < bands; b++) {
                    Zmm i = integer(width, b, c);
                    Mem sa = activation(c, ActivationRows.SCALE).broadcasting();
                    asm.op(VCVTDQ2PS, i, i);
                    asm.op(VMULPS, PRODUCT, low(width, b), sa);
                    asm.op(VFMADD231PS, sum(width, b, c), i, PRODUCT);
                }
            }
        }

        private void minimum(int width) {
            for (int b = 0; b < bands; b++) {
                if (widened) {
                    asm.op(VMOVUPS, low(width, b), scratchMinima(b));
                } else if (superBlocks) {
                    smallScale(low(width, b), scales(b).plus(16), keptMinimum(b));
                } else {
                    asm.op(VCVTPH2PS, low(width, b), scales(b).plus(32));
                }
                VectorOp add = superBlocks ? VFNMADD231PS : VFMADD231PS; // dmin·m is subtracted
                for (int c = 0; c < width; c++) {
                    Mem scaledSum = activation(c, ActivationRows.SCALED_SUM).broadcasting();
                    asm.op(add, sum(width, b, c), low(width, b), scaledSum);
                }
            }
        }

        private void store(int width) {
            asm.mov(RAX, TILE_OUT);
            for (int c = 0; c < width; c++) {
                for (int b = 0; b < bands; b++) {
                    Mem to = Mem.at(RAX, b * LINE);
                    asm.store(
                            VMOVUPS_STORE, b == bands - 1 ? to.masked(LAST) : to, sum(width, b, c));
                }
                if (c < width - 1) {
                    asm.add(RAX, param(OUT_STRIDE));
                }
            }
        }
    }
}
