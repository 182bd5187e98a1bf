package dev.flagship.kernels.vector;

import dev.flagship.tensor.BandMatrix;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * The vector shapes of this machine: at most 512 bits, so that a band of 16 rows is a whole number
 * of vectors.
 */
final class Lanes {
    static final VectorSpecies<Float> FLOATS =
            FloatVector.SPECIES_PREFERRED.length() > BandMatrix.BAND
                    ? FloatVector.SPECIES_512
                    : FloatVector.SPECIES_PREFERRED;
    static final VectorSpecies<Integer> INTS = VectorSpecies.of(int.class, FLOATS.vectorShape());

    /** As many shorts as there are floats. */
    static final VectorSpecies<Short> SHORTS =
            VectorSpecies.of(short.class, VectorShape.forBitSize(FLOATS.vectorBitSize() / 2));

    /** Two shorts for each float. */
    static final VectorSpecies<Short> PAIRS = VectorSpecies.of(short.class, FLOATS.vectorShape());

    /** As many bytes as there are floats, or the 8 of the shortest vector. */
    static final VectorSpecies<Byte> BYTES =
            VectorSpecies.of(
                    byte.class,
                    VectorShape.forBitSize(Math.max(Long.SIZE, FLOATS.length() * Byte.SIZE)));

    static final int LENGTH = FLOATS.length();

    /** Vectors in a band of 16 rows. */
    static final int PER_BAND = BandMatrix.BAND / LENGTH;

    /** Rows of a panel: two vectors, so that a loaded activation is used twice. */
    static final int PANEL_ROWS = 2 * LENGTH;

    static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

    private Lanes() {}
}
