package dev.flagship.base;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class JoiningTest {
    @Test
    @Timeout(20)
    void anInterruptNeitherEndsTheWaitNorIsLost() {
        Thread waiting = Thread.currentThread();
        CountDownLatch end = new CountDownLatch(1);
        Thread interrupter =
                new Thread(() -> {
                    waiting.interrupt();
                    end.countDown();
                });
        Thread thread =
                new Thread(() -> {
                    interrupter.start();
                    try {
                        end.await();
                        Thread.sleep(50); // the interrupt finds the other waiting
                    } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                    }
                });
        thread.start();
        Joining.join(thread);
        assertThat(thread.isAlive()).isFalse();
        assertThat(Thread.interrupted()).isTrue();
    }
}
