package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FreeMemoryTest {
    private static final long MACHINE = 8_388_608L << 10;

    @TempDir Path temp;

    @BeforeEach
    void machine() throws IOException {
        write("proc/meminfo", "MemTotal:  16777216 kB\nMemAvailable:  8388608 kB\n");
    }

    private void write(String name, String text) throws IOException {
        Path file = temp.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private long free() {
        return FreeMemory.of(temp.resolve("proc"), temp.resolve("groups")).bytes().orElse(-1);
    }

    @Test
    void isWhatTheMachineHasLeftWhereNoGroupSaysLess() throws IOException {
        assertThat(free()).isEqualTo(MACHINE);
        write("groups/memory.max", "max\n");
        write("groups/memory.current", "1\n");
        write("proc/self/cgroup", "0::/\n");
        assertThat(free()).isEqualTo(MACHINE);
    }

    @Test
    void theTightestOfTheGroupsAroundAProcessCounts() throws IOException {
        write("proc/self/cgroup", "0::/outer/inner\n");
        write("groups/outer/inner/memory.max", "5000\n");
        write("groups/outer/inner/memory.current", "1000\n");
        assertThat(free()).isEqualTo(4000);
        write("groups/outer/memory.max", "3000\n");
        write("groups/outer/memory.current", "2500\n");
        assertThat(free()).isEqualTo(500);
        write("groups/outer/memory.stat", "anon 500\ninactive_file 1500\nactive_file 400\n");
        assertThat(free()).isEqualTo(2400);
        write("groups/other/memory.max", "1\n");
        write("groups/other/memory.current", "1\n");
        assertThat(free()).isEqualTo(2400);
    }

    @Test
    void theFirstVersionsGroupsCountToo() throws IOException {
        write("proc/self/cgroup", "5:devices:/\n4:memory:/mine\n0::/\n");
        write("groups/memory/memory.limit_in_bytes", "9223372036854771712\n");
        write("groups/memory/memory.usage_in_bytes", "70000\n");
        write("groups/memory/mine/memory.limit_in_bytes", "9000\n");
        write("groups/memory/mine/memory.usage_in_bytes", "8000\n");
        write("groups/memory/mine/memory.stat", "inactive_file 7\ntotal_inactive_file 3000\n");
        assertThat(free()).isEqualTo(4000);
    }

    @Test
    void aGroupBeyondItsLimitHasNothingLeft() throws IOException {
        write("groups/memory.max", "1000\n");
        write("groups/memory.current", "1200\n");
        assertThat(free()).isZero();
    }

    @Test
    void isUnknownWhereNobodyTells() throws IOException {
        Files.delete(temp.resolve("proc/meminfo"));
        assertThat(free()).isEqualTo(-1);
        write("proc/meminfo", "MemAvailable: plenty\n");
        assertThat(free()).isEqualTo(-1);
    }
}
