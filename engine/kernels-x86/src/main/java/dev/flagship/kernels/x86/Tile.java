package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * A tile of a product: the sums that stay in registers, or beside them, on the way along k. Which
 * one is fastest depends on the processor; the bits do not depend on it.
 *
 * @param bands of weights, 16 rows each: 1, 2 or 4
 * @param columns rows of x, 2 to {@value #MOST_COLUMNS}
 */
record Tile(int bands, int columns) {
    /** As many as there are pointers for. */
    static final int MOST_COLUMNS = 12;

    /**
     * For few rows of x in wide registers, weights read in place. Each tile takes the bits of a
     * line apart again: where one of this shape cannot hold all rows, longer ones of single bands
     * do that half as often.
     */
    static final Tile SHORT = new Tile(2, 6);

    /** Of weights multiplied as magnitude and sign, the largest that there are registers for. */
    static final Tile SIGNED = new Tile(1, 5);

    private static final List<Tile> WIDE_IN_PLACE = List.of(new Tile(1, 12), SHORT);
    private static final List<Tile> WIDE_UNPACKED =
            List.of(new Tile(2, 6), new Tile(1, 12), new Tile(4, 2));
    private static final List<Tile> WIDE_FLOATS =
            List.of(new Tile(2, 12), new Tile(4, 5), new Tile(1, 12));

    // In place, a line costs more than to keep sums in memory, which six columns need.
    private static final List<Tile> NARROW_IN_PLACE =
            List.of(new Tile(1, 6), new Tile(1, 3), new Tile(2, 2));
    private static final List<Tile> NARROW_UNPACKED =
            List.of(new Tile(1, 3), new Tile(1, 6), new Tile(2, 2));
    private static final List<Tile> NARROW_FLOATS =
            List.of(new Tile(1, 6), new Tile(1, 4), new Tile(2, 2));

    Tile {
        check(bands == 1 || bands == 2 || bands == 4, "%s bands are not 1, 2 or 4", bands);
        check(
                columns >= 2 && columns <= MOST_COLUMNS,
                "%s columns are not in [2, %s]",
                columns,
                MOST_COLUMNS);
    }

    /** Of int8 products, weights read in place; the usual one first. */
    static List<Tile> inPlace(Isa isa) {
        return isa.wide() ? WIDE_IN_PLACE : NARROW_IN_PLACE;
    }

    /** Of int8 products, weights unpacked; the usual one first. */
    static List<Tile> unpacked(Isa isa) {
        return isa.wide() ? WIDE_UNPACKED : NARROW_UNPACKED;
    }

    /** Of products with F32 activations; the usual one first. */
    static List<Tile> floats(Isa isa) {
        return isa.wide() ? WIDE_FLOATS : NARROW_FLOATS;
    }

    /**
     * Tiles of this one's bands, half as many and so on, the smallest first.
     *
     * @param candidates whose first one of fewer bands serves what this one leaves over
     */
    List<Tile> groups(List<Tile> candidates) {
        List<Tile> groups = new ArrayList<>(List.of(this));
        for (int smaller = bands / 2; smaller > 0; smaller /= 2) {
            groups.addFirst(usual(candidates, smaller));
        }
        return Collections.unmodifiableList(groups);
    }

    /** As {@link #groups}, all with this one's columns. */
    List<Tile> halves() {
        List<Tile> halves = new ArrayList<>();
        for (int smaller = 1; smaller <= bands; smaller *= 2) {
            halves.add(new Tile(smaller, columns));
        }
        return Collections.unmodifiableList(halves);
    }

    private static Tile usual(List<Tile> candidates, int bands) {
        return candidates.stream().filter(tile -> tile.bands == bands).findFirst().orElseThrow();
    }

    /** As {@link #parse} reads it. */
    @Override
    public String toString() {
        return bands + "x" + columns;
    }

    /**
     * The one of some that {@link #toString} wrote.
     *
     * @throws IllegalArgumentException if it is none of them
     */
    static Tile parse(String text, List<Tile> candidates) {
        return candidates.stream()
                .filter(tile -> tile.toString().equals(text))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException(text));
    }
}
