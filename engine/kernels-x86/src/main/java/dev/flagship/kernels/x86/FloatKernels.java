package dev.flagship.kernels.x86;

import dev.flagship.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/** Entries of the kernels of {@link FloatProducts}. */
final class FloatKernels {
    private final Map<DType, Sweeps> sweeps;
    private final Map<DType, MemorySegment> unpackers;

    /**
     * Entries that read weights of one type where they are, for groups of 1, 2, 4… bands.
     *
     * @param rows one row of x
     * @param tiles several rows of x
     */
    record Sweeps(List<MemorySegment> rows, List<MemorySegment> tiles) {

        /** One row of x. */
        MemorySegment row(int bands) {
            return rows.get(Integer.numberOfTrailingZeros(bands));
        }

        /** Several rows of x. */
        MemorySegment tiles(int bands) {
            return tiles.get(Integer.numberOfTrailingZeros(bands));
        }
    }

    private FloatKernels(Map<DType, Sweeps> sweeps, Map<DType, MemorySegment> unpackers) {
        this.sweeps = sweeps;
        this.unpackers = unpackers;
    }

    /**
     * @param types of weights
     * @param entry finds what {@link #assemble} made, by its symbol
     */
    static FloatKernels of(
            Isa isa, Set<DType> types, Tuning tuning, Function<String, MemorySegment> entry) {
        var sweeps = new EnumMap<DType, Sweeps>(DType.class);
        var unpackers = new EnumMap<DType, MemorySegment>(DType.class);
        for (DType type : types) {
            if (FloatUnpacker.widens(isa, type)) {
                unpackers.put(type, entry.apply(FloatUnpacker.of(isa, type).symbol()));
            }
            if (!type.quantized()) {
                sweeps.put(
                        type,
                        new Sweeps(
                                entries(rows(isa, type, tuning), entry),
                                entries(tiles(isa, type, tuning), entry)));
            }
        }
        return new FloatKernels(sweeps, unpackers);
    }

    private static List<MemorySegment> entries(
            List<FloatKernel> kernels, Function<String, MemorySegment> entry) {
        return kernels.stream().map(kernel -> entry.apply(kernel.symbol())).toList();
    }

    private static List<FloatKernel> rows(Isa isa, DType type, Tuning tuning) {
        List<FloatKernel> kernels = new ArrayList<>();
        for (int bands = 1; bands <= KernelLibrary.ROW_BANDS; bands *= 2) {
            kernels.add(new FloatKernel(isa, type, bands, 1, tuning.prefetch()));
        }
        return kernels;
    }

    private static List<FloatKernel> tiles(Isa isa, DType type, Tuning tuning) {
        List<FloatKernel> kernels = new ArrayList<>();
        for (Tile tile : tuning.floats().groups(Tile.floats(isa))) {
            kernels.add(
                    new FloatKernel(isa, type, tile.bands(), tile.columns(), tuning.prefetch()));
        }
        return kernels;
    }

    /** Adds all of them for some types of weights. */
    static void assemble(Isa isa, Set<DType> types, Tuning tuning, Map<String, byte[]> kernels) {
        for (DType type : FloatProducts.TYPES) { // in an order of their own
            if (!types.contains(type)) {
                continue;
            }
            if (FloatUnpacker.widens(isa, type)) {
                FloatUnpacker unpacker = FloatUnpacker.of(isa, type); // types may share one
                kernels.computeIfAbsent(unpacker.symbol(), _ -> unpacker.assemble());
            }
            if (!type.quantized()) {
                put(kernels, rows(isa, type, tuning));
                put(kernels, tiles(isa, type, tuning));
            }
        }
    }

    private static void put(Map<String, byte[]> kernels, List<FloatKernel> products) {
        products.forEach(kernel -> kernels.put(kernel.symbol(), kernel.assemble()));
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
