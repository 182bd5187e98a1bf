package dev.flagship.kernels.x86;

import java.util.Locale;

/** The emitted operations on rows of F32 numbers. */
enum PointwiseKernel {
    /** A += B, COUNT numbers. */
    ADD(Shape.RUN),
    /** OUT = max(0, A). */
    RELU(Shape.RUN),
    /** OUT = A·Φ(A). */
    GELU(Shape.RUN),
    /** OUT = silu(A) · B. */
    SWIGLU(Shape.RUN),
    /** Rows of A, normalised and multiplied by the row B, into OUT. */
    RMS_NORM(Shape.ROWS),
    /** Rows of A less their mean, normalised, multiplied by the row B, plus the row BIAS. */
    LAYER_NORM(Shape.ROWS),
    /** Rotates rows of A in place, each by the angles of its position. */
    ROPE(Shape.ROWS),
    /** Rows of A into OUT. */
    SOFTMAX(Shape.ROWS),
    /** MAX and SUM of exp(A − MAX) of one row. */
    SUM_EXP(Shape.ROWS),
    /** The largest number, NaN apart, of each strip of A, into OUT. */
    STRIP_MAX(Shape.STRIPS);

    /** How an operation walks over memory. */
    enum Shape {
        /** A run of numbers, whatever the rows. */
        RUN,
        ROWS,
        /** Strips of {@link #STRIP} numbers. */
        STRIPS
    }

    /** Numbers of which STRIP_MAX gives one. */
    static final int STRIP = 128;

    // Slots of the parameters. A call uses up POSITIONS.
    static final int A = 0;
    static final int B = 1;
    static final int OUT = 2;

    /** Bytes in whole vectors of a run, a row or half a head. */
    static final int WHOLE = 3;

    /** Lanes of the vector that follows them; 0 for none. */
    static final int TAIL = 4;

    /** Rows, or strips. */
    static final int ROWS = 5;

    /** Bytes from one row to the next. */
    static final int STRIDE = 6;

    /** RMS_NORM, LAYER_NORM: numbers in a row and what is added to the mean square, as F32. */
    static final int SIZE = 7;

    static final int EPS = 8;

    /** LAYER_NORM: a row that is added. */
    static final int BIAS = 9;

    /** ROPE: heads of a row, bytes of half a head, and a free slot. */
    static final int HEADS = 7;

    static final int HALF = 8;
    static final int HEADS_LEFT = 9;

    /** ROPE: tables of angles, and a long for each row, where its angles begin in bytes. */
    static final int COS = 10;

    static final int SIN = 11;
    static final int POSITIONS = 12;

    /** SUM_EXP: its two results, as F32. */
    static final int MAX = 13;

    static final int SUM = 14;

    /** Numbers that {@link #TAIL} has lanes for. */
    static final int TAIL_COUNT = 15;

    static final int SLOTS = 16;

    final Shape shape;

    PointwiseKernel(Shape shape) {
        this.shape = shape;
    }

    /** Name for profilers and messages. */
    String symbol(Isa isa) {
        return name().toLowerCase(Locale.ROOT) + "_" + isa.registersSymbol();
    }

    byte[] assemble(Isa isa) {
        return isa.wide() ? new PointwiseCode(this).emit() : new NarrowPointwiseCode(this).emit();
    }
}
