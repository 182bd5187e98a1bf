package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;
import static dev.flagship.kernels.x86.Gp.*;
import static dev.flagship.kernels.x86.Vec.ymm;
import static dev.flagship.kernels.x86.Vec.zmm;
import static dev.flagship.kernels.x86.VectorOp.*;

import dev.flagship.tensor.DType;
import java.util.Locale;

/**
 * Products with F32, F16 and BF16 weights: a sweep over groups of bands, for each group over tiles
 * of columns (rows of x), for each tile over k. Lane = row of the band; per k one {@code fma},
 * ascending, which is the definition in {@link dev.flagship.tensor.ScalarKernels}. F16 and BF16 are
 * widened exactly as they are read.
 *
 * @param bands bands of a group: 1, 2 or 4
 * @param columns largest tile, 1 to {@value Tile#MOST_COLUMNS}; for narrower rests there is a body
 *     of each width
 * @param prefetch distance in bytes at which the weights are asked for ahead
 */
record FloatKernel(Isa isa, DType type, int bands, int columns, int prefetch) {
    // Slots of the parameters. A call uses up NUMBERS, OUT and GROUPS.
    static final int NUMBERS = 0;

    /** Bytes from one band to the next. */
    static final int NUMBER_STRIDE = 1;

    static final int X = 2;
    static final int X_STRIDE = 3;
    static final int OUT = 4;
    static final int OUT_STRIDE = 5;

    /** {@link #STEP} k each; with the pairs and the odd one they make up all k. */
    static final int STEPS = 6;

    static final int PAIRS = 7;

    /** 1 if a single k is left, else 0. */
    static final int ODD = 8;

    static final int GROUPS = 9;
    static final int COLUMNS = 10;

    /** Lanes of a group's last band that are stored. */
    static final int LAST_MASK = 11;

    /** 1 if the sums begin at what OUT holds, as for the second part of k; 0 if at zero. */
    static final int CONTINUES = 12;

    /**
     * Where {@link #AHEAD_BANDS} bands that come next lie, a slot each: tiles ask for their weights
     * while they compute. A call uses them up. Not for single rows of x.
     */
    static final int AHEAD = 13;

    static final int AHEAD_BANDS = 4;

    /**
     * Bytes from a tile's rows of x to what the next tile reads, if that follows in one piece; else
     * 0. Not for single rows of x.
     */
    static final int X_AHEAD = AHEAD + AHEAD_BANDS;

    /** The same lanes as {@link #LAST_MASK}, a byte of ones each, in two slots. */
    static final int LAST_LANES = X_AHEAD + 1;

    /** A register's worth of constants: the code's own. */
    private static final int CONSTANT = LAST_LANES + 2;

    /** Slots in all. */
    static final int SLOTS = CONSTANT + 4;

    /** k of an unrolled step. */
    static final int STEP = 8;

    private static final int LINE = 64;

    /** Lines of the next group's weights that a step asks for: 8 tiles get F32 weights. */
    private static final int WEIGHT_LINES = 2;

    FloatKernel {
        check(!type.quantized(), "%s weights are no floats", type);
        int sums = bands * columns * parts(isa);
        check(
                sums + (columns == 1 ? 1 : bands * parts(isa)) <= firstBroadcast(isa),
                "a tile of %s bands × %s columns needs too many registers",
                bands,
                columns);
    }

    /** Registers that hold a number for each row of a band. */
    private static int parts(Isa isa) {
        return LINE / isa.bytes();
    }

    /** Registers for activations are from here on. */
    private static int firstBroadcast(Isa isa) {
        return isa.wide() ? 26 : 14;
    }

    /** Name for profilers and messages. */
    String symbol() {
        return String.format(
                Locale.ROOT, "project_%s_%dx%d_%s", type, bands, columns, isa.registersSymbol());
    }

    byte[] assemble() {
        return new Emitter().emit();
    }

    /** Writes one kernel. */
    private final class Emitter {
        // Fixed registers; rdi stays the address of the parameters.
        private static final Gp LINES = RSI;
        private static final Gp COUNT = RCX;
        private static final Gp ROW_STRIDE = R8;
        private static final Gp BAND_STRIDE = R9;

