package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.AttentionKernel.*;
import static dev.flagship.kernels.x86.Gp.*;
import static dev.flagship.kernels.x86.VectorOp.*;

import dev.flagship.kernels.x86.AttentionKernel.Source;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.ScalarKernels;

/**
 * Writes an {@link AttentionKernel}: how it walks over segments, tiles and strips, whatever the
 * registers. What computes is written for registers of 512 bits by {@link WideAttention} and for
 * those of 256 bits by {@link NarrowAttention}.
 */
abstract sealed class AttentionCode permits WideAttention, NarrowAttention {
    static final int NEGATIVE_INFINITY = 0xFF800000;

    // Comparisons.
    static final int LESS_OR_EQUAL = 2;
    static final int NOT_EQUAL = 4;
    static final int NOT_LESS_OR_EQUAL = 6;

    /** Queries of the tile, from its scores to its end. */
    static final Gp WIDTH = R15;

    /** Scales of 32 dimensions of a segment's keys. */
    private static final Gp KEY_SCALES_AT = R15;

    /** Where these dimensions end among a page's keys. */
    private static final Gp GROUP_END = R14;

    private static final Gp[] PAGE_KEYS = {R8, R9, R10, R11};
    private static final Gp[] KEPT = {RBX, R12, R13, R14, R15};

    final Assembler asm = new Assembler();
    final Isa isa;

    /** Whether tiles read the pages themselves, and so ask for what comes next. */
    final boolean fromPages;

    /** Bytes of a register. */
    final int vector;

    /** Bytes of a register's numbers as tiles read them. */
    final int line;

    /** Whether what tiles read has scales. */
    final boolean scaledPages;

    private final DType type;
    private final int tilePages;

    AttentionCode(AttentionKernel kernel) {
        isa = kernel.isa();
        fromPages = kernel.source() == Source.PAGES;
        type = kernel.type();
        scaledPages = type == DType.Q8_0 && fromPages;
        vector = isa.bytes();
        line = scaledPages ? vector / 4 : type == DType.F16 && fromPages ? vector / 2 : vector;
        tilePages = fromPages ? PAGES : SCRATCH_PAGES;
    }

    // --- what computes

    /** Sets registers that keep what they hold. */
    abstract void prepare();

    /** Sets registers 0 and 1 to −∞ and 0. */
    abstract void infinityAndZero();

    /**
     * Scores of a tile's queries, stored. Sets {@link #WIDTH}, FIRST_SEEN and LAST_SEEN and goes to
     * one of the labels.
     *
     * @param full goes on where all queries see the whole segment
     * @param cut goes on where some do not
     */
    abstract void scores(int width, Label full, Label cut);

    /** Makes scores weights and updates the states but for the weighted sums. */
    abstract void weights(boolean masked);

    /** Vectors of dimensions that are summed at once; the first as often as it fits. */
    abstract int[] strips(int width);

    /** Accumulator of a query and a vector of dimensions of a strip. */
    abstract Vec sum(int query, int part, int strip);

    /** A register for a number of some query in all lanes, while a strip begins. */
    abstract Vec ofQuery(int query);

    /** Before positions that only some queries of the tile see. */
    abstract void prepareMasked();

    /** Adds values at rsi, weighted by what rax points to. */
    abstract void position(int width, int strip, boolean masked);

    // --- the frame

    final Mem param(int slot) {
        return Mem.at(RDI, 8 * slot);
    }

    /**
     * A register's numbers where tiles read them.
     *
     * @param scales as many F32 numbers, or one broadcast; looked at only where there are scales
     */
    record Line(Mem numbers, Mem scales) {}

    final void load(Vec to, Line from) {
        if (scaledPages) {
            asm.op(VPMOVSXBD, to, from.numbers);
            asm.op(VCVTDQ2PS, to, to);
            asm.op(VMULPS, to, to, from.scales);
        } else {
            asm.op(line < vector ? VCVTPH2PS : VMOVUPS, to, from.numbers);
        }
    }

