package dev.flagship.serving;

import dev.flagship.formats.FormatException;
import dev.flagship.nn.Weights;
import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.Tensor;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** All weights of a model in bands, in memory or mapped. Owns them. */
final class PackedWeights implements Weights, AutoCloseable {
    private static final System.Logger LOG = System.getLogger(PackedWeights.class.getName());

    private final Path file;
    private final OffHeap memory;
    private final @Nullable Path kept;
    private final MemorySegment data;
    private final Map<String, PackPlan.Entry> entries = new TreeMap<>();
    private final Set<String> used = new HashSet<>();

    /**
     * @param file source, for messages
     * @param memory owner of the data, which begins at {@code offset}
     * @param kept the file that is mapped, if one is
     */
    PackedWeights(Path file, OffHeap memory, long offset, PackPlan plan, Optional<Path> kept) {
        this.file = file;
        this.memory = memory;
        this.kept = kept.orElse(null);
        this.data = memory.segment().asSlice(offset, plan.bytes());
        plan.entries().forEach(e -> entries.put(e.name(), e));
    }

    long bytes() {
        return data.byteSize();
    }

    /** Deletes the file, if there is one: no model can be made of it. */
    void forget() {
        if (kept != null) {
            try {
                Files.deleteIfExists(kept);
            } catch (IOException e) {
                LOG.log(Level.WARNING, "packed weights that are of no use stay in " + kept, e);
            }
        }
    }

    @Override
    public Weights at(String name) {
        return new Place(name + ".");
    }

    @Override
    public BandMatrix matrix(String name, int out, int in) {
        PackPlan.Entry e = find(name);
        if (e.source().vector() || e.rows() != out || e.cols() != in) {
            throw mismatch(e, "[%d, %d]".formatted(out, in));
        }
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
        if (!e.source().vector() || e.cols() != size) {
            throw mismatch(e, "[%d]".formatted(size));
        }
        return Tensor.named(e.name(), Shape.of(1, size), plane(e.numbersAt(), e.numberBytes()));
    }

    private MemorySegment plane(long at, long bytes) {
        return data.asSlice(at, bytes);
    }

    private PackPlan.Entry find(String name) {
        PackPlan.@Nullable Entry entry = entries.get(name + ".weight");
        if (entry == null) {
            throw new LoadException(
                    file,
                    "tensor %s.weight is missing".formatted(name),
                    "The file is incomplete or of another model; fetch or convert it again.");
        }
        used.add(entry.name());
        return entry;
    }

    /**
     * What a model does not ask for would change its answers where it was made.
     *
     * @throws LoadException if a tensor was never asked for
     */
    void refuseUnused() {
        for (String name : entries.keySet()) {
            if (!used.contains(name)) {
                throw new LoadException(
                        file,
                        "tensor %s is no part of the model that it describes"
                                .formatted(FormatException.quote(name)),
                        "This version runs dense LLaMA models without biases or adapters.");
            }
        }
    }

    private LoadException mismatch(PackPlan.Entry entry, String expected) {
        return new LoadException(
                file,
                "tensor %s is %s, its description asks for %s"
                        .formatted(entry.name(), entry.source().entry().shape(), expected),
                "The file contradicts itself; fetch or convert it again.");
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
