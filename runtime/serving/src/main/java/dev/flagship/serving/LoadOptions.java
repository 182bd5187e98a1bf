package dev.flagship.serving;

import static dev.flagship.base.Check.check;

import dev.flagship.tensor.DType;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.Numerics;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * How to load a model.
 *
 * @param id name it is served under
 * @param numerics empty: fast where any weight is quantised, else exact
 * @param kvCache type of keys and values, one of {@link KvLayout#TYPES}; empty: F32 in exact
 *     numerics, else F16
 * @param kernels name of a rung, or {@code auto} for the best that runs here
 * @param threads 0: one per physical core that this process may use
 * @param context most tokens of one conversation; empty: what the model allows, at most 8,192
 * @param quantize what weights are rounded to on their way into the packed ones; empty: nothing
 * @param template which one lays out conversations
 * @param packedFolder where packed weights are kept between starts; empty: in memory only
 */
public record LoadOptions(
        String id,
        Optional<Numerics> numerics,
        Optional<DType> kvCache,
        String kernels,
        int threads,
        OptionalInt context,
        Optional<QuantMix> quantize,
        ModelTemplate.Choice template,
        Optional<Path> packedFolder) {

    /** Kernels: the best rung that runs here. */
    public static final String AUTO = "auto";

    private static final int THREADS_PER_PROCESSOR = 4;

    public LoadOptions {
        check(
                kvCache.isEmpty() || KvLayout.TYPES.contains(kvCache.get()),
                "a KV cache of %s: there are f16, q8_0 and f32",
                kvCache);
        check(
                threads >= 0 && threads <= mostThreads(),
                "threads %s is not in [0, %s], which is %s for each processor; 0 means one for each core",
                threads,
                mostThreads(),
                THREADS_PER_PROCESSOR);
        check(
                context.orElse(16) >= 16,
                "context %s is below 16 tokens; left out, it is the model's, at most 8192",
                context.orElse(16));
    }

    /** More threads only take turns, and wait for each other at every operation. */
    private static int mostThreads() {
        return THREADS_PER_PROCESSOR * Runtime.getRuntime().availableProcessors();
    }

    /** Defaults, packed weights in memory. */
    public static LoadOptions of(String id) {
        return new LoadOptions(
                id,
                Optional.empty(),
                Optional.empty(),
                AUTO,
                0,
                OptionalInt.empty(),
                Optional.empty(),
                ModelTemplate.Own.IF_ANY,
                Optional.empty());
    }

    /** The type of a KV cache of this name; empty if there is none. */
    public static Optional<DType> kvCacheOf(String name) {
        return KvLayout.TYPES.stream().filter(type -> nameOf(type).equals(name)).findFirst();
    }

    /** The name that people see. */
    static String nameOf(DType kvCache) {
        return kvCache.toString().toLowerCase(Locale.ROOT);
    }

    public LoadOptions withNumerics(Numerics mode) {
        return new LoadOptions(
                id,
                Optional.of(mode),
                kvCache,
                kernels,
                threads,
                context,
                quantize,
                template,
                packedFolder);
    }

    public LoadOptions withKvCache(DType type) {
        return new LoadOptions(
                id,
                numerics,
                Optional.of(type),
                kernels,
                threads,
                context,
                quantize,
                template,
                packedFolder);
    }

    public LoadOptions withKernels(String name) {
        return new LoadOptions(
                id, numerics, kvCache, name, threads, context, quantize, template, packedFolder);
    }

    public LoadOptions withThreads(int count) {
        return new LoadOptions(
                id, numerics, kvCache, kernels, count, context, quantize, template, packedFolder);
    }

    public LoadOptions withContext(int tokens) {
        return new LoadOptions(
                id,
                numerics,
                kvCache,
                kernels,
                threads,
                OptionalInt.of(tokens),
                quantize,
                template,
                packedFolder);
    }

    public LoadOptions withQuantize(QuantMix mix) {
        return new LoadOptions(
                id,
                numerics,
                kvCache,
                kernels,
                threads,
                context,
                Optional.of(mix),
                template,
                packedFolder);
    }

    public LoadOptions withPackedFolder(Path folder) {
        return new LoadOptions(
                id,
                numerics,
                kvCache,
                kernels,
                threads,
                context,
                quantize,
                template,
                Optional.of(folder));
    }

    public LoadOptions withTemplate(ModelTemplate.Choice choice) {
        return new LoadOptions(
                id, numerics, kvCache, kernels, threads, context, quantize, choice, packedFolder);
    }
}
