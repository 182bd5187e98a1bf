package dev.flagship.kernels.x86;

import dev.flagship.kernels.x86.ProductKernel.Source;
import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.MachineCode;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;

/** Kernels of one variant, assembled and placed as one piece of code. */
final class KernelLibrary implements AutoCloseable {
    private static final int ALIGNMENT = 64;
    private static final byte INT3 = (byte) 0xCC;

    /** Bands of the largest group for one row of x. */
    static final int ROW_BANDS = 4;

    private final Isa isa;
    private final Tuning tuning;
    private final Set<DType> types;
    private final Set<DType> floatTypes;
    private final CodeMemory memory;
    private final Map<String, Integer> offsets;
    private final MemorySegment quantizer;
    private final MemorySegment halfSums;
    private final Map<DType, Products> products;
    private final Map<AttentionKernel, MemorySegment> attention = new HashMap<>();
    private final MemorySegment attentionMerge;
    private final Map<PointwiseKernel, MemorySegment> pointwise;
    private final FloatKernels floats;

    /**
     * Entries of one type, for groups of 1, 2, 4… bands.
     *
     * @param rows one row of x
     * @param few a few rows of x, weights read from the matrix
     * @param many many rows of x, weights unpacked
     * @param tiles whole tiles of rows of x, a few bands; null where there are no tiles
     */
    record Products(
            List<MemorySegment> rows,
            List<MemorySegment> few,
            List<MemorySegment> many,
            @Nullable MemorySegment tiles) {

        /** One row of x. */
        MemorySegment row(int bands) {
            return of(rows, bands);
        }

        /** A few rows of x, weights read from the matrix. */
        MemorySegment few(int bands) {
            return of(few, bands);
        }

        /** Many rows of x, weights unpacked. */
        MemorySegment many(int bands) {
            return of(many, bands);
        }

        private static MemorySegment of(List<MemorySegment> entries, int bands) {
            return entries.get(Integer.numberOfTrailingZeros(bands));
        }
    }

    /** Code before it is placed, with the offset of each kernel by its name. */
    record Image(Code code, Map<String, Integer> offsets) {

        /** Each kernel's own bytes, without what fills the space to the next. */
        List<MachineCode> kernels() {
            byte[] bytes = code.bytes();
            MemorySegment all = MemorySegment.ofArray(bytes).asReadOnly();
            List<MachineCode> kernels = new ArrayList<>();
            for (Symbol symbol : symbols(offsets, bytes.length, 0)) {
                int from = Math.toIntExact(symbol.address());
                int to = Math.toIntExact(from + symbol.bytes());
                while (bytes[to - 1] == INT3) { // a kernel ends with ret
                    to--;
                }
                kernels.add(
                        new MachineCode(
                                symbol.name(),
                                all.asSlice(from, to - from),
                                "objdump -D -b binary -m i386:x86-64 -M intel"));
            }
            return kernels;
        }
    }

    /**
     * A kernel in memory.
     *
     * @param name operation, type, tile and instruction set
     */
    record Symbol(String name, long address, long bytes) {}

    private static List<Symbol> symbols(Map<String, Integer> offsets, long end, long base) {
        List<Symbol> symbols = new ArrayList<>();
        offsets.forEach((name, offset) -> symbols.add(new Symbol(name, base + offset, 0)));
        symbols.sort(Comparator.comparingLong(Symbol::address));
        for (int i = 0; i < symbols.size(); i++) {
            Symbol symbol = symbols.get(i);
            long next = i + 1 < symbols.size() ? symbols.get(i + 1).address() : base + end;
            symbols.set(i, new Symbol(symbol.name(), symbol.address(), next - symbol.address()));
        }
        return symbols;
    }

    /** Bytes of machine code. */
    static final class Code {
        private final byte[] bytes;

        private Code(byte[] bytes) {
            this.bytes = bytes;
        }

        byte[] bytes() {
            return bytes.clone();
        }
    }

    private KernelLibrary(
            Isa isa,
            Tuning tuning,
            Contents contents,
            CodeMemory memory,
            Map<String, Integer> offsets) {
        this.isa = isa;
        this.tuning = tuning;
        this.types = contents.types();
        this.floatTypes = contents.floats();
        this.memory = memory;
        this.offsets = offsets;
        this.quantizer = entry(offsets, quantizer(isa));
        this.pointwise = new EnumMap<>(PointwiseKernel.class);
        if (contents.rest()) {
            for (AttentionKernel kernel : AttentionKernel.all(isa)) {
                attention.put(kernel, entry(offsets, kernel.symbol()));
            }
            for (PointwiseKernel kernel : PointwiseKernel.values()) {
                pointwise.put(kernel, entry(offsets, kernel.symbol(isa)));
            }
        }
        attentionMerge =
                contents.rest() ? entry(offsets, AttentionMerge.symbol(isa)) : MemorySegment.NULL;
        halfSums = contents.halved() ? entry(offsets, HalfSums.symbol(isa)) : MemorySegment.NULL;
        floats = FloatKernels.of(isa, contents.floats(), tuning, symbol -> entry(offsets, symbol));
        this.products = new EnumMap<>(DType.class);
        for (DType type : contents.shapes()) {
            products.put(
                    type,
                    new Products(
                            entries(offsets, rows(isa, type, tuning)),
                            entries(offsets, tiles(isa, type, Source.MATRIX, tuning)),
                            entries(offsets, tiles(isa, type, Source.SCRATCH, tuning)),
                            TileKernel.multiplies(isa, type)
                                    ? entry(
                                            offsets,
                                            new TileKernel(type, tuning.prefetch()).symbol())
                                    : null));
        }
    }

