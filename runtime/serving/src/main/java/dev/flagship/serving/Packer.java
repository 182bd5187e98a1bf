package dev.flagship.serving;

import dev.flagship.base.Quoted;
import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.BandPacker;
import dev.flagship.tensor.BlockEncoder;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.Team;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Moves tensors from their files into bands, or into plain F32 vectors; bands are shared out over
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

    /** Takes packed bytes. */
    interface Target {
        /**
         * Takes the next ones.
         *
         * @param at where they begin among all packed weights, not before the end of the last ones
         */
        void write(long at, MemorySegment bytes) throws IOException;
    }

    /**
     * Packs a whole tensor into zeroed planes.
     *
     * @throws LoadException if a weight is not finite
     */
    void pack(PackPlan.Entry entry, MemorySegment numbers, MemorySegment scales) {
        try (Data data = open(entry)) {
            bands(entry, data).pack(0, entry.bands(), numbers, scales);
        }
    }

    /**
     * Packs a tensor some bands at a time, which stay in the processor's caches on their way.
     *
     * @param scratch for the numbers of these bands, at least of {@link #largestBand} bytes
     * @throws LoadException if a weight is not finite
     */
    void pack(PackPlan.Entry entry, MemorySegment scratch, Target target) throws IOException {
        long bandBytes = entry.numberBytes() / entry.bands();
        long bandScales = entry.scaleBytes() / entry.bands();
        int most = Math.toIntExact(Math.min(scratch.byteSize() / bandBytes, entry.bands()));
        try (Data data = open(entry);
                OffHeap scales = OffHeap.allocate(entry.scaleBytes())) {
            Bands bands = bands(entry, data);
            for (int from = 0; from < entry.bands(); from += most) {
                int to = Math.min(entry.bands(), from + most);
                MemorySegment numbers = scratch.asSlice(0, (to - from) * bandBytes);
                bands.pack(
                        from,
                        to,
                        numbers.fill((byte) 0),
                        scales.segment().asSlice(from * bandScales));
                target.write(entry.numbersAt() + from * bandBytes, numbers);
            }
            target.write(entry.scalesAt(), scales.segment());
        }
    }

    /** Bytes of the largest band's numbers. */
    static long largestBand(PackPlan plan) {
        return plan.entries().stream()
                .mapToLong(entry -> entry.numberBytes() / entry.bands())
                .max()
                .orElse(0);
    }

    /** Packs bands [from, to) into zeroed planes that begin with band {@code from}. */
    private interface Bands {
        void pack(int from, int to, MemorySegment numbers, MemorySegment scales);
    }

    /**
     * A tensor's numbers row by row; of one that is rounded nothing, for rounding reads the file.
     *
     * @param gathered memory for them, if they lay apart
     */
    private record Data(MemorySegment numbers, OffHeap gathered) implements AutoCloseable {
        @Override
        public void close() {
            try (gathered) {
                TensorSource.leave(numbers);
            }
        }
    }

    private static boolean rounded(PackPlan.Entry entry) {
        return !entry.source().vector() && entry.type() != entry.source().type();
    }

    private Data open(PackPlan.Entry entry) {
        Optional<MemorySegment> inPlace =
                rounded(entry)
                        ? Optional.of(MemorySegment.NULL)
                        : entry.source().inPlace(source.file());
        if (inPlace.isPresent()) {
            return new Data(inPlace.get(), OffHeap.allocate(0));
        }
        OffHeap gathered = OffHeap.allocate(entry.source().bytes());
        try {
            entry.source().gather(source.file(), gathered.segment());
            return new Data(gathered.segment(), gathered);
        } catch (RuntimeException | Error e) {
            gathered.close();
            throw e;
        }
    }

    private Bands bands(PackPlan.Entry entry, Data data) {
        if (entry.source().vector()) {
            return (_, _, numbers, _) -> vector(entry, data.numbers, numbers);
        }
        Bands one = rounded(entry) ? rounding(entry) : copying(entry, data.numbers);
        long bandBytes = entry.numberBytes() / entry.bands();
        long bandScales = entry.scaleBytes() / entry.bands();
        return (from, to, numbers, scales) -> {
            try {
                team.run((thread, threads) -> {
                    long count = (long) to - from;
                    int start = (int) (count * thread / threads);
                    int end = (int) (count * (thread + 1) / threads);
                    one.pack(
                            from + start,
                            from + end,
                            numbers.asSlice(start * bandBytes),
                            scales.asSlice(start * bandScales));
                });
            } catch (BandPacker.NonFiniteWeightException | BlockEncoder.TooLargeException e) {
                throw notFinite(e.getMessage(), e);
            }
        };
    }

    private static Bands copying(PackPlan.Entry entry, MemorySegment data) {
        return new BandPacker(
                        entry.name(),
                        entry.type(),
                        entry.rows(),
                        entry.cols(),
                        data,
                        entry.source().rowOrder())
                ::pack;
    }

    /** Rounds bands one by one, each into memory of its own, from which it is packed. */
    private Bands rounding(PackPlan.Entry entry) {
        long bandBytes = entry.numberBytes() / entry.bands();
        long bandScales = entry.scaleBytes() / entry.bands();
        return (from, to, numbers, scales) -> {
            var converter = new RowConverter(entry.source(), source.file(), entry.type());
            MemorySegment rows =
                    MemorySegment.ofArray(
                            new byte[Math.toIntExact(converter.rowBytes() * BandMatrix.BAND)]);
            for (int b = from; b < to; b++) {
                int first = b * BandMatrix.BAND;
                converter.convert(first, Math.min(entry.rows(), first + BandMatrix.BAND), rows, 0);
                new BandPacker(
                                entry.name(),
                                entry.type(),
                                entry.rows(),
                                entry.cols(),
                                rows,
                                row -> row - first)
                        .pack(
                                b,
                                b + 1,
                                numbers.asSlice((b - from) * bandBytes),
                                scales.asSlice((b - from) * bandScales));
            }
        };
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
