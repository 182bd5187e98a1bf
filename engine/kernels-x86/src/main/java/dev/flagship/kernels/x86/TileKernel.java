package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;
import static dev.flagship.kernels.x86.Gp.*;
import static dev.flagship.kernels.x86.Vec.zmm;
import static dev.flagship.kernels.x86.VectorOp.*;

import dev.flagship.tensor.DType;
import dev.flagship.tensor.OffHeap;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Locale;

/**
 * Int8 products of many rows of x by AMX. A block of a band, 8 lines of 16 rows × 4 numbers, is as
 * it stands the right operand of a tile product, and 16 blocks of activations the left one: one
 * {@code tdpbssd} gives the integer sums of 16 rows of x by 16 rows of weights over 32 k. They go
 * through memory to vector registers, where they meet their scales in the operations and the order
 * of {@link dev.flagship.tensor.ScalarKernels}; lane = row of the band, register = row of x.
 *
 * <p>A call takes a few bands, which are first unpacked into scratch: numbers to signed bytes,
 * scales to F32, in the order [chunk of k][band][block]. Then for each tile of rows of x and each
 * chunk it sweeps over the bands, so that the chunk of x stays in the nearest cache and the bands
 * in the next; between chunks the sums wait in memory of their own.
 *
 * <p>Tiles come in pairs, as the products of a block and the transport of the last one's sums run
 * while vector registers scale those of the one before it.
 *
 * @param prefetch distance in bytes at which the weights are asked for ahead
 */
record TileKernel(DType type, int prefetch) {
    /** Rows of x in a tile. */
    static final int ROWS = 16;

    /** Blocks of a chunk: 12 KiB of a tile's rows of x. */
    static final int CHUNK = 16;

    // Slots of the parameters. A call uses up ACTIVATIONS, OUT and TILES.
    static final int NUMBERS = 0;
    static final int SCALES = 1;
    static final int ACTIVATIONS = 2;
    static final int ACTIVATION_STRIDE = 3;
    static final int OUT = 4;
    static final int OUT_STRIDE = 5;
    static final int BLOCKS = 6;
    static final int BANDS = 7;

    /** Tiles of rows of x. */
    static final int TILES = 8;

    /** Lanes of every band that are stored, a bit each. */
    static final int MASK = 9;

    static final int SCRATCH_LINES = 10;
    static final int SCRATCH_SCALES = 11;

    /** Bytes from one band of the matrix to the next. */
    static final int NUMBER_STRIDE = 12;

    static final int SCALE_STRIDE = 13;

    /** {@link #memory}. */
    static final int MEMORY = 14;

    private static final int BANDS_LEFT = 15;
    private static final int BLOCKS_LEFT = 16;
    private static final int CHUNK_BLOCKS = 17;

    static final int SLOTS = 18;

    // The memory: sums of two blocks on their way, the tiles' shapes, sums between chunks.
    private static final int CONFIG = 2 * TileKernel.ROWS * 64;
    private static final int WAITING = CONFIG + 64;
    private static final int WAITING_BYTES = TileKernel.ROWS * 64;

    private static final int LINE = 64;
    private static final int LINES = 8;
    private static final int BLOCK = LINES * LINE;

    private static final Tmm[] C = {new Tmm(0), new Tmm(1)};
    private static final Tmm[] A = {new Tmm(2), new Tmm(3)};
    private static final Tmm[] B = {new Tmm(4), new Tmm(5)};

    TileKernel {
        check(multiplies(Isa.AMX_INT8, type), "%s has no product in tiles", type);
    }

    /** Whether there is such a kernel: of the types that only 4 or 8 bits and an F16 scale make. */
    static boolean multiplies(Isa isa, DType type) {
        return switch (type) {
            case Q8_0, Q4_0, Q4_1 -> isa == Isa.AMX_INT8;
            default -> false;
        };
    }

    /** Name for profilers and messages. */
    String symbol() {
        return String.format(Locale.ROOT, "project_%s_tiles_%s", type, Isa.AMX_INT8.symbol());
    }

    /** Bytes of signed 8-bit lines in scratch. */
    static long scratchLines(int bands, int blocks) {
        return (long) bands * blocks * BLOCK;
    }