    private List<MemorySegment> entries(Map<String, Integer> offsets, List<ProductKernel> kernels) {
        return kernels.stream().map(kernel -> entry(offsets, kernel.symbol())).toList();
    }

    private MemorySegment entry(Map<String, Integer> offsets, String symbol) {
        Integer offset = offsets.get(symbol);
        if (offset == null) {
            throw new IllegalStateException("no kernel " + symbol);
        }
        return memory.entry(offset);
    }

    private static String quantizer(Isa isa) {
        return "quantize_" + isa.symbol();
    }

    private static List<ProductKernel> rows(Isa isa, DType type, Tuning tuning) {
        List<ProductKernel> kernels = new ArrayList<>();
        for (int bands = 1; bands <= ROW_BANDS; bands *= 2) {
            kernels.add(product(isa, type, Source.MATRIX, bands, 1, tuning));
        }
        return kernels;
    }

    private static List<ProductKernel> tiles(Isa isa, DType type, Source source, Tuning tuning) {
        List<ProductKernel> kernels = new ArrayList<>();
        for (Tile tile : tuning.tiles(isa, type, source)) {
            kernels.add(product(isa, type, source, tile.bands(), tile.columns(), tuning));
        }
        return kernels;
    }

    private static ProductKernel product(
            Isa isa, DType type, Source source, int bands, int columns, Tuning tuning) {
        return new ProductKernel(
                isa, type, source, bands, columns, tuning.prefetch(), tuning.far());
    }

    /**
     * What of an instruction set's kernels to assemble.
     *
     * @param types of weights in int8 products, of {@link ProductKernel#TYPES}
     * @param floats types of weights in products with F32 activations, of {@link
     *     FloatProducts#TYPES}
     * @param rest whether everything that is no product
     */
    private record Contents(Set<DType> types, Set<DType> floats, boolean rest) {
        Contents {
            types = Set.copyOf(types);
            floats = Set.copyOf(floats);
        }

        /** Everything, but of quantised weights those of some types. */
        static Contents all(Set<DType> types) {
            Set<DType> int8 = set(types);
            int8.retainAll(ProductKernel.TYPES);
            Set<DType> floats = set(types);
            floats.addAll(FloatProducts.PLAIN);
            return new Contents(int8, floats, true);
        }

        /** Products with weights of some types, with int8 activations where they are quantised. */
        static Contents products(Set<DType> types) {
            Set<DType> quantized = set(types);
            quantized.removeIf(type -> !type.quantized());
            Set<DType> floats = set(types);
            floats.removeAll(quantized);
            return new Contents(quantized, floats, false);
        }

        private static Set<DType> set(Set<DType> types) {
            Set<DType> set = EnumSet.noneOf(DType.class);
            set.addAll(types);
            return set;
        }

        /** Of {@link ProductKernel#SHAPES}, in their order. */
        Set<DType> shapes() {
            Set<DType> shapes = EnumSet.noneOf(DType.class);
            types.forEach(type -> shapes.add(ProductKernel.shape(type)));
            return shapes;
        }

        boolean halved() {
            return types.stream().anyMatch(type -> type.groupElements() < BandMatrix.BLOCK);
        }
    }

    /** Assembles all kernels. */
    static Image assemble(Isa isa, Tuning tuning) {
        return assemble(isa, tuning, Contents.all(FloatUnpacker.TYPES));
    }

