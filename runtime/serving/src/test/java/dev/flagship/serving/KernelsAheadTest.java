package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.SerialTeam;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** One that started on the caller's thread would wait for the caller: hence the limit. */
@Timeout(20)
class KernelsAheadTest {
    private final AtomicInteger closed = new AtomicInteger();
    private final List<String> told = new ArrayList<>();

    /** Kernels that count how often they are closed. */
    private Kernels kernels() {
        Kernels real = new ScalarKernels(new SerialTeam());
        return (Kernels)
                Proxy.newProxyInstance(
                        Kernels.class.getClassLoader(),
                        new Class<?>[] {Kernels.class},
                        (_, method, arguments) -> {
                            if (method.getName().equals("close")) {
                                closed.incrementAndGet();
                            }
                            return method.invoke(real, arguments);
                        });
    }

    @Test
    void theCallerGoesOnWhileTheyAreMade() throws InterruptedException {
        CountDownLatch mayEnd = new CountDownLatch(1);
        Kernels made = kernels();
        try (KernelsAhead ahead =
                KernelsAhead.start(warnings -> {
                    warnings.accept("slow today");
                    awaitQuietly(mayEnd);
                    return made;
                })) {
            assertThat(told).isEmpty();
            mayEnd.countDown();
            assertThat(ahead.take(told::add)).isSameAs(made);
            assertThat(told).containsExactly("slow today");
        }
        assertThat(closed).as("they are the taker's").hasValue(0);
    }

    @Test
    void whatNobodyTookIsClosed() {
        CountDownLatch mayEnd = new CountDownLatch(1);
        KernelsAhead ahead =
                KernelsAhead.start(_ -> {
                    awaitQuietly(mayEnd);
                    return kernels();
                });
        mayEnd.countDown();
        ahead.close();
        assertThat(closed).hasValue(1);
    }

    @Test
    void aFailureIsTheTakers() {
        var refused = new LoadException(Path.of("m"), "no such rung", "Choose another.");
        try (KernelsAhead ahead =
                KernelsAhead.start(warnings -> {
                    warnings.accept("before it");
                    throw refused;
                })) {
            assertThatThrownBy(() -> ahead.take(told::add)).isSameAs(refused);
            assertThat(told).containsExactly("before it");
        }
        try (KernelsAhead ahead =
                KernelsAhead.start(_ -> {
                    throw new StackOverflowError();
                })) {
            assertThatThrownBy(() -> ahead.take(told::add)).isInstanceOf(StackOverflowError.class);
        }
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