        /** Three strides, for the fourth band; such tiles have few columns and pointers. */
        private static final Gp BAND_STRIDE_3 = R11;

        /** Weights of a band of the next group; not used where there is one column. */
        private static final Gp NEXT_GROUP = RDX;

        /** Rows of x of the next tile; not used where there is one column. */
        private static final Gp NEXT_ROWS = R10;

        /** Free where there is one column. */
        private static final Gp LINES_AHEAD = RBX;

        private static final Gp COLUMNS_LEFT = R13;
        private static final Gp TILE_ROWS = R14;
        private static final Gp TILE_OUT = R15;

        /** Each points to a row of x; the next two are reached by the stride as index. */
        private static final Gp[] ROW_POINTERS = {RAX, RBX, R11, R12};

        private static final int ROWS_PER_POINTER = 3;
        private static final Gp[] KEPT = {RBX, R12, R13, R14, R15};
        private static final KMask LAST = new KMask(1);

        /** Upper halves of all lanes. */
        private static final Zmm UPPER = zmm(31);

        /** Lanes of the last band that are stored, a register each for half of them. */
        private static final Ymm[] LAST_HALVES = {ymm(14), ymm(15)};

        private final Assembler asm = new Assembler();
        private final boolean row = columns == 1;

        /** Registers that hold a number for each row of all bands. */
        private final int vectors = bands * parts(isa);

        private final int firstBroadcast = firstBroadcast(isa);
        private final int broadcasts = isa.wide() ? 5 : 2;

        /** Lines of the next tile's rows of x that a step asks for: as many as it reads. */
        private final int rowLines = Math.ceilDiv(columns * STEP * 4, LINE);

        /** Bands of the next groups that tiles ask for in turns. */
        private final int bandsAhead = Math.max(2, bands);

        /** The first tile where a whole one would leave a narrow one; a scale. */
        private final int even = Integer.highestOneBit(Math.max(columns - 1, 1));

        /** Columns whose tile is too narrow to hide the latency of its sums; at most even. */
        private final int few = Math.min(isa.wide() ? 4 : 3, even);

        private Mem param(int slot) {
            return Mem.at(RDI, 8 * slot);
        }