    private static Image assemble(Isa isa, Tuning tuning, Contents contents) {
        Map<String, byte[]> kernels = new LinkedHashMap<>();
        kernels.put(quantizer(isa), ActivationRows.quantizer(isa));
        for (DType type : contents.shapes()) {
            put(kernels, rows(isa, type, tuning));
            put(kernels, tiles(isa, type, Source.MATRIX, tuning));
            put(kernels, tiles(isa, type, Source.SCRATCH, tuning));
            if (TileKernel.multiplies(isa, type)) {
                TileKernel kernel = new TileKernel(type, tuning.prefetch());
                kernels.put(kernel.symbol(), kernel.assemble());
            }
        }
        if (contents.halved()) {
            kernels.put(HalfSums.symbol(isa), HalfSums.kernel(isa));
        }
        if (contents.rest()) {
            for (AttentionKernel kernel : AttentionKernel.all(isa)) {
                kernels.put(kernel.symbol(), kernel.assemble());
            }
            kernels.put(AttentionMerge.symbol(isa), AttentionMerge.assemble(isa));
            for (PointwiseKernel kernel : PointwiseKernel.values()) {
                kernels.put(kernel.symbol(isa), kernel.assemble(isa));
            }
        }
        FloatKernels.assemble(isa, contents.floats(), tuning, kernels);
        Map<String, Integer> offsets = new LinkedHashMap<>();
        int size = 0;
        for (Map.Entry<String, byte[]> kernel : kernels.entrySet()) {
            offsets.put(kernel.getKey(), size);
            size = Math.ceilDiv(size + kernel.getValue().length, ALIGNMENT) * ALIGNMENT;
        }
        byte[] code = new byte[size];
        Arrays.fill(code, INT3);
        int at = 0;
        for (byte[] kernel : kernels.values()) {
            System.arraycopy(kernel, 0, code, at, kernel.length);
            at = Math.ceilDiv(at + kernel.length, ALIGNMENT) * ALIGNMENT;
        }
        return new Image(new Code(code), offsets);
    }

    private static void put(Map<String, byte[]> kernels, List<ProductKernel> products) {
        products.forEach(kernel -> kernels.put(kernel.symbol(), kernel.assemble()));
    }

    /** How the attempt to place the kernels went. */
    sealed interface Loading {}

    record Loaded(KernelLibrary library) implements Loading {}

    record Refused(CodeMemory.Refused cause) implements Loading {}

    /** Assembles and places all kernels. */
    static Loading load(Pages pages, Isa isa, Tuning tuning) {
        return load(pages, isa, tuning, FloatUnpacker.TYPES);
    }

    /**
     * Assembles and places what there is to compute with weights of some quantised types, and of
     * all others.
     *
     * @param types of {@link FloatUnpacker#TYPES}
     */
    static Loading load(Pages pages, Isa isa, Tuning tuning, Set<DType> types) {
        return load(pages, isa, tuning, Contents.all(types));
    }

    /**
     * Assembles and places products alone: of float types with F32 activations, of quantised ones
     * with int8. One type is a tenth of the work.
     */
    static Loading loadProducts(Pages pages, Isa isa, Tuning tuning, Set<DType> types) {
        return load(pages, isa, tuning, Contents.products(types));
    }

    private static Loading load(Pages pages, Isa isa, Tuning tuning, Contents contents) {
        Image image = assemble(isa, tuning, contents);
        return switch (CodeMemory.place(pages, image.code().bytes())) {
            case CodeMemory.Placed placed ->
                    new Loaded(
                            new KernelLibrary(
                                    isa, tuning, contents, placed.memory(), image.offsets()));
            case CodeMemory.Refused refused -> new Refused(refused);
        };
    }

    Isa isa() {
        return isa;
    }

    Tuning tuning() {
        return tuning;
    }

    /** Where each kernel lies. */
    List<Symbol> symbols() {
        return symbols(offsets, memory.bytes().byteSize(), memory.entry(0).address());
    }

    /**
     * CRC-32 of the code as it was placed and of its tuning: two libraries of equal code that is
     * used alike compute equal numbers.
     */
    int checksum() {
        CRC32 crc = new CRC32();
        crc.update(memory.bytes().asByteBuffer());
        crc.update(tuning.text().getBytes(StandardCharsets.US_ASCII));
        return (int) crc.getValue();
    }

    MemorySegment quantizer() {
        return quantizer;
    }

    /** {@link MemorySegment#NULL}, not to be called, where products alone were loaded. */
    MemorySegment attention(AttentionKernel kernel) {
        return attention.getOrDefault(kernel, MemorySegment.NULL);
    }

    MemorySegment pointwise(PointwiseKernel kernel) {
        MemorySegment found = pointwise.get(kernel);
        if (found == null) {
            throw new IllegalStateException("no kernel " + kernel);
        }
        return found;
    }

    /** As {@link #attention}. */
    MemorySegment attentionMerge() {
        return attentionMerge;
    }

    /** Of the types of weights that were loaded. */
    FloatKernels floats() {
        return floats;
    }

    /** {@link MemorySegment#NULL} where no products have groups of 16. */
    MemorySegment halfSums() {
        return halfSums;
    }

    /** Of weights that int8 products take. */
    Set<DType> types() {
        return types;
    }

    /**
     * Of weights that products with F32 activations take; none where int8 products alone were
     * loaded.
     */
    Set<DType> floatTypes() {
        return floatTypes;
    }

    Products products(DType type) {
        Products found = products.get(ProductKernel.shape(type));
        if (found == null) {
            throw new IllegalStateException("no products of " + type);
        }
        return found;
    }

    @Override
    public void close() {
        memory.close();
    }
}
