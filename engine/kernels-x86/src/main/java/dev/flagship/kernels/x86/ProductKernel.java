package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;
import static dev.flagship.kernels.x86.Gp.*;
import static dev.flagship.kernels.x86.Vec.zmm;
import static dev.flagship.kernels.x86.VectorOp.*;

import dev.flagship.tensor.DType;
import java.util.Locale;

/**
 * Int8 products: a sweep over groups of bands, for each group over tiles of columns (rows of x),
 * for each tile over blocks of 32 k. Lane = row of the band. The tiles of registers of 256 bits are
 * {@link NarrowTile}'s.
 *
 * <p>Per block an integer accumulator starts at −128·S (8-bit) or −8·S (Q4_0), which undoes the
 * offset of the unsigned weights; then {@code acc = fma((float) I, sw·sa, acc)} and for Q4_1 {@code
 * acc = fma(m, sa·S, acc)}: the operations and the order of {@link
 * dev.flagship.tensor.ScalarKernels}, whatever the tile.
 *
 * @param source where the weights of a tile are read
 * @param bands bands of a group: 1, 2 or 4
 * @param columns largest tile, 1 to 12; for narrower rests there is a body of each width
 * @param prefetch distance in bytes at which the weights are asked for ahead
 */
record ProductKernel(Isa isa, DType type, Source source, int bands, int columns, int prefetch) {

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

    static final int SLOTS = NARROW + NarrowTile.SLOTS;

    static final int LINE = 64;
    static final int LINES_8 = 8;
    private static final int LINES_4 = 4;

    ProductKernel {
        check(type.quantized(), "%s has no int8 product", type);
        int needed =
                isa.wide()
                        ? 2 * bands * columns + 2 * bands + 2
                        : NarrowTile.registers(isa, type, bands, columns);
        check(
                needed <= isa.registers(),
                "a tile of %s bands × %s columns needs too many registers",
                bands,
                columns);
    }

    /** Name for profilers and messages. */
    String symbol() {
        return String.format(
                Locale.ROOT, "project_%s_%s_%dx%d_%s", type, source, bands, columns, isa.symbol());
    }

    /** Bytes of 8-bit lines in scratch. */
    static long scratchLines(DType type, int bands, int blocks) {
        return type == DType.Q8_0 ? 0 : (long) bands * blocks * LINES_8 * LINE;
    }