    /** A register of a page's keys, while scores are summed. */
    final Line keys(int page, Gp at, int bytes, int part) {
        Mem numbers = Mem.at(pageKeys(page), at, 1).plus(bytes + part * line);
        return new Line(numbers, Mem.at(KEY_SCALES_AT, page * LINE + part * vector));
    }

    /** A register of a value's numbers, while weighted sums are. */
    final Line values(int part) {
        int scale = part * vector / 4 / KvLayout.GROUP * scaleBytes(isa);
        Mem scales = Mem.at(R11, scale);
        return new Line(Mem.at(RSI, part * line), isa.wide() ? scales.broadcasting() : scales);
    }

    private void add(int slot, int value) {
        asm.mov32(RAX, value);
        asm.add(param(slot), RAX);
    }

    final byte[] emit() {
        asm.endbr64();
        asm.push(RBP);
        asm.mov(RBP, RSP);
        for (Gp kept : KEPT) {
            asm.push(kept);
        }
        prepare();
        begin();
        Label segment = new Label();
        asm.bind(segment);
        if (!fromPages) {
            widenSegment();
        } else if (scaledPages) {
            widenScales();
        }
        tiles();
        add(PAGES, 8 * PAGES_PER_SEGMENT);
        add(POSITIONS, ROW);
        add(START, ScalarKernels.SEGMENT);
        asm.sub(param(SEGMENTS), 1);
        asm.jcc(Condition.NOT_EQUAL, segment);
        asm.vzeroupper();
        for (int i = KEPT.length - 1; i >= 0; i--) {
            asm.pop(KEPT[i]);
        }
        asm.pop(RBP);
        asm.ret();
        return asm.bytes();
    }

    /** Where no segment came before, the states begin here. */
    private void begin() {
        Label done = new Label();
        asm.mov(RAX, param(START));
        asm.cmp(RAX, 0);
        asm.jcc(Condition.NOT_EQUAL, done);
        infinityAndZero();
        asm.mov(R8, param(MAXIMA));
        asm.mov(R9, param(SUMS));
        asm.mov(RSI, param(WEIGHTED));
        asm.mov(RCX, param(COUNT));
        Label query = new Label();
        asm.bind(query);
        asm.store(VMOVUPS_STORE, Mem.at(R8), isa.register(0));
        asm.store(VMOVUPS_STORE, Mem.at(R9), isa.register(1));
        asm.mov(RDX, param(QUERY_STRIDE));
        Label lines = new Label();
        asm.bind(lines);
        asm.store(VMOVUPS_STORE, Mem.at(RSI), isa.register(1));
        asm.add(RSI, vector);
        asm.sub(RDX, vector);
        asm.jcc(Condition.NOT_EQUAL, lines);
        asm.add(R8, 4);
        asm.add(R9, 4);
        asm.sub(RCX, 1);
        asm.jcc(Condition.NOT_EQUAL, query);
        asm.bind(done);
    }

    private void widenSegment() {
        asm.mov(R8, param(PAGES));
        asm.mov(R9, param(SCRATCH_PAGES));
        for (int p = 0; p < PAGES_PER_SEGMENT; p++) {
            asm.mov(RSI, Mem.at(R8, 8 * p));
            asm.mov(RDX, Mem.at(R9, 8 * p));
            if (type == DType.Q8_0) {
                widenKeys();
                widenValues();
            } else {
                widenHalves();
            }
        }
    }

    /** F16 keys and values of a page are one run of numbers. */
    private void widenHalves() {
        asm.mov(RCX, param(BLOCK_BYTES));
        Label lines = new Label();
        asm.bind(lines);
        for (int i = 0; i < 4; i++) { // a block has 16 lines or a multiple of that
            asm.op(VCVTPH2PS, isa.register(i), Mem.at(RSI, i * vector / 2));
            asm.store(VMOVUPS_STORE, Mem.at(RDX, i * vector), isa.register(i));
        }
        asm.add(RSI, 4 * vector / 2);
        asm.add(RDX, 4 * vector);
        asm.sub(RCX, 2 * vector); // two blocks
        asm.jcc(Condition.NOT_EQUAL, lines);
    }