    /** Bytes of F32 scales and minima in scratch. */
    static long scratchScales(DType type, int bands, int blocks) {
        return (long) bands * blocks * scaleStep(type);
    }

    private static int scaleStep(DType type) {
        return type == DType.Q4_1 ? 2 * LINE : LINE;
    }

    /**
     * What a thread needs, with the shapes of the tiles as {@code ldtilecfg} reads them (SDM volume
     * 1, section 18.3).
     *
     * @param bands of a call, at most
     */
    static OffHeap memory(int bands) {
        OffHeap memory = OffHeap.allocate(WAITING + (long) bands * WAITING_BYTES);
        MemorySegment config = memory.segment().asSlice(CONFIG, 64).fill((byte) 0);
        config.set(ValueLayout.JAVA_BYTE, 0, (byte) 1); // palette
        for (int i = 0; i < 2; i++) {
            shape(config, C[i], ROWS, LINE);
            shape(config, A[i], ROWS, 32);
            shape(config, B[i], LINES, LINE);
        }
        return memory;
    }

    private static void shape(MemorySegment config, Tmm tile, int rows, int rowBytes) {
        config.set(ValueLayout.JAVA_SHORT_UNALIGNED, 16 + 2L * tile.number(), (short) rowBytes);
        config.set(ValueLayout.JAVA_BYTE, 48L + tile.number(), (byte) rows);
    }

    byte[] assemble() {
        return new Emitter().emit();
    }

    /** Writes one kernel. */
    private final class Emitter {
        // Fixed registers; rdi stays the address of the parameters.
        private static final Gp LINES_AT = RSI;
        private static final Gp SCALE = RDX;
        private static final Gp COUNT = RCX;
        private static final Gp ROW_STRIDE = R8;

        /** Bytes from line to line and from sum to sum. */
        private static final Gp LINE_STRIDE = R9;

        private static final Gp TILE_ROWS = R13;
        private static final Gp SUMS_AT = R14;
        private static final Gp TILE_OUT = R15;

        /** Where the band's sums wait for the next chunk. */
        private static final Gp WAIT = RBP;

        /** Free while unpacking. */
        private static final Gp SPARE = R14;

        /** Rows of x that have a pointer; others are 1, 2, 4 or 8 rows from one of them. */
        private static final int[] POINTED = {0, 3, 5, 7, 10};

        private static final Gp[] POINTERS = {RAX, RBX, R10, R11, R12};
        private static final Gp[] KEPT = {RBX, R12, R13, R14, R15};
        private static final KMask LANES = new KMask(1);
        private static final Zmm SCALES_NOW = zmm(16);
        private static final Zmm MINIMA_NOW = zmm(17);
        private static final Zmm LOW = zmm(18);
        private static final Zmm HIGH = zmm(19);

        /** Of 4-bit types: low nibbles and 8; of 8-bit ones: the upper bit. */
        private static final Zmm NIBBLES = zmm(30);

        private static final Zmm OFFSET = zmm(31);

        /** The first of four pairs. */
        private static final int PAIRS = 20;

        private final Assembler asm = new Assembler();
        private final boolean fourBit = type != DType.Q8_0;
        private final boolean minima = type == DType.Q4_1;

        private static Mem param(int slot) {
            return Mem.at(RDI, 8 * slot);
        }

        byte[] emit() {
            asm.endbr64();
            asm.push(RBP);
            for (Gp kept : KEPT) {
                asm.push(kept);
            }
            asm.mov(RAX, param(MEMORY));
            asm.ldtilecfg(Mem.at(RAX, CONFIG));
            asm.mov(RAX, param(MASK));
            asm.kmovd(LANES, RAX);
            asm.mov(ROW_STRIDE, param(ACTIVATION_STRIDE));
            asm.mov32(LINE_STRIDE, LINE);
            unpack();
            asm.mov(SUMS_AT, param(MEMORY));
            tiles();
            asm.tilerelease();
            asm.vzeroupper();
            for (int i = KEPT.length - 1; i >= 0; i--) {
                asm.pop(KEPT[i]);
            }
            asm.pop(RBP);
            asm.ret();
            return asm.bytes();
        }

        // --- unpacking

