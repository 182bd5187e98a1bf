package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.Gp.RAX;
import static dev.flagship.kernels.x86.Vec.ymm;
import static dev.flagship.kernels.x86.VectorOp.*;

import dev.flagship.tensor.CanonicalMath;
import dev.flagship.tensor.DType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The body of a tile in the 16 registers of 256 bits: two for the 16 rows of a band, the same
 * operations in the same order as {@link ProductKernel}'s own tiles. Sums that find no register
 * stay in the block of parameters, where a level-1 cache holds them.
 *
 * <p>An integer becomes a float by a subtraction where it begins at the bits of 1.5·2²³: exact, as
 * |I| < 2²², and some processors subtract beside their multipliers but convert in them (Intel's
 * since Golden Cove, where products of 576 columns gained 6 %).
 *
 * <p>Without {@code vpdpbusd} products are summed in pairs by {@code vpmaddubsw}, whose sums
 * saturate at 32,767. A 4-bit number and an activation of ±127 give pairs of at most 3,810, eight
 * of which fit: one widening per block of 32 k. Of 5-bit numbers the first four pairs of a block
 * are so summed, of 6-bit ones the first two of a group. For 8 bits and levels it takes the
 * magnitude of a weight and the activation with that weight's sign: pairs of at most 128·127·2 =
 * 32,512, widened at once; the weights are signed then, so that there is no offset to undo.
 */
final class NarrowTile {
    private static final int REGISTERS = 16;
    private static final int BYTES = 32;
    private static final int QUADS = 8;

    // Places in the block of parameters, in slots.
    private static final int NIBBLES = ProductKernel.NARROW;
    private static final int SIGN_BITS = NIBBLES + 4;
    private static final int ONES = SIGN_BITS + 4;
    private static final int MAGIC = ONES + 4;
    private static final int HIGH_BITS = MAGIC + 4;
    private static final int OFFSET_3 = HIGH_BITS + 4;
    private static final int LEAST_DOUBLED = OFFSET_3 + 4;

    /** Of scales as they are read: {@link #tables}. */
    static final int FACTOR = LEAST_DOUBLED + 4;

    /** Levels, as often as a wide register holds them. */
    private static final int LEVELS = FACTOR + 4;

    private static final int SUMS = LEVELS + 8;

    /** Scales, then minima, of a super-block, where there is one column. */
    private static final int COMMON = SUMS + 4 * REGISTERS;

    private static final int COMMON_MINIMA = COMMON + 4 * QUADS;

    /** Slots that a tile uses beyond the parameters. */
    static final int SLOTS = COMMON_MINIMA + 4 * QUADS - ProductKernel.NARROW;

    /** An activation in all lanes. */
    private static final Ymm A = ymm(15);

    private static final Ymm PRODUCT = ymm(14);

    private final ProductKernel.Emitter emitter;
    private final Assembler asm;
    private final boolean vnni;
    private final boolean signed;

    /** Whether integers begin at the bits of 1.5·2²³. */
    private final boolean magic;

    private final boolean row;
    private final int bands;
    private final int width;

    /** Registers that each column needs. */
    private final int vectors;

    private final boolean sumsInRegisters;

    /**
     * @param width columns of this tile
     */
    NarrowTile(ProductKernel.Emitter emitter, int width) {
        ProductKernel kernel = emitter.kernel();
        this.emitter = emitter;
        this.asm = emitter.asm;
        this.vnni = kernel.isa().vnni;
        this.signed = signed(kernel.isa(), kernel.type());
        this.magic = !emitter.halved && (vnni || !signed && !emitter.minima);
        this.row = emitter.row;
        this.bands = kernel.bands();
        this.width = width;
        this.vectors = vectors(bands);
        int others = registers(kernel.isa(), kernel.type(), bands, width);
        this.sumsInRegisters = others + vectors * width <= REGISTERS;
    }

    private static int vectors(int bands) {
        return bands * ProductKernel.LINE / BYTES;
    }

    /** Whether weights are multiplied as magnitude and sign. */
    static boolean signed(Isa isa, DType type) {
        return !isa.vnni && (type == DType.Q8_0 || type.coded());
    }

