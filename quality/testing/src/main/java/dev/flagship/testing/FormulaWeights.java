package dev.flagship.testing;

import static dev.flagship.base.Check.check;

import dev.flagship.nn.Weights;
import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.BandPacker;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntUnaryOperator;

/**
 * Weights that follow from their names alone, so that a reference in another language can make them
 * again: tools/golden/llama/formula.py has the same formula.
 *
 * <p>Element i of a tensor is a hash of its name plus i·0x9E3779B1, finished as murmur3 does, read
 * as v in [−1, 1). Matrices hold scale·0.25·v, vectors 1 + 0.25·v.
 */
public final class FormulaWeights implements Weights, AutoCloseable {
    private final DType type;
    private final float scale;
    private final String path;
    private final List<OffHeap> owned;

    /**
     * @param type what matrices are rounded to
     * @param scale factor of matrices
     */
    public FormulaWeights(DType type, float scale) {
        this(type, scale, "", new ArrayList<>());
    }

    private FormulaWeights(DType type, float scale, String path, List<OffHeap> owned) {
        this.type = type;
        this.scale = scale;
        this.path = path;
        this.owned = owned;
    }

    /** FNV-1a, 32 bits, of the name's UTF-8. */
    static int hash(String name) {
        int h = 0x811C9DC5;
        for (byte b : name.getBytes(StandardCharsets.UTF_8)) {
            h = (h ^ (b & 0xFF)) * 0x01000193;
        }
        return h;
    }

    /** The raw numbers v of a name, in [−1, 1). */
    public static double[] stream(String name, int count) {
        double[] values = new double[count];
        int seed = hash(name);
        for (int i = 0; i < count; i++) {
            int x = seed + i * 0x9E3779B1;
            x ^= x >>> 16;
            x *= 0x85EBCA6B;
            x ^= x >>> 13;
            x *= 0xC2B2AE35;
            x ^= x >>> 16;
            values[i] = 2 * (Integer.toUnsignedLong(x) / 0x1p32) - 1;
        }
        return values;
    }

    private String weight(String name) {
        return (path.isEmpty() ? name : path + "." + name) + ".weight";
    }

    @Override
    public Weights at(String name) {
        return new FormulaWeights(type, scale, path.isEmpty() ? name : path + "." + name, owned);
    }

    @Override
    public BandMatrix matrix(String name, int out, int in) {
        String full = weight(name);
        check(in % type.blockElements() == 0, "%s: rows of %s are no blocks of %s", full, in, type);
        double[] v = stream(full, Math.multiplyExact(out, in));
        float[] values = new float[v.length];
        for (int i = 0; i < v.length; i++) {
            values[i] = (float) (scale * 0.25 * v[i]);
        }
        MemorySegment source = MemorySegment.ofArray(SourceBlocks.encode(type, values));
        MemorySegment numbers = own(BandMatrix.numberBytes(type, out, in));
        MemorySegment scales = own(BandMatrix.scaleBytes(type, out, in));
        new BandPacker(full, type, out, in, source, IntUnaryOperator.identity())
                .pack(0, BandMatrix.bands(out), numbers, scales);
        return new BandMatrix(full, type, out, in, numbers, scales);
    }

    @Override
    public Tensor vector(String name, int size) {
        String full = weight(name);
        double[] v = stream(full, size);
        Tensor tensor = Tensor.named(full, Shape.of(1, size), own(size * 4L));
        for (int i = 0; i < size; i++) {
            tensor.set(0, i, (float) (1 + 0.25 * v[i]));
        }
        return tensor;
    }

    private MemorySegment own(long bytes) {
        OffHeap memory = OffHeap.allocate(bytes);
        owned.add(memory);
        return memory.segment();
    }

    /** Frees all weights handed out, here and deeper in the tree. */
    @Override
    public void close() {
        owned.forEach(OffHeap::close);
        owned.clear();
    }
}