    /** Lines of 16 tokens; for each 32 of them, which are dimensions, there is a line of scales. */
    private void widenKeys() {
        int parts = LINE / vector;
        int unroll = 4;
        findScales();
        Label groups = new Label();
        asm.bind(groups);
        for (int v = 0; v < parts; v++) {
            asm.op(VCVTPH2PS, scale(v), Mem.at(R10, v * vector / 2));
        }
        asm.mov32(RCX, KvLayout.GROUP / unroll);
        Label lines = new Label();
        asm.bind(lines);
        for (int i = 0; i < unroll * parts; i++) {
            widenBytes(i, scale(i % parts));
        }
        asm.add(RSI, unroll * KvLayout.PAGE);
        asm.add(RDX, unroll * LINE);
        asm.sub(RCX, 1);
        asm.jcc(Condition.NOT_EQUAL, lines);
        asm.add(R10, LINE / 2);
        asm.cmp(RSI, R12);
        asm.jcc(Condition.NOT_EQUAL, groups);
        asm.mov(RSI, R10); // values follow the scales
    }

    /** One run of groups of 32 numbers, and one of their scales. */
    private void widenValues() {
        findScales();
        asm.mov(RBX, param(VALUE_SCALES));
        widenValueScales();
        asm.mov(RBX, param(VALUE_SCALES));
        Label groups = new Label();
        asm.bind(groups);
        asm.op(VBROADCASTSS, scale(0), Mem.at(RBX));
        for (int i = 0; i < 4 * KvLayout.GROUP / vector; i++) {
            widenBytes(i, scale(0));
        }
        asm.add(RBX, 4);
        asm.add(RSI, KvLayout.GROUP);
        asm.add(RDX, 4 * KvLayout.GROUP);
        asm.cmp(RSI, R12);
        asm.jcc(Condition.NOT_EQUAL, groups);
    }

    /**
     * Widens a page's scales at r10 to rbx, both left behind the last; 16 for each 32 dimensions.
     */
    private void widenValueScales() {
        asm.mov(RCX, R11);
        Label scales = new Label();
        asm.bind(scales);
        asm.op(VCVTPH2PS, scale(0), Mem.at(R10));
        asm.store(VMOVUPS_STORE, Mem.at(RBX), scale(0));
        asm.add(R10, vector / 2);
        asm.add(RBX, vector);
        asm.sub(RCX, 2 * vector); // r11 has 128 for each 32 dimensions, and a line of scales
        asm.jcc(Condition.NOT_EQUAL, scales);
    }

    /** Brings the scales of a segment to F32, and asks for those of the next. */
    private void widenScales() {
        asm.mov(R8, param(PAGES));
        asm.mov(RDX, param(KEY_SCALES));
        asm.mov(RBX, param(VALUE_SCALES));
        for (int p = 0; p < PAGES_PER_SEGMENT; p++) {
            asm.mov(RSI, Mem.at(R8, 8 * p));
            asm.mov(R9, Mem.at(R8, 8 * (PAGES_PER_SEGMENT + p)));
            findScales();
            asm.lea(R9, Mem.at(R9, R11, 4));
            asm.mov(RSI, RDX);
            asm.mov(RCX, R11);
            Label groups = new Label();
            asm.bind(groups);
            asm.prefetcht0(Mem.at(R9));
            for (int v = 0; v < LINE / vector; v++) {
                asm.op(VCVTPH2PS, scale(v), Mem.at(R10, v * vector / 2));
                asm.store(VMOVUPS_STORE, Mem.at(RSI, p * LINE + v * vector), scale(v));
            }
            asm.add(R9, LINE / 2);
            asm.add(R10, LINE / 2);
            asm.add(RSI, PAGES_PER_SEGMENT * LINE);
            asm.sub(RCX, 4 * KvLayout.GROUP);
            asm.jcc(Condition.NOT_EQUAL, groups);
            asm.lea(R10, Mem.at(R10, R11, 4)); // over the values
            asm.lea(R9, Mem.at(R9, R11, 4));
            asm.prefetcht0(Mem.at(R9));
            widenValueScales();
        }
        if (!isa.wide()) {
            spreadScales();
        }
    }