        private void unpack() {
            Gp numbers = R10; // of the chunk's first band
            Gp scales = R11;
            Gp bandsLeft = R12;
            Gp blocksLeft = R13;
            Gp scaleOut = RAX;
            Gp linesOut = RBX;
            constant(OFFSET, fourBit ? 0x08080808 : 0x80808080);
            constant(NIBBLES, 0x0F0F0F0F);
            asm.mov(numbers, param(NUMBERS));
            asm.mov(scales, param(SCALES));
            asm.mov(linesOut, param(SCRATCH_LINES));
            asm.mov(scaleOut, param(SCRATCH_SCALES));
            asm.mov(blocksLeft, param(BLOCKS));
            Label chunk = new Label();
            Label band = new Label();
            Label block = new Label();
            asm.bind(chunk);
            chunkBlocks(blocksLeft);
            asm.mov(bandsLeft, param(BANDS));
            asm.mov(R15, numbers);
            asm.mov(SPARE, scales);
            asm.bind(band);
            asm.mov(LINES_AT, R15);
            asm.mov(SCALE, SPARE);
            asm.mov(COUNT, param(CHUNK_BLOCKS));
            asm.bind(block);
            unpackBlock(linesOut, scaleOut);
            asm.sub(COUNT, 1);
            asm.jcc(Condition.NOT_EQUAL, block);
            asm.add(R15, param(NUMBER_STRIDE));
            asm.add(SPARE, param(SCALE_STRIDE));
            asm.sub(bandsLeft, 1);
            asm.jcc(Condition.NOT_EQUAL, band);
            asm.add(numbers, CHUNK * lines() * LINE);
            asm.add(scales, CHUNK * scaleStep(type) / 2);
            asm.sub(blocksLeft, CHUNK);
            asm.jcc(Condition.ABOVE, chunk);
        }

        /** CHUNK_BLOCKS ← the smaller of so many blocks and a chunk's. */
        private void chunkBlocks(Gp left) {
            Label whole = new Label();
            asm.mov32(COUNT, CHUNK);
            asm.cmp(left, CHUNK);
            asm.jcc(Condition.ABOVE, whole);
            asm.mov(COUNT, left);
            asm.bind(whole);
            asm.mov(param(CHUNK_BLOCKS), COUNT);
        }

        /** Lines of a block in the matrix. */
        private int lines() {
            return fourBit ? LINES / 2 : LINES;
        }

        private void unpackBlock(Gp linesOut, Gp scaleOut) {
            asm.op(VCVTPH2PS, LOW, Mem.at(SCALE));
            asm.store(VMOVUPS_STORE, Mem.at(scaleOut), LOW);
            if (minima) {
                asm.op(VCVTPH2PS, LOW, Mem.at(SCALE, LINE / 2));
                asm.store(VMOVUPS_STORE, Mem.at(scaleOut, LINE), LOW);
            }
            for (int line = 0; line < lines(); line++) {
                asm.prefetcht0(Mem.at(LINES_AT, line * LINE + prefetch));
                if (fourBit) {
                    nibbles(line, linesOut);
                } else {
                    asm.op(VPXOR, LOW, OFFSET, Mem.at(LINES_AT, line * LINE));
                    asm.store(VMOVDQU_STORE, Mem.at(linesOut, line * LINE), LOW);
                }
            }
            asm.add(LINES_AT, lines() * LINE);
            asm.add(SCALE, scaleStep(type) / 2);
            asm.add(linesOut, BLOCK);
            asm.add(scaleOut, scaleStep(type));
        }

        private void constant(Zmm register, int bits) {
            asm.mov32(RAX, bits);
            asm.op(VPBROADCASTD_GP, register, RAX);
        }

        /** A 4-bit line becomes two: columns 0–3 of its low nibbles, columns 4–7 of its high. */
        private void nibbles(int line, Gp out) {
            asm.op(VMOVDQU, LOW, Mem.at(LINES_AT, line * LINE));
            asm.op(VPSRLW, HIGH, LOW, 4);
            Zmm[] halves = {LOW, HIGH};
            for (int i = 0; i < 2; i++) {
                asm.op(VPAND, halves[i], halves[i], NIBBLES);
                if (!minima) {
                    asm.op(VPSUBB, halves[i], halves[i], OFFSET);
                }
                asm.store(VMOVDQU_STORE, Mem.at(out, (2 * line + i) * LINE), halves[i]);
            }
        }

