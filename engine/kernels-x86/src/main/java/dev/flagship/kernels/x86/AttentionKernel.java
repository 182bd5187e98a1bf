package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;

import dev.flagship.tensor.DType;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.ScalarKernels;
import java.util.List;
import java.util.Locale;

/**
 * Attention of some queries to the positions of one KV head, segment by segment, for each segment
 * over tiles of queries: scores (lane = position), their weights, the weighted sum of values (lane
 * = dimension). The operations and the order of {@link ScalarKernels}, whatever the tile. The head
 * size is a multiple of 16. {@link AttentionCode} writes it.
 *
 * @param type of the pages
 * @param source where tiles read keys and values
 */
record AttentionKernel(Isa isa, DType type, Source source) {

    /** Where tiles read keys and values. */
    enum Source {
        /** The pages themselves: right for few queries, and for F32. */
        PAGES,
        /** Scratch, where a segment is first widened to F32: right where many tiles read it. */
        SCRATCH
    }

    // Slots of the parameters. A call uses up SEGMENTS, PAGES, POSITIONS and START.

    /** The first query, F32 numbers; the next one is QUERY_STRIDE bytes on. */
    static final int QUERIES = 0;

    /** Bytes of a query, and of a weighted sum. */
    static final int QUERY_STRIDE = 1;

    static final int COUNT = 2;

    /** For each query an int: positions it sees, of the piece; ascending, above START. */
    static final int LIMITS = 3;

    /**
     * Addresses of the keys in each page, values behind them: {@value #PAGES_PER_SEGMENT} a
     * segment, and as many more that are only asked for ahead. Any may be read to its end.
     */
    static final int PAGES = 4;

    static final int SEGMENTS = 5;

    /** Per query the largest score so far; room for 15 more. */
    static final int MAXIMA = 6;

    /** Per query the sum of weights so far; room for 15 more. */
    static final int SUMS = 7;

    /** Per query the weighted sum of values so far. */
    static final int WEIGHTED = 8;

    /** Bytes of the keys (or the values) of a page as tiles read them. */
    static final int BLOCK_BYTES = 9;

    /** {@link #SCORE_BYTES} of memory to work in. */
    static final int SCORES = 10;

    /**
     * Addresses of the keys in {@value #PAGES_PER_SEGMENT} F32 pages to work in; another number
     * behind them is read, not used.
     */
    static final int SCRATCH_PAGES = 11;

    /** START, START + 1, START + 2 … as F32, one for each position of the call. */
    static final int POSITIONS = 12;

    /** {@link AttentionConstants} of the instruction set. */
    static final int CONSTANTS = 13;

    /** Factor of the scores, F32. */
    static final int SCALE = 14;

    /** Bytes from one value to the next as tiles read them. */
    static final int VALUE_STRIDE = 15;

    /** Position of the first segment, as LIMITS counts; at 0 the states begin. */
    static final int START = 24;

    // The code's own.
    static final int TILE_QUERIES = 16;
    static final int TILE_LIMITS = 17;
    static final int TILE_OFFSET = 18;
    static final int TILE_WEIGHTED = 19;
    static final int LEFT = 20;
    static final int FIRST_SEEN = 21;
    static final int LAST_SEEN = 22;
    static final int STRIP = 23;
    static final int INFINITY = 25;

    // Of Q8_0 only.

    /**
     * Room for the scales of a segment's keys as F32: 16 for each page and 32 dimensions. Only
     * where tiles read pages.
     */
    static final int KEY_SCALES = 26;

    /**
     * Room for the scales of a segment's values as F32, one for each position and 32 dimensions.
     */
    static final int VALUE_SCALES = 27;

    /**
     * Room for the same, each in all lanes of a register. Only where tiles read pages and no
     * operand is broadcast.
     */
    static final int SPREAD_SCALES = 28;

    /** Bytes of a position's scales as tiles read them: {@link #scaleBytes} for 32 dimensions. */
    static final int SCALE_STRIDE = 29;

    // The code's own.
    static final int STRIP_SCALES = 30;
    static final int STRIP_BLOCK = 31;
    static final int SLOTS = 32;

    /** Bytes of a line of the cache, and of 16 numbers. */
    static final int LINE = 64;

    static final int PAGES_PER_SEGMENT = ScalarKernels.SEGMENT / KvLayout.PAGE;

    /** Most queries of a tile. */
    static final int TILE = 6;

    /** Bytes of a query's scores, then weights, of one segment. */
    static final int ROW = 4 * ScalarKernels.SEGMENT;

    // Where the memory to work in holds a number for each query of a tile, behind the rows.
    static final int NEW_MAXIMA = TILE * ROW;
    static final int RESCALES = NEW_MAXIMA + LINE;
    static final int SEGMENT_MAXIMA = RESCALES + LINE;
    static final int SEGMENT_SUMS = SEGMENT_MAXIMA + LINE;
    static final int SCORE_BYTES = SEGMENT_SUMS + LINE;

    AttentionKernel {
        check(KvLayout.TYPES.contains(type), "no attention to pages of %s", type);
        check(source == Source.PAGES || type != DType.F32, "pages of F32 need no widening");
    }

    /** Every one of an instruction set. */
    static List<AttentionKernel> all(Isa isa) {
        return List.of(
                new AttentionKernel(isa, DType.F32, Source.PAGES),
                new AttentionKernel(isa, DType.F16, Source.PAGES),
                new AttentionKernel(isa, DType.F16, Source.SCRATCH),
                new AttentionKernel(isa, DType.Q8_0, Source.PAGES),
                new AttentionKernel(isa, DType.Q8_0, Source.SCRATCH));
    }

    /** Name for profilers and messages. */
    String symbol() {
        return String.format(Locale.ROOT, "attend_%s_%s_%s", type, source, isa.registersSymbol());
    }

    /** Bytes of the pages that widened segments go to. */
    static long scratchBytes(int headSize) {
        return 2L * PAGES_PER_SEGMENT * headSize * LINE;
    }

    /** Bytes of the scales of a segment's keys, or values, as F32. */
    static long segmentScaleBytes(int headSize) {
        return 4L * ScalarKernels.SEGMENT * headSize / KvLayout.GROUP;
    }

    /** Bytes of a value's scale as tiles read it from {@link Source#PAGES}. */
    static int scaleBytes(Isa isa) {
        return isa.wide() ? 4 : isa.bytes();
    }

    byte[] assemble() {
        AttentionCode code = isa.wide() ? new WideAttention(this) : new NarrowAttention(this);
        return code.emit();
    }
}