    private void spreadScales() {
        int unroll = 8;
        asm.mov(RSI, param(VALUE_SCALES));
        asm.mov(RDX, param(SPREAD_SCALES));
        asm.mov(RCX, R11);
        Label scales = new Label();
        asm.bind(scales);
        for (int i = 0; i < unroll; i++) {
            asm.op(VBROADCASTSS, isa.register(i), Mem.at(RSI, 4 * i));
            asm.store(VMOVUPS_STORE, Mem.at(RDX, i * vector), isa.register(i));
        }
        asm.add(RSI, 4 * unroll);
        asm.add(RDX, unroll * vector);
        asm.sub(RCX, 2 * unroll); // r11 has 128 for each 32 dimensions, the segment 64 scales
        asm.jcc(Condition.NOT_EQUAL, scales);
    }

    /** Points r10 and r12 to the scales of the block at rsi, which has 16 bytes a dimension. */
    private void findScales() {
        asm.mov(R11, param(QUERY_STRIDE)); // 4 bytes a dimension
        asm.lea(R12, Mem.at(RSI, R11, 4));
        asm.mov(R10, R12);
    }

    /** Registers above those that bytes are widened in. */
    private Vec scale(int part) {
        return isa.register(8 + part);
    }

    /** Widens a register's numbers, the i-th from rsi on, to where rdx points. */
    private void widenBytes(int i, Vec scale) {
        Vec numbers = isa.register(i % 8);
        asm.op(VPMOVSXBD, numbers, Mem.at(RSI, i * vector / 4));
        asm.op(VCVTDQ2PS, numbers, numbers);
        asm.op(VMULPS, numbers, numbers, scale);
        asm.store(VMOVUPS_STORE, Mem.at(RDX, i * vector), numbers);
    }

    // --- tiles

    private void tiles() {
        for (int[] copy :
                new int[][] {
                    {COUNT, LEFT},
                    {QUERIES, TILE_QUERIES},
                    {LIMITS, TILE_LIMITS},
                    {WEIGHTED, TILE_WEIGHTED}
                }) {
            asm.mov(RAX, param(copy[0]));
            asm.mov(param(copy[1]), RAX);
        }
        asm.xor(RAX, RAX);
        asm.mov(param(TILE_OFFSET), RAX);
        Label tile = new Label();
        Label full = new Label();
        Label cut = new Label();
        Label weigh = new Label();
        Label next = new Label();
        Label[] scores = labels();
        Label[] sums = labels();
        asm.bind(tile);
        asm.mov(RAX, param(LEFT));
        for (int left = 1; left < 2 * TILE - 1; left++) {
            asm.cmp(RAX, left);
            // One and a half tiles are halved: narrow tiles wait for themselves.
            int width = left <= TILE ? left : (left + 1) / 2;
            asm.jcc(Condition.EQUAL, scores[width]);
        }
        for (int width = TILE; width > 0; width--) {
            asm.bind(scores[width]);
            scores(width, full, cut);
        }
        asm.bind(full);
        weights(false);
        asm.jmp(weigh);
        asm.bind(cut);
        weights(true);
        asm.bind(weigh);
        for (int width = 1; width < TILE; width++) {
            asm.cmp(WIDTH, width);
            asm.jcc(Condition.EQUAL, sums[width]);
        }
        for (int width = TILE; width > 0; width--) {
            asm.bind(sums[width]);
            weightedSums(width);
            if (width > 1) {
                asm.jmp(next);
            }
        }
        asm.bind(next);
        asm.xor(RAX, RAX);
        asm.lea(RAX, Mem.at(RAX, WIDTH, 4));
        asm.add(param(TILE_LIMITS), RAX);
        asm.add(param(TILE_OFFSET), RAX);
        asm.mov(RAX, param(LEFT));
        asm.sub(RAX, WIDTH);
        asm.mov(param(LEFT), RAX);
        asm.cmp(RAX, 0);
        asm.jcc(Condition.NOT_EQUAL, tile);
    }