        byte[] emit() {
            asm.endbr64();
            asm.push(RBP);
            asm.mov(RBP, RSP);
            for (Gp kept : KEPT) {
                asm.push(kept);
            }
            if (isa.wide()) {
                asm.mov(RAX, param(LAST_MASK));
                asm.kmovd(LAST, RAX);
            }
            if (type == DType.BF16) {
                asm.mov32(RAX, 0xFFFF0000);
                if (isa.wide()) {
                    asm.op(VPBROADCASTD_GP, UPPER, RAX);
                } else {
                    asm.mov32(param(CONSTANT), RAX);
                    asm.op(VPBROADCASTD, ymm(0), param(CONSTANT));
                    asm.store(VMOVDQU_STORE, param(CONSTANT), ymm(0));
                }
            }
            asm.mov(ROW_STRIDE, param(X_STRIDE));
            asm.mov(BAND_STRIDE, param(NUMBER_STRIDE));
            if (bands > 2) {
                asm.lea(BAND_STRIDE_3, Mem.at(BAND_STRIDE, BAND_STRIDE, 2));
            }
            Label group = new Label();
            asm.bind(group);
            columnSweep();
            for (int b = 0; b < bands; b++) {
                asm.add(param(NUMBERS), BAND_STRIDE);
            }
            if (!row) {
                asm.mov(RAX, param(NUMBERS));
                asm.lea(RAX, Mem.at(RAX, BAND_STRIDE, bands));
                for (int b = 0; b < bandsAhead; b++) {
                    asm.mov(param(AHEAD + b), RAX);
                    asm.add(RAX, BAND_STRIDE);
                }
            }
            asm.mov32(RAX, bands * LINE);
            asm.add(param(OUT), RAX);
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

        private void columnSweep() {
            asm.mov(TILE_ROWS, param(X));
            asm.mov(TILE_OUT, param(OUT));
            if (row) { // there is no sweep
                tile(1);
                return;
            }
            Label tiles = new Label();
            Label whole = new Label();
            Label rest = new Label();
            Label done = new Label();
            asm.mov(COLUMNS_LEFT, param(COLUMNS));
            asm.bind(tiles);
            asm.cmp(COLUMNS_LEFT, columns);
            asm.jcc(Condition.BELOW, rest);
            // Some columns more than a tile are cut more evenly: one alone would wait for its sums.
            Label cutEven = new Label();
            asm.cmp(COLUMNS_LEFT, columns + 1);
            asm.jcc(Condition.BELOW, whole);
            asm.cmp(COLUMNS_LEFT, columns + few);
            asm.jcc(Condition.BELOW, cutEven);
            asm.bind(whole);
            tile(columns);
            asm.mov(RCX, param(OUT_STRIDE));
            for (int left = columns; left > 0; left -= Integer.highestOneBit(left)) {
                int scale = Integer.highestOneBit(left);
                asm.lea(TILE_ROWS, Mem.at(TILE_ROWS, ROW_STRIDE, scale));
                asm.lea(TILE_OUT, Mem.at(TILE_OUT, RCX, scale));
            }
            asm.sub(COLUMNS_LEFT, columns);
            asm.jmp(tiles);
            asm.bind(cutEven);
            tile(even);
            asm.lea(TILE_ROWS, Mem.at(TILE_ROWS, ROW_STRIDE, even));
            asm.mov(RCX, param(OUT_STRIDE));
            asm.lea(TILE_OUT, Mem.at(TILE_OUT, RCX, even));
            asm.sub(COLUMNS_LEFT, even);
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

        // --- a tile

        private Vec sum(int width, int vector, int column) {
            return isa.register(vector * width + column);
        }

        /** Many vectors of one column take turns in what is left. */
        private Vec weights(int width, int vector) {
            int first = vectors * width;
            return isa.register(first + vector % (firstBroadcast - first));
        }

        private static int pointers(int width) {
            return Math.ceilDiv(width, ROWS_PER_POINTER);
        }

        private void tile(int width) {
            asm.mov(LINES, param(NUMBERS));
            asm.mov(ROW_POINTERS[0], TILE_ROWS);
            for (int p = 1; p < pointers(width); p++) {
                asm.lea(ROW_POINTERS[p], Mem.at(ROW_POINTERS[p - 1], ROW_STRIDE, 2));
                asm.add(ROW_POINTERS[p], ROW_STRIDE);
            }
            if (!row) {
                askForOutputs(width);
            }
            begin(width);
            asm.mov(COUNT, param(STEPS));
            if (row) {
                startAhead();
            } else {
                asm.mov(NEXT_GROUP, param(AHEAD));
                asm.mov(NEXT_ROWS, TILE_ROWS);
                asm.add(NEXT_ROWS, param(X_AHEAD));
            }
            repeat(width, STEP);
            if (!row) { // the bands take turns
                for (int b = 1; b < bandsAhead; b++) {
                    asm.mov(COUNT, param(AHEAD + b));
                    asm.mov(param(AHEAD + b - 1), COUNT);
                }
                asm.mov(param(AHEAD + bandsAhead - 1), NEXT_GROUP);
            }
            asm.mov(COUNT, param(PAIRS));
            repeat(width, 2);
            asm.mov(COUNT, param(ODD));
            repeat(width, 1);
            outputs(width, false);
        }

        private int band(int vector) {
            return vector / parts(isa);
        }

        /** Bytes of a line before this vector's rows. */
        private int within(int vector) {
            return vector % parts(isa) * isa.bytes();
        }

        /** COUNT times so many k. */
        private void repeat(int width, int ks) {
            Label done = new Label();
            Label loop = new Label();
            asm.cmp(COUNT, 0);
            asm.jcc(Condition.EQUAL, done);
            asm.bind(loop);
            for (int k = 0; k < ks; k++) {
                multiply(width, k);
                if (!row && ks == STEP) {
                    askForNext(width, k);
                }
            }
            asm.add(LINES, lineBytes(ks));
            for (int p = 0; p < pointers(width); p++) {
                asm.add(ROW_POINTERS[p], 4 * ks);
            }
            if (row && ks == STEP) {
                goAhead();
            }
            asm.sub(COUNT, 1);
            asm.jcc(Condition.NOT_EQUAL, loop);
            asm.bind(done);
        }

        private void begin(int width) {
            Label fresh = new Label();
            Label begun = new Label();
            asm.mov(COUNT, param(CONTINUES));
            asm.cmp(COUNT, 0);
            asm.jcc(Condition.EQUAL, fresh);
            outputs(width, true);
            asm.jmp(begun);
            asm.bind(fresh);
            for (int i = 0; i < vectors * width; i++) {
                asm.op(VPXOR, isa.register(i), isa.register(i), isa.register(i));
            }
            asm.bind(begun);
        }

        /** Loads the sums from the outputs, or stores them there. */
        private void outputs(int width, boolean load) {
            if (isa.wide()) {
                outputs(width, load, true);
                return;
            }
            // By lanes, which some processors do slowly, only where a band is cut.
            Label cut = new Label();
            Label done = new Label();
            asm.mov(RDX, param(LAST_MASK));
            asm.cmp(RDX, 0xFFFF);
            asm.jcc(Condition.NOT_EQUAL, cut);
            outputs(width, load, false);
            asm.jmp(done);
            asm.bind(cut);
            for (int half = 0; half < LAST_HALVES.length; half++) {
                asm.op(VPMOVSXBD, LAST_HALVES[half], param(LAST_LANES + half));
            }
            outputs(width, load, true);
            asm.bind(done);
        }

        private void outputs(int width, boolean load, boolean cut) {
            asm.mov(RDX, TILE_OUT);
            for (int c = 0; c < width; c++) {
                for (int v = 0; v < vectors; v++) {
                    Mem at = Mem.at(RDX, v * isa.bytes());
                    output(at, sum(width, v, c), v, load, cut && band(v) == bands - 1);
                }
                if (c < width - 1) {
                    asm.add(RDX, param(OUT_STRIDE));
                }
            }
        }

        private void output(Mem at, Vec sum, int vector, boolean load, boolean cut) {
            if (!cut) {
                if (load) {
                    asm.op(VMOVUPS, sum, at);
                } else {
                    asm.store(VMOVUPS_STORE, at, sum);
                }
            } else if (isa.wide()) {
                if (load) {
                    asm.op(VMOVUPS, sum.zeroing(LAST), at);
                } else {
                    asm.store(VMOVUPS_STORE, at.masked(LAST), sum);
                }
            } else {
                Ymm lanes = LAST_HALVES[vector % LAST_HALVES.length];
                if (load) {
                    asm.op(VMASKMOVPS, sum, lanes, at);
                } else {
                    asm.store(VMASKMOVPS_STORE, at, lanes, sum);
                }
            }
        }

        /** Bytes of so many k in a band; a single k of BF16 is the last and need not be exact. */
        private int lineBytes(int ks) {
            return type == DType.F32 ? ks * LINE : ks * LINE / 2;
        }

        private static Mem ofBand(Gp base, int band) {
            return switch (band) {
                case 0 -> Mem.at(base);
                case 1, 2 -> Mem.at(base, BAND_STRIDE, band);
                default -> Mem.at(base, BAND_STRIDE_3, 1);
            };
        }

        /** Where k of the current step lies; BF16 has two k in a line. */
        private int offset(int k) {
            return switch (type) {
                case F32 -> k * LINE;
                case F16 -> k * (LINE / 2);
                default -> k / 2 * LINE;
            };
        }

        private Mem activation(int column, int k) {
            Gp pointer = ROW_POINTERS[column / ROWS_PER_POINTER];
            int index = column % ROWS_PER_POINTER;
            return index == 0
                    ? Mem.at(pointer, 4 * k)
                    : Mem.at(pointer, ROW_STRIDE, index).plus(4 * k);
        }

        /** Adds the products of one k; an activation is broadcast once for all bands. */
        private void multiply(int width, int k) {
            boolean inMemory = type == DType.F32 && width == 1;
            boolean inTurns = !inMemory && vectors * (width + 1) > firstBroadcast;
            for (int v = 0; v < vectors; v++) {
                if (!inMemory && !inTurns) {
                    widen(weights(width, v), line(v, k), k);
                }
                if (within(v) == 0) {
                    askFor(band(v), k);
                }
            }
            for (int c = 0; c < width; c++) {
                Vec a = isa.register(firstBroadcast + (k * width + c) % broadcasts);
                asm.op(VBROADCASTSS, a, activation(c, k));
                for (int v = 0; v < vectors; v++) {
                    if (inTurns) {
                        widen(weights(width, v), line(v, k), k);
                    }
                    Operand w = inMemory ? line(v, k) : weights(width, v);
                    asm.op(VFMADD231PS, sum(width, v, c), a, w);
                }
            }
        }

        /** A vector's numbers of a k; those of F16 take half as many bytes. */
        private Mem line(int vector, int k) {
            int within = within(vector) / (type == DType.F16 ? 2 : 1);
            return ofBand(LINES, band(vector)).plus(offset(k) + within);
        }

        private void widen(Vec to, Mem line, int k) {
            switch (type) {
                case F32 -> asm.op(VMOVUPS, to, line);
                case F16 -> asm.op(VCVTPH2PS, to, line);
                default -> {
                    if (!isa.wide()) {
                        asm.op(VMOVDQU, to, line);
                        if (k % 2 == 0) {
                            asm.op(VPSLLD, to, to, 16);
                        } else {
                            asm.op(VPAND, to, to, param(CONSTANT));
                        }
                    } else if (k % 2 == 0) {
                        asm.op(VPSLLD, to, line, 16);
                    } else {
                        asm.op(VPAND, to, UPPER, line);
                    }
                }
            }
        }

        // --- asking ahead

        /** Outputs of a large product are far away, and come while the tile is computed. */
        private void askForOutputs(int width) {
            asm.mov(RDX, TILE_OUT);
            for (int c = 0; c < width; c++) {
                for (int b = 0; b < bands; b++) {
                    asm.prefetcht0(Mem.at(RDX, b * LINE));
                }
                if (c < width - 1) {
                    asm.add(RDX, param(OUT_STRIDE));
                }
            }
        }

        /**
         * Asks for a little of the next group's weights and, in a whole tile, of the next tile's
         * rows of x. What lies beyond either is asked for in vain, which may be anywhere.
         */
        private void askForNext(int width, int k) {
            if (k < WEIGHT_LINES) {
                asm.prefetcht1(Mem.at(NEXT_GROUP, k * LINE));
            }
            if (width == columns && k < rowLines) {
                asm.prefetcht1(Mem.at(NEXT_ROWS, k * LINE));
            }
            if (k == STEP - 1) {
                asm.add(NEXT_GROUP, WEIGHT_LINES * LINE);
                asm.add(NEXT_ROWS, rowLines * LINE);
            }
        }

        private void askFor(int band, int k) {
            if (offset(k) % LINE != 0 || (type != DType.F32 && k % 2 != 0)) {
                return; // the line of the k before
            }
            asm.prefetcht0(
                    row
                            ? ofBand(LINES_AHEAD, band).plus(offset(k))
                            : ofBand(LINES, band).plus(offset(k) + prefetch));
        }

        /** Steps that the prefetch is ahead. */
        private int ahead() {
            return Math.ceilDiv(prefetch, lineBytes(STEP));
        }

        /** A single row of x reads memory as fast as it comes, so it must not ask twice. */
        private void startAhead() {
            asm.lea(LINES_AHEAD, Mem.at(LINES, ahead() * lineBytes(STEP)));
            Label within = new Label();
            asm.cmp(COUNT, ahead());
            asm.jcc(Condition.ABOVE, within);
            skipToNextGroup();
            asm.bind(within);
        }

        private void goAhead() {
            asm.add(LINES_AHEAD, lineBytes(STEP));
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
            } else if (bands == 2) {
                asm.add(LINES_AHEAD, BAND_STRIDE);
            }
        }
    }
}