    /** Registers that a tile needs at least. */
    static int registers(Isa isa, DType type, int bands, int columns) {
        int weights = columns == 1 ? 1 : vectors(bands);
        return vectors(bands) * columns + weights * (signed(isa, type) ? 2 : 1) + 2;
    }

    /** Writes what the code of all tiles reads, before the first of them. */
    static void constants(ProductKernel.Emitter emitter) {
        if (emitter.bits < 8) {
            constant(emitter, NIBBLES, PackedFours.lowBits(emitter.bits));
        } else {
            constant(emitter, SIGN_BITS, 0x80808080);
        }
        if (emitter.split) {
            constant(emitter, HIGH_BITS, PackedFours.highBits(emitter.bits));
        }
        if (emitter.bits == 3) {
            constant(emitter, OFFSET_3, ProductKernel.Emitter.MINUS_28);
        }
        if (emitter.kernel().type() == DType.MXFP4) {
            constant(emitter, LEAST_DOUBLED, ProductKernel.Emitter.LEAST_DOUBLED);
        }
        constant(emitter, ONES, 0x00010001);
        constant(emitter, MAGIC, CanonicalMath.ROUND_MAGIC_BITS);
    }

    private static void constant(ProductKernel.Emitter emitter, int slot, int bits) {
        emitter.asm.mov32(RAX, bits);
        emitter.asm.mov32(emitter.param(slot), RAX);
        emitter.asm.op(VPBROADCASTD, A, emitter.param(slot));
        emitter.asm.store(VMOVDQU_STORE, emitter.param(slot), A);
    }

    /** The lower four bits of each byte. */
    static Mem nibbles(ProductKernel.Emitter emitter) {
        return emitter.param(NIBBLES);
    }

    static Mem highBits(ProductKernel.Emitter emitter) {
        return emitter.param(HIGH_BITS);
    }

    static Mem offset3(ProductKernel.Emitter emitter) {
        return emitter.param(OFFSET_3);
    }

    static Mem leastDoubled(ProductKernel.Emitter emitter) {
        return emitter.param(LEAST_DOUBLED);
    }

    /** What scales of types with levels, or those of their super-blocks, are multiplied by. */
    static Mem factor(ProductKernel.Emitter emitter) {
        return emitter.param(FACTOR);
    }

    /** What a nibble stands for, a byte each. */
    static Mem levels(ProductKernel.Emitter emitter) {
        return emitter.param(LEVELS);
    }

    /** The factor in all lanes, and the levels by turns up to the length of a wide register. */
    static long[] tables(Isa isa, DType type) {
        ByteBuffer bytes = ByteBuffer.allocate(8 * (SUMS - FACTOR)).order(ByteOrder.LITTLE_ENDIAN);
        while (bytes.position() < 8 * (LEVELS - FACTOR)) {
            bytes.putFloat(type == DType.MXFP4 ? 0.5f : type.scaleUnit());
        }
        int bias = signed(isa, type) ? 0 : 128;
        for (int code = 0; bytes.hasRemaining(); code = (code + 1) % 16) {
            bytes.put((byte) (type.level(code) + bias));
        }
        long[] slots = new long[SUMS - FACTOR];
        bytes.flip().asLongBuffer().get(slots);
        return slots;
    }

    // --- registers and places

    private Ymm integer(int vector, int column) {
        return ymm(vector * width + column);
    }

    /** Holds a sum between the integers' scaling and the end of the block, or all the time. */
    private Ymm sum(int vector, int column) {
        return sumsInRegisters ? ymm((vectors + vector) * width + column) : integer(vector, column);
    }

    private Mem sumPlace(int vector, int column) {
        return emitter.param(SUMS).plus((vector * width + column) * BYTES);
    }

    private int firstWeight() {
        return (sumsInRegisters ? 2 : 1) * vectors * width;
    }

    /** Numbers, later scales, of a vector; a row of x takes them one after the other. */
    private Ymm weight(int vector) {
        return ymm(firstWeight() + (row ? 0 : vector));
    }

