package dev.flagship.kernels.x86;

import dev.flagship.kernels.x86.ProductKernel.Source;
import dev.flagship.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/** All kernels of one variant, assembled and placed as one piece of code. */
final class KernelLibrary implements AutoCloseable {
    /** Far enough to hide the latency of memory, near enough to stay in L1. */
    static final int PREFETCH = 3072;

    private static final int ALIGNMENT = 64;
    private static final byte INT3 = (byte) 0xCC;
    private static final String QUANTIZER = "quantize_avx512";

    private final CodeMemory memory;
    private final MemorySegment quantizer;
    private final Map<DType, Products> products;
    private final Map<AttentionKernel, MemorySegment> attention = new HashMap<>();
    private final MemorySegment attentionMerge;
    private final Map<PointwiseKernel, MemorySegment> pointwise;

    /** Entries of one type. */
    record Products(
            MemorySegment row4,
            MemorySegment row2,
            MemorySegment row1,
            MemorySegment few2,
            MemorySegment few1,
            MemorySegment many2,
            MemorySegment many1) {

        /** One row of x. */
        MemorySegment row(int bands) {
            return switch (bands) {
                case 4 -> row4;
                case 2 -> row2;
                default -> row1;
            };
        }

        /** A few rows of x, weights read from the matrix. */
        MemorySegment few(int bands) {
            return bands == 2 ? few2 : few1;
        }

        /** Many rows of x, weights unpacked. */
        MemorySegment many(int bands) {
            return bands == 2 ? many2 : many1;
        }
    }

    /** Code before it is placed, with the offset of each kernel by its name. */
    record Image(Code code, Map<String, Integer> offsets) {}

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

    private KernelLibrary(CodeMemory memory, Map<String, Integer> offsets, int prefetch) {
        this.memory = memory;
        this.quantizer = entry(offsets, QUANTIZER);
        for (AttentionKernel kernel : AttentionKernel.all()) {
            attention.put(kernel, entry(offsets, kernel.symbol()));
        }
        this.attentionMerge = entry(offsets, AttentionMerge.SYMBOL);
        this.pointwise = new EnumMap<>(PointwiseKernel.class);
        for (PointwiseKernel kernel : PointwiseKernel.values()) {
            pointwise.put(kernel, entry(offsets, kernel.symbol()));
        }
        this.products = new EnumMap<>(DType.class);
        for (DType type : DType.values()) {
            if (type.quantized()) {
                products.put(
                        type,
                        new Products(
                                entry(offsets, row(type, 4, prefetch).symbol()),
                                entry(offsets, row(type, 2, prefetch).symbol()),
                                entry(offsets, row(type, 1, prefetch).symbol()),
                                entry(offsets, few(type, 2, prefetch).symbol()),
                                entry(offsets, few(type, 1, prefetch).symbol()),
                                entry(offsets, many(type, 2, prefetch).symbol()),
                                entry(offsets, many(type, 1, prefetch).symbol())));
            }
        }
    }

    private MemorySegment entry(Map<String, Integer> offsets, String symbol) {
        Integer offset = offsets.get(symbol);
        if (offset == null) {
            throw new IllegalStateException("no kernel " + symbol);
        }
        return memory.entry(offset);
    }

    private static ProductKernel row(DType type, int bands, int prefetch) {
        return new ProductKernel(type, Source.MATRIX, bands, 1, prefetch);
    }

    private static ProductKernel few(DType type, int bands, int prefetch) {
        return new ProductKernel(type, Source.MATRIX, bands, tile(bands), prefetch);
    }

    private static ProductKernel many(DType type, int bands, int prefetch) {
        return new ProductKernel(type, Source.SCRATCH, bands, tile(bands), prefetch);
    }

    private static int tile(int bands) {
        return bands == 2 ? 6 : 12;
    }

    /** Bands of the largest group for so many rows of x; smaller ones halve it. */
    static int largestGroup(int rows) {
        return rows == 1 ? 4 : 2;
    }

    /** Assembles all kernels. */
    static Image assemble(int prefetch) {
        Map<String, byte[]> kernels = new LinkedHashMap<>();
        kernels.put(QUANTIZER, ActivationRows.quantizer());
        for (PointwiseKernel kernel : PointwiseKernel.values()) {
            kernels.put(kernel.symbol(), kernel.assemble());
        }
        for (DType type : DType.values()) {
            if (type.quantized()) {
                for (int bands = largestGroup(1); bands > 0; bands /= 2) {
                    put(kernels, row(type, bands, prefetch));
                }
                for (int bands = largestGroup(2); bands > 0; bands /= 2) {
                    put(kernels, few(type, bands, prefetch));
                    put(kernels, many(type, bands, prefetch));
                }
            }
        }
        for (AttentionKernel kernel : AttentionKernel.all()) {
            kernels.put(kernel.symbol(), kernel.assemble());
        }
        kernels.put(AttentionMerge.SYMBOL, AttentionMerge.assemble());
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

    private static void put(Map<String, byte[]> kernels, ProductKernel kernel) {
        kernels.put(kernel.symbol(), kernel.assemble());
    }

    /** How the attempt to place the kernels went. */
    sealed interface Loading {}

    record Loaded(KernelLibrary library) implements Loading {}

    record Refused(CodeMemory.Refused cause) implements Loading {}

    /** Assembles and places all kernels. */
    static Loading load(Pages pages, int prefetch) {
        Image image = assemble(prefetch);
        return switch (CodeMemory.place(pages, image.code().bytes())) {
            case CodeMemory.Placed placed ->
                    new Loaded(new KernelLibrary(placed.memory(), image.offsets(), prefetch));
            case CodeMemory.Refused refused -> new Refused(refused);
        };
    }

    MemorySegment quantizer() {
        return quantizer;
    }

    MemorySegment attention(AttentionKernel kernel) {
        MemorySegment found = attention.get(kernel);
        if (found == null) {
            throw new IllegalStateException("no kernel " + kernel);
        }
        return found;
    }

    MemorySegment pointwise(PointwiseKernel kernel) {
        MemorySegment found = pointwise.get(kernel);
        if (found == null) {
            throw new IllegalStateException("no kernel " + kernel);
        }
        return found;
    }

    MemorySegment attentionMerge() {
        return attentionMerge;
    }

    Products products(DType type) {
        Products found = products.get(type);
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