        // --- products

        private void tiles() {
            Label tile = new Label();
            Label chunk = new Label();
            Label band = new Label();
            asm.mov(TILE_ROWS, param(ACTIVATIONS));
            asm.bind(tile);
            asm.mov(LINES_AT, param(SCRATCH_LINES));
            asm.mov(SCALE, param(SCRATCH_SCALES));
            asm.mov(RAX, param(BLOCKS));
            asm.mov(param(BLOCKS_LEFT), RAX);
            asm.bind(chunk);
            asm.mov(RAX, param(BLOCKS_LEFT));
            chunkBlocks(RAX);
            asm.mov(TILE_OUT, param(OUT));
            asm.lea(WAIT, Mem.at(SUMS_AT, WAITING));
            asm.mov(RAX, param(BANDS));
            asm.mov(param(BANDS_LEFT), RAX);
            asm.bind(band);
            band();
            asm.add(TILE_OUT, LINE);
            asm.sub(param(BANDS_LEFT), 1);
            asm.jcc(Condition.NOT_EQUAL, band);
            asm.add(TILE_ROWS, CHUNK * ActivationRows.BLOCK_BYTES);
            asm.sub(param(BLOCKS_LEFT), CHUNK);
            asm.jcc(Condition.ABOVE, chunk);
            asm.mov(RAX, param(OUT_STRIDE));
            asm.lea(RBX, Mem.at(RAX, RAX, 1)); // 16 rows on, by eights
            asm.mov(RAX, param(OUT));
            asm.lea(RAX, Mem.at(RAX, RBX, 8));
            asm.mov(param(OUT), RAX);
            asm.mov(TILE_ROWS, param(ACTIVATIONS));
            asm.lea(TILE_ROWS, Mem.at(TILE_ROWS, ROW_STRIDE, 8));
            asm.lea(TILE_ROWS, Mem.at(TILE_ROWS, ROW_STRIDE, 8));
            asm.mov(param(ACTIVATIONS), TILE_ROWS);
            asm.sub(param(TILES), 1);
            asm.jcc(Condition.NOT_EQUAL, tile);
        }

        /** A chunk of a tile of rows by a band. */
        private void band() {
            for (int p = 0; p < POINTED.length; p++) {
                pointTo(p);
            }
            begin();
            asm.mov(COUNT, param(CHUNK_BLOCKS));
            Label pair = new Label();
            Label only = new Label();
            Label afterEven = new Label();
            Label afterOdd = new Label();
            Label done = new Label();
            multiply(0);
            next(only);
            multiply(1);
            transport(0);
            next(afterOdd);
            asm.bind(pair);
            round(0);
            next(afterEven);
            round(1);
            advance();
            asm.sub(COUNT, 1);
            asm.jcc(Condition.NOT_EQUAL, pair);
            asm.bind(afterOdd);
            transport(1);
            scale(0, 2);
            scale(1, 1);
            asm.jmp(done);
            asm.bind(afterEven);
            transport(0);
            scale(1, 2);
            scale(0, 1);
            asm.jmp(done);
            asm.bind(only);
            transport(0);
            scale(0, 1);
            asm.bind(done);
            Label lastChunk = new Label();
            Label stored = new Label();
            asm.mov(RAX, param(BLOCKS_LEFT));
            asm.cmp(RAX, CHUNK + 1);
            asm.jcc(Condition.BELOW, lastChunk);
            for (int row = 0; row < ROWS; row++) {
                asm.store(VMOVUPS_STORE, Mem.at(WAIT, row * LINE), zmm(row));
            }
            asm.jmp(stored);
            asm.bind(lastChunk);
            asm.mov(RAX, TILE_OUT);
            for (int row = 0; row < ROWS; row++) {
                asm.store(VMOVUPS_STORE, Mem.at(RAX).masked(LANES), zmm(row));
                if (row < ROWS - 1) {
                    asm.add(RAX, param(OUT_STRIDE));
                }
            }
            asm.bind(stored);
            asm.add(WAIT, WAITING_BYTES);
        }