    private Ymm magnitude(int vector) {
        return ymm(firstWeight() + (row ? 1 : vectors + vector));
    }

    private static int band(int vector) {
        return vector * BYTES / ProductKernel.LINE;
    }

    /** Bytes of a line before this vector's rows. */
    private static int within(int vector) {
        return vector * BYTES % ProductKernel.LINE;
    }

    // --- a tile

    /** Clears the sums. */
    void begin() {
        if (!sumsInRegisters) {
            asm.op(VPXOR, A, A, A);
        }
        for (int v = 0; v < vectors; v++) {
            for (int c = 0; c < width; c++) {
                if (sumsInRegisters) {
                    asm.op(VPXOR, sum(v, c), sum(v, c), sum(v, c));
                } else {
                    asm.store(VMOVUPS_STORE, sumPlace(v, c), A);
                }
            }
        }
    }

    /** Where one column has a super-block's scales: makes them F32, out of the way. */
    void enterSuperBlock() {
        for (int v = 0; v < vectors; v++) {
            Mem from = emitter.scales(band(v)).plus(within(v) / 2);
            emitter.enterSuperBlock(A, PRODUCT, from);
            asm.store(VMOVUPS_STORE, common(COMMON, v), A);
            if (emitter.minima) {
                asm.store(VMOVUPS_STORE, common(COMMON_MINIMA, v), PRODUCT);
            }
        }
    }

    private Mem common(int slot, int vector) {
        return emitter.param(slot).plus(vector * BYTES);
    }

    /** Adds the products of 32 k. */
    void block() {
        int group = emitter.halved ? QUADS / 2 : QUADS;
        for (int half = 0; half < QUADS / group; half++) {
            group(half, half * group, group);
        }
        if (emitter.minima) {
            minimum();
        }
        storeSums();
    }

    /** Adds the products of the columns that share a scale. */
    private void group(int half, int first, int quads) {
        if (half > 0) {
            storeSums(); // the integers take their registers
        }
        if (vnni) {
            start(half);
        }
        for (int quad = first; quad < first + quads; quad++) {
            dot(quad);
        }
        if (!vnni && !signed && emitter.halved) {
            undoOffset(half);
        } else if (!vnni && !signed) {
            widen();
        }
        scale(half);
    }

    private void undoOffset(int half) {
        for (int c = 0; c < width; c++) {
            asm.op(VPBROADCASTD, A, emitter.halfSum(c, half));
            for (int v = 0; v < vectors; v++) {
                asm.op(VPADDD, integer(v, c), integer(v, c), A);
            }
        }
    }

    private void storeSums() {
        for (int v = 0; !sumsInRegisters && v < vectors; v++) {
            for (int c = 0; c < width; c++) {
                asm.store(VMOVUPS_STORE, sumPlace(v, c), sum(v, c));
            }
        }
    }

    private void start(int half) {
        for (int v = 0; v < vectors; v++) {
            for (int c = 0; c < width; c++) {
                Ymm i = integer(v, c);
                if (emitter.minima) {
                    asm.op(VMOVDQU, i, emitter.param(MAGIC));
                } else if (emitter.halved) {
                    asm.op(VPBROADCASTD, i, emitter.halfSum(c, half));
                    if (emitter.coded) {
                        asm.op(VPSLLD, i, i, 2); // four times −32·S
                    }
                } else {
                    loadStart(i, c);
                }
            }
        }
    }

    private void loadStart(Ymm to, int column) {
        asm.op(VPBROADCASTD, to, emitter.activation(column, emitter.startOffset()));
        if (emitter.bits == 5) { // twice −8·S, and 1.5·2²³ but once
            asm.op(VPADDD, to, to, to);
            asm.op(VPSUBD, to, to, emitter.param(MAGIC));
        }
    }

    private void dot(int quad) {
        for (int v = 0; !row && v < vectors; v++) {
            load(v, quad);
        }
        for (int c = 0; c < width; c++) {
            asm.op(VPBROADCASTD, A, emitter.activation(c, 4 * quad));
            for (int v = 0; v < vectors; v++) {
                if (row) {
                    load(v, quad);
                }
                multiply(integer(v, c), v, quad);
            }
        }
    }