    /** Bytes of F32 scales and minima in scratch. */
    static long scratchScales(DType type, int bands, int blocks) {
        return (type == DType.Q4_1 ? 2L : 1L) * bands * blocks * LINE;
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

        /** Three strides, for the fourth band; such tiles have one column and need few pointers. */
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

        private static final int ROWS_PER_POINTER = 3;
        private static final Gp[] KEPT = {RBX, R12, R13, R14, R15};
        private static final KMask LAST = new KMask(1);

        static final int NIBBLE_BITS = 0x0F0F0F0F;

        private static final Zmm NIBBLES = zmm(31);
        private static final Zmm PRODUCT = zmm(30);

        final Assembler asm = new Assembler();
        final boolean fourBit = type != DType.Q8_0;
        final boolean minima = type == DType.Q4_1;
        final boolean scratch = source == Source.SCRATCH;
        final boolean row = columns == 1;

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
            if (scratch) {
                unpackGroup();
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
                if (fourBit) {
                    asm.mov32(RAX, NIBBLE_BITS);
                    asm.op(VPBROADCASTD_GP, NIBBLES, RAX);
                }
            }
            asm.mov(ROW_STRIDE, param(ACTIVATION_STRIDE));
            asm.mov(BAND_STRIDE, param(NUMBER_STRIDE));
            asm.mov(BAND_SCALE_STRIDE, param(SCALE_STRIDE));
            if (bands > 2) {
                asm.lea(BAND_STRIDE_3, Mem.at(BAND_STRIDE, BAND_STRIDE, 2));
                asm.lea(BAND_SCALE_STRIDE_3, Mem.at(BAND_SCALE_STRIDE, BAND_SCALE_STRIDE, 2));
            }
            if (scratch && fourBit) { // lines of scratch are twice as many
                asm.add(BAND_STRIDE, BAND_STRIDE);
            }
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

        /** Bands one after the other; scales end up as [block][scale, minimum][band]. */
        private void unpackGroup() {
            Gp scaleOut = RAX;
            Gp linesOut = RBX;
            for (int b = 0; b < bands; b++) {
                asm.mov(LINES, param(NUMBERS));
                asm.mov(SCALE, param(SCALES));
                asm.mov(linesOut, param(SCRATCH_LINES));
                for (int i = 0; i < b; i++) {
                    asm.add(LINES, param(NUMBER_STRIDE));
                    asm.add(SCALE, BAND_SCALE_STRIDE);
                    asm.add(linesOut, BAND_STRIDE);
                }
                asm.mov(scaleOut, param(SCRATCH_SCALES));
                asm.mov(COUNT, param(BLOCKS));
                Label block = new Label();
                asm.bind(block);
                for (int part = 0; part < LINE; part += isa.bytes()) {
                    Vec to = isa.register(0);
                    asm.op(VCVTPH2PS, to, Mem.at(SCALE, part / 2));
                    asm.store(VMOVUPS_STORE, Mem.at(scaleOut, b * LINE + part), to);
                }
                for (int part = 0; minima && part < LINE; part += isa.bytes()) {
                    Vec to = isa.register(1);
                    asm.op(VCVTPH2PS, to, Mem.at(SCALE, 32 + part / 2));
                    asm.store(VMOVUPS_STORE, Mem.at(scaleOut, (bands + b) * LINE + part), to);
                }
                if (fourBit) {
                    for (int line = 0; line < LINES_4; line++) {
                        asm.prefetcht0(Mem.at(LINES, line * LINE + prefetch));
                        unpackLine(Mem.at(LINES, line * LINE), Mem.at(linesOut, 2 * line * LINE));
                    }
                    asm.add(LINES, LINES_4 * LINE);
                    asm.add(linesOut, LINES_8 * LINE);
                }
                asm.add(SCALE, scaleStep());
                asm.add(scaleOut, scratchScaleStep());
                asm.sub(COUNT, 1);
                asm.jcc(Condition.NOT_EQUAL, block);
            }
        }

        private int scratchScaleStep() {
            return (minima ? 2 : 1) * bands * LINE;
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

        /** low ← columns 0–3 of a 4-bit line, high ← columns 4–7, a byte each. */
        private void nibbles(Mem line, Vec low, Vec high) {
            Operand nibbles = isa.wide() ? NIBBLES : NarrowTile.nibbles(this);
            asm.op(VMOVDQU, low, line);
            asm.op(VPSRLW, high, low, 4);
            asm.op(VPAND, low, low, nibbles);
            asm.op(VPAND, high, high, nibbles);
        }

        // --- tiles

        private void columnSweep() {
            Label tiles = new Label();
            Label rest = new Label();
            Label done = new Label();
            asm.mov(COLUMNS_LEFT, param(COLUMNS));
            asm.mov(TILE_ROWS, param(ACTIVATIONS));
            asm.mov(TILE_OUT, param(OUT));
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

        /** F16 scales of the matrix. */
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
            boolean linesInScratch = scratch && fourBit;
            asm.mov(LINES, param(linesInScratch ? SCRATCH_LINES : NUMBERS));
            asm.mov(SCALE, param(scratch ? SCRATCH_SCALES : SCALES));
            asm.mov(COUNT, param(BLOCKS));
            int pointers = Math.ceilDiv(width, ROWS_PER_POINTER);
            asm.mov(ROW_POINTERS[0], TILE_ROWS);
            for (int p = 1; p < pointers; p++) {
                asm.lea(ROW_POINTERS[p], Mem.at(ROW_POINTERS[p - 1], ROW_STRIDE, 2));
                asm.add(ROW_POINTERS[p], ROW_STRIDE);
            }
            NarrowTile narrow = new NarrowTile(this, width);
            if (isa.wide()) {
                for (int i = 0; i < bands * width; i++) {
                    asm.op(VPXOR, zmm(i), zmm(i), zmm(i));
                }
            } else {
                narrow.begin();
            }
            if (row) {
                startAhead();
            }
            Label block = new Label();
            asm.bind(block);
            if (isa.wide()) {
                start(width);
                if (fourBit && !scratch) {
                    dots4(width);
                } else {
                    dots8(width);
                }
                scale(width);
            } else {
                narrow.block();
            }
            asm.add(LINES, lineStep());
            asm.add(SCALE, scratch ? scratchScaleStep() : scaleStep());
            for (int p = 0; p < pointers; p++) {
                asm.add(ROW_POINTERS[p], ActivationRows.BLOCK_BYTES);
            }
            if (row) {
                goAhead();
            }
            asm.sub(COUNT, 1);
            asm.jcc(Condition.NOT_EQUAL, block);
            if (isa.wide()) {
                store(width);
            } else {
                narrow.store(TILE_OUT);
            }
        }

        private int lineStep() {
            return (fourBit && !scratch ? LINES_4 : LINES_8) * LINE;
        }

        private int scaleStep() {
            return minima ? 64 : 32;
        }

        // --- asking ahead, for a single row of x, which reads memory as fast as it comes

        /** Blocks that the prefetch is ahead. */
        private int ahead() {
            return Math.ceilDiv(prefetch, lineStep());
        }

        private void startAhead() {
            asm.lea(LINES_AHEAD, Mem.at(LINES, ahead() * lineStep()));
            asm.lea(SCALES_AHEAD, Mem.at(SCALE, ahead() * scaleStep()));
            Label within = new Label();
            asm.cmp(COUNT, ahead());
            asm.jcc(Condition.ABOVE, within);
            skipToNextGroup();
            asm.bind(within);
        }

        private void goAhead() {
            asm.add(LINES_AHEAD, lineStep());
            asm.add(SCALES_AHEAD, scaleStep());
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
                asm.prefetcht0(line(band, line).plus(prefetch));
                return;
            }
            Mem at = ofBand(LINES_AHEAD, band, BAND_STRIDE, BAND_STRIDE_3);
            asm.prefetcht0(at.plus(line * LINE));
            if (line == 0) {
                asm.prefetcht0(ofBand(SCALES_AHEAD, band, BAND_SCALE_STRIDE, BAND_SCALE_STRIDE_3));
            }
        }

        private void start(int width) {
            for (int c = 0; c < width; c++) {
                for (int b = 0; b < bands; b++) {
                    Zmm i = integer(width, b, c);
                    if (minima) {
                        asm.op(VPXOR, i, i, i);
                    } else {
                        int offset = fourBit ? ActivationRows.START_4 : ActivationRows.START_8;
                        asm.op(VPBROADCASTD, i, activation(c, offset));
                    }
                }
            }
        }

        private void dots8(int width) {
            for (int line = 0; line < LINES_8; line++) {
                for (int b = 0; b < bands; b++) {
                    asm.op(VMOVDQU, low(width, b), line(b, line));
                    if (!scratch) {
                        askFor(b, line);
                    }
                }
                dot(width, line, false);
            }
        }

        private void dots4(int width) {
            for (int line = 0; line < LINES_4; line++) {
                for (int b = 0; b < bands; b++) {
                    nibbles(line(b, line), low(width, b), high(width, b));
                    askFor(b, line);
                }
                dot(width, 2 * line, false);
                dot(width, 2 * line + 1, true);
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

        private void scale(int width) {
            for (int b = 0; b < bands; b++) {
                if (scratch) {
                    asm.op(VMOVUPS, low(width, b), scratchScales(b));
                } else {
                    asm.op(VCVTPH2PS, low(width, b), scales(b));
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
            if (minima) {
                minimum(width);
            }
        }

        private void minimum(int width) {
            for (int b = 0; b < bands; b++) {
                if (scratch) {
                    asm.op(VMOVUPS, low(width, b), scratchMinima(b));
                } else {
                    asm.op(VCVTPH2PS, low(width, b), scales(b).plus(32));
                }
                for (int c = 0; c < width; c++) {
                    Mem scaledSum = activation(c, ActivationRows.SCALED_SUM).broadcasting();
                    asm.op(VFMADD231PS, sum(width, b, c), low(width, b), scaledSum);
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