        private void next(Label ifNone) {
            advance();
            asm.sub(COUNT, 1);
            asm.jcc(Condition.EQUAL, ifNone);
        }

        /** Sums are zero in the first chunk, and later what the one before left. */
        private void begin() {
            Label first = new Label();
            Label done = new Label();
            asm.mov(COUNT, param(BLOCKS_LEFT));
            asm.cmp(COUNT, param(BLOCKS));
            asm.jcc(Condition.EQUAL, first);
            for (int row = 0; row < ROWS; row++) {
                asm.op(VMOVUPS, zmm(row), Mem.at(WAIT, row * LINE));
            }
            asm.jmp(done);
            asm.bind(first);
            for (int row = 0; row < ROWS; row++) {
                asm.op(VPXOR, zmm(row), zmm(row), zmm(row));
            }
            asm.bind(done);
        }

        private void pointTo(int p) {
            asm.mov(POINTERS[p], TILE_ROWS);
            for (int rest = POINTED[p]; rest > 0; rest -= Integer.highestOneBit(rest)) {
                int step = Integer.highestOneBit(rest);
                asm.lea(POINTERS[p], Mem.at(POINTERS[p], ROW_STRIDE, step));
            }
        }

        /** Multiplies a block, moves the sums of the last and scales those of the one before. */
        private void round(int turn) {
            multiply(turn);
            transport(1 - turn);
            scale(turn, 2);
        }

        private void multiply(int turn) {
            asm.tileloadd(A[turn], Mem.at(POINTERS[0], ROW_STRIDE, 1));
            asm.tileloadd(B[turn], Mem.at(LINES_AT, LINE_STRIDE, 1));
            asm.tilezero(C[turn]);
            asm.tdpbssd(C[turn], A[turn], B[turn]);
        }

        private void transport(int turn) {
            asm.tilestored(Mem.at(SUMS_AT, LINE_STRIDE, 1).plus(turn * ROWS * LINE), C[turn]);
        }

        /** To the next block of numbers; {@link #scale} looks back for those of x. */
        private void advance() {
            asm.add(LINES_AT, BLOCK);
            for (Gp pointer : POINTERS) {
                asm.add(pointer, ActivationRows.BLOCK_BYTES);
            }
        }

        /**
         * @param back blocks from the one that the pointers are at to this
         */
        private void scale(int turn, int back) {
            loadScales();
            for (int row = 0; row < ROWS; row++) {
                scaleRow(row, turn, back);
            }
            asm.add(SCALE, scaleStep(type));
        }

        private void loadScales() {
            asm.op(VMOVUPS, SCALES_NOW, Mem.at(SCALE));
            if (minima) {
                asm.op(VMOVUPS, MINIMA_NOW, Mem.at(SCALE, LINE));
            }
        }

        private void scaleRow(int row, int turn, int back) {
            Zmm sum = zmm(PAIRS + 2 * (row % 4));
            Zmm product = zmm(PAIRS + 2 * (row % 4) + 1);
            asm.op(VCVTDQ2PS, sum, Mem.at(SUMS_AT, (turn * ROWS + row) * LINE));
            asm.op(VMULPS, product, SCALES_NOW, before(row, back, ActivationRows.SCALE));
            asm.op(VFMADD231PS, zmm(row), sum, product);
            if (minima) {
                asm.op(
                        VFMADD231PS,
                        zmm(row),
                        MINIMA_NOW,
                        before(row, back, ActivationRows.SCALED_SUM));
            }
        }

        /** A number of an earlier block of row {@code row}. */
        private Mem before(int row, int blocks, int offset) {
            int displacement = offset - blocks * ActivationRows.BLOCK_BYTES;
            for (int p = 0; p < POINTED.length; p++) {
                int distance = row - POINTED[p];
                if (distance == 0) {
                    return Mem.at(POINTERS[p], displacement).broadcasting();
                }
                if (distance > 0 && distance <= 8 && Integer.bitCount(distance) == 1) {
                    return Mem.at(POINTERS[p], ROW_STRIDE, distance)
                            .plus(displacement)
                            .broadcasting();
                }
            }
            throw new IllegalStateException("no pointer reaches row " + row);
        }
    }
}
