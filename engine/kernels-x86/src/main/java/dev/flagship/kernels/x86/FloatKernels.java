package dev.flagship.kernels.x86;

import dev.flagship.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/** Entries of the kernels of {@link FloatProducts}. */
final class FloatKernels {
    private final Map<DType, Sweeps> sweeps;
    private final Map<DType, MemorySegment> unpackers;

    /** Entries that read weights of one type where they are. */
    record Sweeps(
            MemorySegment row4,
            MemorySegment row2,
            MemorySegment row1,
            MemorySegment largestTiles,
            MemorySegment tiles1) {

        /** One row of x. */
        MemorySegment row(int bands) {
            return switch (bands) {
                case 4 -> row4;
                case 2 -> row2;
                default -> row1;
            };
        }

        /** Several rows of x. */
        MemorySegment tiles(int bands) {
            return bands == 1 ? tiles1 : largestTiles;
        }
    }

    private FloatKernels(Map<DType, Sweeps> sweeps, Map<DType, MemorySegment> unpackers) {
        this.sweeps = sweeps;
        this.unpackers = unpackers;
    }

    /** No kernels, for no types. */
    static FloatKernels none() {
        return new FloatKernels(Map.of(), Map.of());
    }

    /**
     * @param types quantised types of weights
     * @param entry finds what {@link #assemble} made, by its symbol
     */
    static FloatKernels of(
            Isa isa, Set<DType> types, Function<String, MemorySegment> entry, int prefetch) {
        var sweeps = new EnumMap<DType, Sweeps>(DType.class);
        var unpackers = new EnumMap<DType, MemorySegment>(DType.class);
        for (DType type : types) {
            unpackers.put(type, entry.apply(FloatUnpacker.of(isa, type).symbol()));
        }
        for (DType type : FloatProducts.PLAIN) {
            sweeps.put(
                    type,
                    new Sweeps(
                            entry.apply(row(isa, type, 4, prefetch).symbol()),
                            entry.apply(row(isa, type, 2, prefetch).symbol()),
                            entry.apply(row(isa, type, 1, prefetch).symbol()),
                            entry.apply(
                                    tiles(isa, type, FloatKernel.tileBands(isa), prefetch)
                                            .symbol()),
                            entry.apply(tiles(isa, type, 1, prefetch).symbol())));
        }
        return new FloatKernels(sweeps, unpackers);
    }

    private static FloatKernel row(Isa isa, DType type, int bands, int prefetch) {
        return new FloatKernel(isa, type, bands, 1, prefetch);
    }

    private static FloatKernel tiles(Isa isa, DType type, int bands, int prefetch) {
        return new FloatKernel(isa, type, bands, FloatKernel.tileColumns(isa), prefetch);
    }

    /**
     * Adds those of float types and what quantised ones need.
     *
     * @param shapes of {@link FloatUnpacker#SHAPES}
     */
    static void assemble(Isa isa, Set<DType> shapes, Map<String, byte[]> kernels, int prefetch) {
        for (DType shape : shapes) {
            FloatUnpacker unpacker = new FloatUnpacker(isa, shape);
            kernels.put(unpacker.symbol(), unpacker.assemble());
        }
        for (DType type : FloatProducts.PLAIN) {
            for (int bands = 4; bands > 0; bands /= 2) {
                put(kernels, row(isa, type, bands, prefetch));
            }
            for (int bands = FloatKernel.tileBands(isa); bands > 0; bands /= 2) {
                put(kernels, tiles(isa, type, bands, prefetch));
            }
        }
    }

    private static void put(Map<String, byte[]> kernels, FloatKernel kernel) {
        kernels.put(kernel.symbol(), kernel.assemble());
    }

    Sweeps sweeps(DType type) {
        return found(sweeps, type);
    }

    MemorySegment unpacker(DType type) {
        return found(unpackers, type);
    }

    private static <T> T found(Map<DType, T> entries, DType type) {
        T entry = entries.get(type);
        if (entry == null) {
            throw new IllegalStateException("no such kernel of " + type);
        }
        return entry;
    }
}
