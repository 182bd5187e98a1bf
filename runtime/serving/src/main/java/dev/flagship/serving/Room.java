package dev.flagship.serving;

import dev.flagship.base.Bytes;
import dev.flagship.nn.PagedKvCache;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.OffHeap;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * What one model takes of a machine's memory and cannot give back while it runs: its KV pool, and
 * packed weights that no file keeps. Both are compared with what there is before either is taken,
 * for Linux would grant more than it has, and then end the process without a word.
 *
 * @param context tokens for which the pool has room
 */
record Room(Memory machine, Path model, KvLayout layout, int context) {

    /** Size of the pool, or as much as a long holds. */
    private long poolBytes() {
        long pages = StepLoop.pagesFor(context);
        return pages > Long.MAX_VALUE / layout.pageBytes()
                ? Long.MAX_VALUE
                : pages * layout.pageBytes();
    }

    /**
     * Checks the pool alone, where weights are mapped from a file and come and go.
     *
     * @throws LoadException if there is not so much memory
     */
    void checkPool() {
        if (poolBytes() > machine.total()) {
            throw poolTooLarge(null);
        }
    }

    /** Whether so many bytes of weights and the pool could be in memory at once. */
    boolean holds(long bytes) {
        return bytes <= machine.total() && poolBytes() <= machine.total() - bytes;
    }

    /**
     * Checks that so many bytes of weights and the pool could be in memory at once.
     *
     * @throws LoadException if they could not
     */
    void checkWeights(long bytes) {
        if (!holds(bytes)) {
            throw weightsTooLarge(bytes, null);
        }
    }

    /**
     * Memory for packed weights, if the pool has room beside them.
     *
     * @throws LoadException if there is not so much
     */
    OffHeap weights(long bytes) {
        checkWeights(bytes);
        try {
            return machine.allocate(bytes);
        } catch (OutOfMemoryError e) {
            throw weightsTooLarge(bytes, e);
        }
    }

    /**
     * The pool.
     *
     * @throws LoadException if there is not so much memory
     */
    PagedKvCache pool(Kernels kernels) {
        checkPool();
        try {
            return new PagedKvCache(layout, StepLoop.pagesFor(context), kernels);
        } catch (OutOfMemoryError e) {
            throw poolTooLarge(e);
        }
    }

    private LoadException poolTooLarge(@Nullable Throwable cause) {
        return new LoadException(
                model,
                "its KV pool for %d tokens takes %s of memory; this machine has %s in all"
                        .formatted(context, Bytes.human(poolBytes()), Bytes.human(machine.total())),
                "Choose a smaller --context%s, or close other programs.".formatted(smallerPages()),
                cause);
    }

    /** Another way to a smaller pool, where there is one. */
    private String smallerPages() {
        boolean smaller =
                layout.type() != DType.Q8_0 && KvLayout.takes(layout.headSize(), DType.Q8_0);
        return smaller ? " or --kv-cache q8_0" : "";
    }

    private LoadException weightsTooLarge(long bytes, @Nullable Throwable cause) {
        return new LoadException(
                model,
                "its packed weights take %s of memory and its KV pool for %d tokens %s; this machine has %s in all"
                        .formatted(
                                Bytes.human(bytes),
                                context,
                                Bytes.human(poolBytes()),
                                Bytes.human(machine.total())),
                "Set FLAGSHIP_HOME to a folder with room, from which weights are mapped; or choose a smaller --context or model, or close other programs.",
                cause);
    }
}
