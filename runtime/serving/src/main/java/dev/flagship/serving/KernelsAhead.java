package dev.flagship.serving;

import dev.flagship.base.Joining;
import dev.flagship.tensor.Kernels;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Kernels made on a thread of their own while the caller reads what else a model has: a vocabulary
 * and machine code take about as long, and together most of a start.
 */
final class KernelsAhead implements AutoCloseable {
    private final Thread thread;
    private final List<String> warnings = new ArrayList<>();
    private @Nullable Kernels made;
    private @Nullable RuntimeException failure;
    private @Nullable Error error;

    private KernelsAhead(Function<Consumer<String>, Kernels> making) {
        thread =
                Thread.ofPlatform().daemon().name("flagship-kernels").unstarted(() -> make(making));
    }

    /**
     * Begins.
     *
     * @param making makes the kernels, given where its warnings go
     */
    static KernelsAhead start(Function<Consumer<String>, Kernels> making) {
        var ahead = new KernelsAhead(making);
        ahead.thread.start();
        return ahead;
    }

    private void make(Function<Consumer<String>, Kernels> making) {
        try {
            made = making.apply(warnings::add);
        } catch (RuntimeException e) {
            failure = e;
        } catch (Error e) {
            error = e;
        }
    }

    /**
     * The kernels, from now on the caller's.
     *
     * @param told hears what there was to warn of
     * @throws RuntimeException or Error what making them threw
     */
    Kernels take(Consumer<String> told) {
        Joining.join(thread);
        warnings.forEach(told);
        if (failure != null) {
            throw failure;
        }
        if (error != null) {
            throw error;
        }
        Kernels taken = made;
        made = null;
        if (taken == null) {
            throw new IllegalStateException("kernels can be taken once");
        }
        return taken;
    }

    /** Waits, and closes what nobody took. */
    @Override
    public void close() {
        Joining.join(thread);
        if (made != null) {
            made.close();
            made = null;
        }
    }
}
