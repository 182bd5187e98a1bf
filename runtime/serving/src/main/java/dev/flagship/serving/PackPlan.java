package dev.flagship.serving;

import dev.flagship.base.Bytes;
import dev.flagship.base.Quoted;
import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Where each tensor lies among the packed weights: in order of name, every plane 64-byte aligned.
 *
 * @param rounded what the weights are rounded to on their way; empty: they stay as they are
 */
record PackPlan(List<Entry> entries, long bytes, Optional<QuantMix> rounded) {
    private static final long ALIGNMENT = 64;

    /** Version of the band layout and of the file around it; a new one rebuilds every file. */
    static final int VERSION = 1;

    PackPlan {
        entries = List.copyOf(entries);
    }

    /**
     * One tensor's place.
     *
     * @param type F32 for vectors, whatever the source
     * @param numbersAt offset of the plane of numbers
     * @param scalesAt offset of the plane of scales
     */
    record Entry(
            TensorSource source, DType type, int rows, int cols, long numbersAt, long scalesAt) {
        long numberBytes() {
            return source.vector() ? cols * 4L : BandMatrix.numberBytes(type, rows, cols);
        }

        long scaleBytes() {
            return source.vector() ? 0 : BandMatrix.scaleBytes(type, rows, cols);
        }

        String name() {
            return source.name();
        }

        /** Pieces of equal size that its planes consist of. */
        int bands() {
            return source.vector() ? 1 : BandMatrix.bands(rows);
        }
    }

    /** Types of the packed weights. */
    Set<DType> types() {
        return entries.stream().map(Entry::type).collect(Collectors.toUnmodifiableSet());
    }

    /**
     * Places all tensors.
     *
     * @throws LoadException if a tensor has more than two dimensions or a size that no matrix has
     */
    static PackPlan of(Path file, Iterable<TensorSource> tensors) {
        return of(file, tensors, Optional.empty(), TensorSource::type);
    }

    /** Places all tensors of a model that fits, rounded to a mix. */
    static PackPlan of(ModelSource source, QuantMix mix) {
        return of(
                source.file().path(),
                source.tensors().values(),
                Optional.of(mix),
                tensor -> mix.type(tensor, source.config()));
    }

    private static PackPlan of(
            Path file,
            Iterable<TensorSource> tensors,
            Optional<QuantMix> rounded,
            Function<TensorSource, DType> types) {
        List<TensorSource> sorted = new ArrayList<>();
        tensors.forEach(sorted::add);
        sorted.sort(Comparator.comparing(TensorSource::name));
        List<Entry> entries = new ArrayList<>();
        long at = 0;
        for (TensorSource source : sorted) {
            var shape = source.shape();
            boolean fits =
                    (shape.size() == 1 || shape.size() == 2)
                            && shape.stream().allMatch(n -> n <= Integer.MAX_VALUE / 64);
            boolean plain = !source.type().quantized();
            if (!fits || source.vector() && !plain) {
                throw new LoadException(
                        file,
                        "tensor %s is %s %s"
                                .formatted(Quoted.of(source.name()), source.type(), shape),
                        "Expected a plain vector or a matrix of at most 33 million rows.");
            }
            DType type = source.vector() ? DType.F32 : types.apply(source);
            int rows = source.vector() ? 1 : Math.toIntExact(shape.get(0));
            int cols = Math.toIntExact(shape.getLast());
            Entry numbers = new Entry(source, type, rows, cols, at, 0);
            long scalesAt = align(at + numbers.numberBytes());
            Entry entry = new Entry(source, type, rows, cols, at, scalesAt);
            entries.add(entry);
            at = align(scalesAt + entry.scaleBytes());
        }
        return new PackPlan(entries, at, rounded);
    }

    private static long align(long offset) {
        return (offset + ALIGNMENT - 1) & -ALIGNMENT;
    }

    /**
     * What of the plan decides the packed weights, for their key: nothing for those as they are.
     */
    List<String> identity() {
        return identity(rounded);
    }

    static List<String> identity(Optional<QuantMix> rounded) {
        return rounded.map(mix ->
                        List.of("rounded to %s, version %d".formatted(mix, QuantMix.VERSION)))
                .orElse(List.of());
    }

    /**
     * What takes more memory than in the file, since its numbers are unpacked; empty: nothing does.
     */
    Optional<String> unpacked() {
        Set<DType> types = EnumSet.noneOf(DType.class);
        long inFile = 0;
        long inMemory = 0;
        for (Entry e : entries) {
            if (e.type().named()) {
                types.add(e.type());
                inFile += e.source().bytes();
                inMemory += e.numberBytes() + e.scaleBytes();
            }
        }
        return types.isEmpty()
                ? Optional.empty()
                : Optional.of(
                        "Weights in %s are unpacked, without loss: %s in the file become %s."
                                .formatted(
                                        types.stream()
                                                .map(DType::name)
                                                .collect(Collectors.joining(", ")),
                                        Bytes.human(inFile),
                                        Bytes.human(inMemory)));
    }

    /** Whether any matrix has blocks. */
    boolean quantized() {
        return entries.stream().anyMatch(e -> e.type().quantized());
    }

    /** SHA-256 over every place, so that a file made to another plan is not believed. */
    byte[] digest() {
        MessageDigest digest = SourceDigest.sha256();
        for (Entry e : entries) {
            String line =
                    "%s %s %d %d %d %d\n"
                            .formatted(
                                    e.name(),
                                    e.type(),
                                    e.rows(),
                                    e.cols(),
                                    e.numbersAt(),
                                    e.scalesAt());
            digest.update(line.getBytes(StandardCharsets.UTF_8));
        }
        return digest.digest();
    }
}
