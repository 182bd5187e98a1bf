package dev.flagship.serving;

import dev.flagship.base.Quoted;
import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.BandPacker;
import dev.flagship.tensor.BlockEncoder;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.Team;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Moves one tensor from its file into bands, or into a plain F32 vector; bands are shared out over
 * the team. A tensor whose numbers lie apart is put together in memory first.
 */
final class Packer {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

    private final ModelSource source;
    private final Team team;

    Packer(ModelSource source, Team team) {
        this.source = source;
        this.team = team;
    }

    /**
     * Packs into zeroed planes.
     *
     * @throws LoadException if a weight is not finite
     */
    void pack(PackPlan.Entry entry, MemorySegment numbers, MemorySegment scales) {
        if (!entry.source().vector() && entry.type() != entry.source().type()) {
            round(entry, numbers, scales);
            return;
        }
        Optional<MemorySegment> inPlace = entry.source().inPlace(source.file());
        if (inPlace.isPresent()) {
            pack(entry, inPlace.get(), numbers, scales);
            TensorSource.leave(inPlace.get());
            return;
        }
        try (OffHeap whole = OffHeap.allocate(entry.source().bytes())) {
            entry.source().gather(source.file(), whole.segment());
            pack(entry, whole.segment(), numbers, scales);
        }
    }

    private void pack(
            PackPlan.Entry entry, MemorySegment data, MemorySegment numbers, MemorySegment scales) {
        try {
            if (entry.source().vector()) {
                vector(entry, data, numbers);
                return;
            }
            var packer =
                    new BandPacker(
                            entry.name(),
                            entry.type(),
                            entry.rows(),
                            entry.cols(),
                            data,
                            entry.source().rowOrder());
            int bands = BandMatrix.bands(entry.rows());
            team.run((thread, threads) ->
                    packer.pack(
                            (int) ((long) bands * thread / threads),
                            (int) ((long) bands * (thread + 1) / threads),
                            numbers,
                            scales));
        } catch (BandPacker.NonFiniteWeightException e) {
            throw notFinite(e.getMessage(), e);
        }
    }

    /** Rounds bands one by one, each into memory of its own, from which it is packed. */
    private void round(PackPlan.Entry entry, MemorySegment numbers, MemorySegment scales) {
        int bands = BandMatrix.bands(entry.rows());
        try {
            team.run((thread, threads) -> {
                var converter = new RowConverter(entry.source(), source.file(), entry.type());
                long rowBytes = converter.rowBytes();
                MemorySegment band =
                        MemorySegment.ofArray(
                                new byte[Math.toIntExact(rowBytes * BandMatrix.BAND)]);
                int to = (int) ((long) bands * (thread + 1) / threads);
                for (int b = (int) ((long) bands * thread / threads); b < to; b++) {
                    int first = b * BandMatrix.BAND;
                    int end = Math.min(entry.rows(), first + BandMatrix.BAND);
                    converter.convert(first, end, band, 0);
                    new BandPacker(
                                    entry.name(),
                                    entry.type(),
                                    entry.rows(),
                                    entry.cols(),
                                    band,
                                    row -> row - first)
                            .pack(b, b + 1, numbers, scales);
                }
            });
        } catch (BandPacker.NonFiniteWeightException | BlockEncoder.TooLargeException e) {
            throw notFinite(e.getMessage(), e);
        }
    }

    private LoadException notFinite(String problem, @Nullable Throwable cause) {
        Path file = source.file().path();
        return new LoadException(file, problem, "Nothing was kept of it.", cause);
    }

    private void vector(PackPlan.Entry entry, MemorySegment data, MemorySegment numbers) {
        DType type = entry.source().type();
        for (int i = 0; i < entry.cols(); i++) {
            float value =
                    switch (type) {
                        case F32 -> data.get(FLOAT, i * 4L);
                        case F16 -> Float.float16ToFloat(data.get(SHORT, i * 2L));
                        case BF16 -> Float.intBitsToFloat(data.get(SHORT, i * 2L) << 16);
                        default ->
                                throw new IllegalStateException(
                                        "the plan admits plain vectors only");
                    };
            if (!Float.isFinite(value)) {
                throw notFinite(
                        "tensor %s has the value %s at [%d]"
                                .formatted(Quoted.of(entry.name()), value, i),
                        null);
            }
            numbers.set(INT, i * 4L, Float.floatToRawIntBits(value));
        }
    }
}
