package dev.flagship.serving;

import dev.flagship.formats.FormatException;
import dev.flagship.nn.Weights;
import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Compares the tensors of a file, by their headers alone, with what a model asks for: assembling a
 * model over this tells within milliseconds whether the file fits, before a gigabyte is packed. It
 * hands out placeholders of one band, with which nothing can be computed.
 */
final class ShapeCheck implements Weights {
    private static final BandMatrix MATRIX =
            new BandMatrix(
                    "placeholder",
                    DType.F32,
                    1,
                    1,
                    MemorySegment.ofArray(new byte[64]),
                    MemorySegment.NULL);
    private static final Tensor VECTOR =
            Tensor.of(Shape.of(1, 1), MemorySegment.ofArray(new byte[4]));

    private final Path file;
    private final String prefix;
    private final Map<String, PackPlan.Entry> entries;
    private final Set<String> used;
    private final Map<String, String> withheld;

    private ShapeCheck(
            Path file,
            String prefix,
            Map<String, PackPlan.Entry> entries,
            Set<String> used,
            Map<String, String> withheld) {
        this.file = file;
        this.withheld = withheld;
        this.prefix = prefix;
        this.entries = entries;
        this.used = used;
    }

    /**
     * Assembles a model for the sake of what it asks for.
     *
     * @param withheld by Hugging Face name, why a tensor of the file is not in the plan
     * @return the model, which knows its shape and can compute nothing
     * @throws LoadException if a tensor is missing, has another shape, or is not asked for: what a
     *     model does not use would change its answers where it was made
     */
    static <M> M of(
            Path file, PackPlan plan, Map<String, String> withheld, Function<Weights, M> model) {
        Map<String, PackPlan.Entry> entries = new TreeMap<>();
        plan.entries().forEach(e -> entries.put(e.name(), e));
        Set<String> used = new HashSet<>();
        M made = model.apply(new ShapeCheck(file, "", entries, used, withheld));
        for (String name : entries.keySet()) {
            if (!used.contains(name)) {
                throw new LoadException(
                        file,
                        "tensor %s is no part of the model that it describes"
                                .formatted(FormatException.quote(name)),
                        "This version runs dense LLaMA models without biases or adapters.");
            }
        }
        return made;
    }

    @Override
    public Weights at(String name) {
        return new ShapeCheck(file, prefix + name + ".", entries, used, withheld);
    }

    @Override
    public BandMatrix matrix(String name, int out, int in) {
        PackPlan.Entry e = find(name);
        if (e.source().vector() || e.rows() != out || e.cols() != in) {
            throw mismatch(e, "[%d, %d]".formatted(out, in));
        }
        return MATRIX;
    }

    @Override
    public Tensor vector(String name, int size) {
        PackPlan.Entry e = find(name);
        if (!e.source().vector() || e.cols() != size) {
            throw mismatch(e, "[%d]".formatted(size));
        }
        return VECTOR;
    }

    private PackPlan.Entry find(String name) {
        String full = prefix + name + ".weight";
        PackPlan.@Nullable Entry entry = entries.get(full);
        if (entry == null && withheld.containsKey(full)) {
            throw new LoadException(
                    file,
                    "tensor %s cannot be used: %s".formatted(full, withheld.get(full)),
                    "This version reads weights in F32, F16 and BF16 here; convert it.");
        }
        if (entry == null) {
            throw new LoadException(
                    file,
                    "tensor %s is missing".formatted(full),
                    "The file is incomplete or of another model; fetch or convert it again.");
        }
        used.add(entry.name());
        return entry;
    }

    private LoadException mismatch(PackPlan.Entry entry, String expected) {
        return new LoadException(
                file,
                "tensor %s is %s, its description asks for %s"
                        .formatted(entry.name(), entry.source().shape(), expected),
                "The file contradicts itself; fetch or convert it again.");
    }
}