    private static Label[] labels() {
        Label[] labels = new Label[TILE + 1];
        for (int i = 0; i <= TILE; i++) {
            labels[i] = new Label();
        }
        return labels;
    }

    // --- scores

    /** Points to the segment's pages. */
    final void findPages() {
        asm.mov(RAX, param(tilePages));
        for (int p = 0; p < PAGES_PER_SEGMENT; p++) {
            if (fromPages) {
                // Finding a page takes as long as reading it: begin a segment ahead.
                asm.mov(PAGE_KEYS[p], Mem.at(RAX, 8 * (PAGES_PER_SEGMENT + p)));
                asm.prefetcht0(Mem.at(PAGE_KEYS[p]));
            }
            asm.mov(PAGE_KEYS[p], Mem.at(RAX, 8 * p));
        }
    }

    /** Begins the loop over a segment's dimensions; {@code at} is 0, {@code stride} a query's. */
    final void beginDimensions(Gp at, Gp end, Gp stride, Label dimensions) {
        if (scaledPages) {
            asm.lea(end, Mem.at(at, stride, 4)); // 16 bytes a dimension; scales are behind
            asm.mov(KEY_SCALES_AT, param(KEY_SCALES));
            asm.lea(GROUP_END, Mem.at(at, KvLayout.GROUP * KvLayout.PAGE));
        }
        asm.bind(dimensions);
    }

    /** Ends it. */
    final void endDimensions(Gp at, Gp end, Label dimensions) {
        if (scaledPages) {
            asm.cmp(at, GROUP_END);
            asm.jcc(Condition.NOT_EQUAL, dimensions);
            asm.add(KEY_SCALES_AT, PAGES_PER_SEGMENT * LINE);
            asm.add(GROUP_END, KvLayout.GROUP * KvLayout.PAGE);
        }
        asm.cmp(at, end);
        asm.jcc(Condition.NOT_EQUAL, dimensions);
    }

    /** Holds the address of a page's keys while scores are summed. */
    static Gp pageKeys(int page) {
        return PAGE_KEYS[page];
    }

    static Mem query(int query, Gp base, Gp stride, Gp stride3, Gp stride5) {
        return switch (query) {
            case 0 -> Mem.at(base);
            case 1, 2, 4 -> Mem.at(base, stride, query);
            case 3 -> Mem.at(base, stride3, 1);
            default -> Mem.at(base, stride5, 1);
        };
    }

    /** How many positions of the segment a query of the tile sees: 1 to 64. */
    final void seen(int query, int slot) {
        Label below = new Label();
        asm.mov32(RAX, Mem.at(R11, 4 * query));
        asm.mov(RCX, param(START));
        asm.sub(RAX, RCX);
        asm.cmp(RAX, ScalarKernels.SEGMENT);
        asm.jcc(Condition.BELOW, below);
        asm.mov32(RAX, ScalarKernels.SEGMENT);
        asm.bind(below);
        asm.mov(param(slot), RAX);
    }

    // --- weighted sums