    /** Four k of a vector's rows. */
    private void load(int vector, int quad) {
        Ymm w = weight(vector);
        if (emitter.split && !emitter.scratch) {
            emitter.splitFour(emitter.line(band(vector), 0).plus(within(vector)), quad, w, PRODUCT);
            if (within(vector) == 0 && quad < emitter.bits) { // a block has so many lines
                emitter.askFor(band(vector), quad);
            }
            return;
        }
        boolean packed = emitter.bits == 4 && !emitter.scratch;
        int line = packed ? quad / 2 : quad;
        Ymm stored = packed && emitter.coded ? PRODUCT : w;
        asm.op(VMOVDQU, stored, emitter.line(band(vector), line).plus(within(vector)));
        if (packed) {
            if (quad % 2 == 1) {
                asm.op(VPSRLW, stored, stored, 4);
            }
            asm.op(VPAND, stored, stored, nibbles(emitter));
        }
        if (packed && emitter.coded) {
            asm.op(VMOVDQU, w, levels(emitter));
            asm.op(VPSHUFB, w, w, stored);
        }
        if (signed) {
            if (!emitter.coded) {
                asm.op(VPXOR, w, w, emitter.param(SIGN_BITS));
            }
            asm.op(VPABSB, magnitude(vector), w);
        }
        boolean first = within(vector) == 0 && (!packed || quad % 2 == 0);
        if (first && !emitter.scratch) {
            emitter.askFor(band(vector), line);
        }
    }

    /** Adds the products of {@link #A} and a vector's weights. */
    private void multiply(Ymm to, int vector, int quad) {
        int ofGroup = emitter.halved ? quad % (QUADS / 2) : quad;
        boolean first = ofGroup == 0;
        if (vnni) {
            asm.op(VPDPBUSD, to, weight(vector), A);
        } else if (emitter.split) {
            multiplySplit(to, vector, ofGroup);
        } else if (signed) {
            asm.op(VPSIGNB, PRODUCT, A, weight(vector));
            asm.op(VPMADDUBSW, PRODUCT, magnitude(vector), PRODUCT);
            asm.op(VPMADDWD, first ? to : PRODUCT, PRODUCT, emitter.param(ONES));
            if (!first) {
                asm.op(VPADDD, to, to, PRODUCT);
            }
        } else {
            asm.op(VPMADDUBSW, first ? to : PRODUCT, weight(vector), A);
            if (!first) {
                asm.op(VPADDW, to, to, PRODUCT);
            }
        }
    }

    /**
     * Four pairs of 5-bit numbers are at most 31·127·8 = 31,496, two of 6-bit ones 63·127·4 =
     * 32,004: so many are summed before they are widened, the others each.
     *
     * @param quad of the group
     */
    private void multiplySplit(Ymm to, int vector, int quad) {
        int together = emitter.halved ? 2 : 4;
        asm.op(VPMADDUBSW, quad == 0 ? to : PRODUCT, weight(vector), A);
        if (quad >= together) {
            asm.op(VPMADDWD, PRODUCT, PRODUCT, emitter.param(ONES));
            asm.op(VPADDD, to, to, PRODUCT);
            return;
        }
        if (quad > 0) {
            asm.op(VPADDW, to, to, PRODUCT);
        }
        if (quad == together - 1) {
            asm.op(VPMADDWD, to, to, emitter.param(ONES));
        }
    }

    /** Makes sums of pairs those of four, if they are not, and undoes the offset of the weights. */
    private void widen() {
        for (int c = 0; c < width; c++) {
            if (!emitter.minima) {
                loadStart(A, c);
            }
            for (int v = 0; v < vectors; v++) {
                Ymm i = integer(v, c);
                if (!emitter.split) {
                    asm.op(VPMADDWD, i, i, emitter.param(ONES));
                }
                if (!emitter.minima) {
                    asm.op(VPADDD, i, i, A);
                }
            }
        }
    }

