package dev.flagship.serving;

import dev.flagship.nn.Weights;
import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/**
 * All weights of a model in bands, in memory or mapped. Owns them. What a model asks for has been
 * compared by {@link ShapeCheck} before anything was packed.
 *
 * <p>Models compute with no other matrices, for emitted code does not survive a page that is gone:
 * a file that is cut short while it is mapped is a SIGBUS. A model's own files may be, so loading
 * unmaps them before it ends, and kernels refuse closed memory; what a {@link Sidecar} maps is
 * written under another name and renamed, which leaves older mappings whole.
 */
final class PackedWeights implements Weights, AutoCloseable {
    private final OffHeap memory;
    private final MemorySegment data;
    private final Map<String, PackPlan.Entry> entries = new TreeMap<>();

    /**
     * @param memory owner of the data, which begins at {@code offset}
     */
    PackedWeights(OffHeap memory, long offset, PackPlan plan) {
        this.memory = memory;
        this.data = memory.segment().asSlice(offset, plan.bytes());
        plan.entries().forEach(e -> entries.put(e.name(), e));
    }

    long bytes() {
        return data.byteSize();
    }

    @Override
    public Weights at(String name) {
        return new Place(name + ".");
    }

    @Override
    public BandMatrix matrix(String name, int out, int in) {
        PackPlan.Entry e = find(name);
        return new BandMatrix(
                e.name(),
                e.type(),
                out,
                in,
                plane(e.numbersAt(), e.numberBytes()),
                plane(e.scalesAt(), e.scaleBytes()));
    }

    @Override
    public Tensor vector(String name, int size) {
        PackPlan.Entry e = find(name);
        return Tensor.named(e.name(), Shape.of(1, size), plane(e.numbersAt(), e.numberBytes()));
    }

    private MemorySegment plane(long at, long bytes) {
        return data.asSlice(at, bytes);
    }

    private PackPlan.Entry find(String name) {
        return Objects.requireNonNull(
                entries.get(name + ".weight"), "the shape check found every tensor");
    }

    @Override
    public void close() {
        memory.close();
    }

    private final class Place implements Weights {
        private final String prefix;

        Place(String prefix) {
            this.prefix = prefix;
        }

        @Override
        public Weights at(String name) {
            return new Place(prefix + name + ".");
        }

        @Override
        public BandMatrix matrix(String name, int out, int in) {
            return PackedWeights.this.matrix(prefix + name, out, in);
        }

        @Override
        public Tensor vector(String name, int size) {
            return PackedWeights.this.vector(prefix + name, size);
        }
    }
}