    private void weightedSums(int width) {
        asm.mov(R10, param(QUERY_STRIDE));
        asm.mov(R11, param(BLOCK_BYTES));
        asm.mov(R12, param(TILE_WEIGHTED));
        asm.mov(R14, R10); // bytes of a sum that are left
        asm.mov(RDX, param(VALUE_STRIDE));
        asm.xor(RAX, RAX);
        asm.mov(param(STRIP), RAX);
        if (scaledPages) {
            asm.mov(RAX, param(isa.wide() ? VALUE_SCALES : SPREAD_SCALES));
            asm.mov(param(STRIP_SCALES), RAX);
        }
        Label widest = new Label();
        asm.bind(widest);
        for (int vectors : strips(width)) {
            boolean first = vectors == strips(width)[0];
            int dimensions = vectors * vector / 4;
            if (scaledPages && dimensions < KvLayout.GROUP && !first) {
                continue; // wider ones leave nothing
            }
            int strips =
                    scaledPages && dimensions < KvLayout.GROUP ? KvLayout.GROUP / dimensions : 1;
            Label skip = new Label();
            asm.cmp(R14, strips * vectors * vector);
            asm.jcc(Condition.BELOW, skip);
            for (int i = 0; i < strips; i++) {
                strip(width, vectors);
                add(STRIP, vectors * line);
                asm.add(R11, vectors * line);
                asm.add(R12, vectors * vector);
                asm.sub(R14, vectors * vector);
            }
            if (scaledPages) {
                add(STRIP_SCALES, strips * dimensions / KvLayout.GROUP * scaleBytes(isa));
            }
            if (first) {
                asm.jmp(widest);
            }
            asm.bind(skip);
        }
        asm.mov(RSI, param(TILE_QUERIES));
        asm.mov(RDX, param(TILE_WEIGHTED));
        for (int i = 0; i < width; i++) {
            asm.add(RSI, R10);
            asm.add(RDX, R10);
        }
        asm.mov(param(TILE_QUERIES), RSI);
        asm.mov(param(TILE_WEIGHTED), RDX);
    }

    /** Some vectors of dimensions, over all positions that the tile sees. */
    private void strip(int width, int vectors) {
        asm.mov(RAX, param(SCORES));
        asm.mov(R9, R12);
        for (int i = 0; i < width; i++) {
            Vec rescale = ofQuery(i);
            asm.op(VBROADCASTSS, rescale, Mem.at(RAX, RESCALES + 4 * i));
            for (int v = 0; v < vectors; v++) {
                asm.op(VMULPS, sum(i, v, vectors), rescale, Mem.at(R9, v * vector));
            }
            asm.add(R9, R10);
        }
        asm.mov(RBX, param(tilePages));
        if (scaledPages) {
            asm.mov(param(STRIP_BLOCK), R11);
            asm.mov(R11, param(STRIP_SCALES));
        }
        page();
        asm.mov(R8, param(FIRST_SEEN));
        positions(width, vectors, false);
        // Then those that only some of its queries see.
        Label done = new Label();
        asm.mov(R8, param(LAST_SEEN));
        asm.mov(R9, param(FIRST_SEEN));
        asm.sub(R8, R9);
        asm.cmp(R8, 0);
        asm.jcc(Condition.EQUAL, done);
        prepareMasked();
        positions(width, vectors, true);
        asm.bind(done);
        if (scaledPages) {
            asm.mov(R11, param(STRIP_BLOCK));
        }
        asm.mov(R9, R12);
        for (int i = 0; i < width; i++) {
            for (int v = 0; v < vectors; v++) {
                asm.store(VMOVUPS_STORE, Mem.at(R9, v * vector), sum(i, v, vectors));
            }
            asm.add(R9, R10);
        }
    }

    /** Goes to the page that rbx points to. */
    private void page() {
        asm.mov(RSI, Mem.at(RBX));
        if (scaledPages) {
            asm.add(RSI, param(STRIP_BLOCK));
        } else {
            asm.add(RSI, R11);
        }
        if (fromPages) { // keys that the next segment wants
            asm.mov(R13, Mem.at(RBX, 8 * PAGES_PER_SEGMENT));
            asm.add(R13, param(STRIP));
        }
        asm.mov32(RCX, KvLayout.PAGE);
    }

    /** r8 positions on. A weight is never 0 where it counts: exp ends at e⁻⁸⁷. */
    private void positions(int width, int vectors, boolean masked) {
        Label position = new Label();
        Label samePage = new Label();
        asm.bind(position);
        position(width, vectors, masked);
        asm.add(RAX, 4);
        asm.add(RSI, RDX);
        if (fromPages) {
            asm.add(R13, RDX);
        }
        if (scaledPages) {
            asm.add(R11, param(SCALE_STRIDE));
        }
        asm.sub(RCX, 1);
        asm.jcc(Condition.NOT_EQUAL, samePage);
        asm.add(RBX, 8);
        page();
        asm.bind(samePage);
        asm.sub(R8, 1);
        asm.jcc(Condition.NOT_EQUAL, position);
    }
}
