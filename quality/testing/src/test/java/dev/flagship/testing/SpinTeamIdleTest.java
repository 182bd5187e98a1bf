package dev.flagship.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.tensor.SpinTeam;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Here and not beside SpinTeam, whose module cannot see the JVM's own measurements. */
class SpinTeamIdleTest {

    @Test
    void anIdleTeamUsesNoProcessor() throws InterruptedException {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        try (SpinTeam team = new SpinTeam(3)) {
            team.run((_, _) -> {});
            List<Thread> workers =
                    Thread.getAllStackTraces().keySet().stream()
                            .filter(t -> t.getName().startsWith("flagship-team-"))
                            .toList();
            assertThat(workers).hasSize(2);
            Thread.sleep(50); // they spin first
            long before = cpuNanos(threads, workers);
            Thread.sleep(300);
            assertThat(cpuNanos(threads, workers) - before).isLessThan(3_000_000);
            team.run((_, _) -> {});
        }
    }

    private static long cpuNanos(ThreadMXBean threads, List<Thread> workers) {
        return workers.stream().mapToLong(t -> threads.getThreadCpuTime(t.threadId())).sum();
    }
}