    private void scale(int half) {
        for (int v = 0; !row && v < vectors; v++) {
            loadScale(v, half);
        }
        for (int c = 0; c < width; c++) {
            asm.op(VBROADCASTSS, A, emitter.activation(c, ActivationRows.SCALE));
            for (int v = 0; v < vectors; v++) {
                if (row) {
                    loadScale(v, half);
                }
                Ymm i = integer(v, c);
                if (magic) {
                    asm.op(VSUBPS, i, i, emitter.param(MAGIC));
                } else {
                    asm.op(VCVTDQ2PS, i, i);
                }
                asm.op(VMULPS, PRODUCT, weight(v), A);
                if (sumsInRegisters) {
                    asm.op(VFMADD231PS, sum(v, c), i, PRODUCT);
                } else {
                    asm.op(VFMADD213PS, i, PRODUCT, sumPlace(v, c));
                }
            }
        }
    }

    private void loadScale(int vector, int half) {
        int at = within(vector);
        Mem small = emitter.scales(band(vector)).plus(16 * half + at / 4);
        if (emitter.widened) {
            int place = half * bands + band(vector);
            asm.op(VMOVUPS, weight(vector), emitter.scratchScales(place).plus(at));
        } else if (emitter.superBlocks) {
            emitter.smallScale(weight(vector), small, common(COMMON, vector));
        } else {
            emitter.plainScale(weight(vector), emitter.scales(band(vector)), at);
        }
    }

    private void minimum() {
        for (int v = 0; !row && v < vectors; v++) {
            loadMinimum(v);
        }
        for (int c = 0; c < width; c++) {
            asm.op(VBROADCASTSS, A, emitter.activation(c, ActivationRows.SCALED_SUM));
            for (int v = 0; v < vectors; v++) {
                if (row) {
                    loadMinimum(v);
                }
                // dmin·m is subtracted.
                VectorOp add = emitter.superBlocks ? VFNMADD231PS : VFMADD231PS;
                asm.op(add, sum(v, c), weight(v), A);
            }
        }
    }

    private void loadMinimum(int vector) {
        int at = within(vector);
        if (emitter.widened) {
            asm.op(VMOVUPS, weight(vector), emitter.scratchMinima(band(vector)).plus(at));
        } else if (emitter.superBlocks) {
            Mem small = emitter.scales(band(vector)).plus(16 + at / 4);
            emitter.smallScale(weight(vector), small, common(COMMON_MINIMA, vector));
        } else {
            asm.op(VCVTPH2PS, weight(vector), emitter.scales(band(vector)).plus(32 + at / 2));
        }
    }

    /** Stores the sums; by lanes, which some processors do slowly, only where a band is cut. */
    void store(Gp out) {
        Label cut = new Label();
        Label done = new Label();
        asm.mov(RAX, emitter.param(ProductKernel.LAST_MASK));
        asm.cmp(RAX, (int) ProductKernel.ALL_LANES);
        asm.jcc(Condition.NOT_EQUAL, cut);
        store(out, false);
        asm.jmp(done);
        asm.bind(cut);
        store(out, true);
        asm.bind(done);
    }

    private void store(Gp out, boolean cut) {
        Ymm[] lanes = {A, PRODUCT};
        for (int half = 0; cut && half < lanes.length; half++) {
            asm.op(VPMOVSXBD, lanes[half], emitter.param(ProductKernel.LAST_LANES + half));
        }
        asm.mov(RAX, out);
        for (int c = 0; c < width; c++) {
            for (int v = 0; v < vectors; v++) {
                Ymm value = sumsInRegisters ? sum(v, c) : weight(0);
                if (!sumsInRegisters) {
                    asm.op(VMOVUPS, value, sumPlace(v, c));
                }
                Mem to = Mem.at(RAX, v * BYTES);
                if (cut && band(v) == bands - 1) {
                    asm.store(VMASKMOVPS_STORE, to, lanes[v % lanes.length], value);
                } else {
                    asm.store(VMOVUPS_STORE, to, value);
                }
            }
            if (c < width - 1) {
                asm.add(RAX, emitter.param(ProductKernel.OUT_STRIDE));
            }
        }
    }
}
