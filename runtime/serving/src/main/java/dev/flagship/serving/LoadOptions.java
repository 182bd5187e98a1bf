package dev.flagship.serving;

import static dev.flagship.base.Check.check;

import dev.flagship.tensor.Numerics;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * How to load a model.
 *
 * @param id name it is served under
 * @param numerics empty: fast where any weight is quantised, else exact
 * @param kernels name of a rung, or {@code auto} for the best that runs here
 * @param threads 0: one per physical core that this process may use
 * @param context most tokens of one conversation; empty: what the model allows, at most 8,192
 * @param packedFolder where packed weights are kept between starts; empty: in memory only
 */
public record LoadOptions(
        String id,
        Optional<Numerics> numerics,
        String kernels,
        int threads,
        OptionalInt context,
        Optional<Path> packedFolder) {

    /** Kernels: the best rung that runs here. */
    public static final String AUTO = "auto";

    private static final int THREADS_PER_PROCESSOR = 4;

    public LoadOptions {
        check(
                threads >= 0 && threads <= mostThreads(),
                "threads %s is not in [0, %s], which is %s for each processor; 0 means one for each core",
                threads,
                mostThreads(),
                THREADS_PER_PROCESSOR);
        check(context.orElse(16) >= 16, "context %s is below 16 tokens", context.orElse(16));
    }

    /** More threads only take turns, and wait for each other at every operation. */
    private static int mostThreads() {
        return THREADS_PER_PROCESSOR * Runtime.getRuntime().availableProcessors();
    }

    /** Defaults, packed weights in memory. */
    public static LoadOptions of(String id) {
        return new LoadOptions(
                id, Optional.empty(), AUTO, 0, OptionalInt.empty(), Optional.empty());
    }

    public LoadOptions withNumerics(Numerics mode) {
        return new LoadOptions(id, Optional.of(mode), kernels, threads, context, packedFolder);
    }

    public LoadOptions withKernels(String name) {
        return new LoadOptions(id, numerics, name, threads, context, packedFolder);
    }

    public LoadOptions withThreads(int count) {
        return new LoadOptions(id, numerics, kernels, count, context, packedFolder);
    }

    public LoadOptions withContext(int tokens) {
        return new LoadOptions(
                id, numerics, kernels, threads, OptionalInt.of(tokens), packedFolder);
    }

    public LoadOptions withPackedFolder(Path folder) {
        return new LoadOptions(id, numerics, kernels, threads, context, Optional.of(folder));
    }
}
