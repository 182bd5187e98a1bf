package dev.flagship.serving;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * Memory that this process could still be given without another's being pushed out, by Linux's
 * books: what the machine has left, or less where a control group's limit leaves less. What is kept
 * of files counts as free, for it is given up before anybody is refused memory.
 *
 * <p>Source: proc_meminfo(5); the kernel's Documentation, admin-guide/cgroup-v2 and
 * cgroup-v1/memory.
 *
 * @param meminfo in the form of /proc/meminfo
 * @param groups folders of the control groups whose limits count, of either version
 */
public record FreeMemory(Path meminfo, List<Path> groups) {
    private static final int MOST_LINES = 4096;

    public FreeMemory {
        groups = List.copyOf(groups);
    }

    /** That of this process. */
    public static FreeMemory ofThisProcess() {
        return of(Path.of("/proc"), Path.of("/sys/fs/cgroup"));
    }

    /** The groups of a process and those around them; a container sees its own as the root. */
    static FreeMemory of(Path proc, Path cgroups) {
        List<Path> groups = new ArrayList<>(List.of(cgroups, cgroups.resolve("memory")));
        for (String line : lines(proc.resolve("self/cgroup"))) {
            String[] fields = line.split(":", 3); // number, controllers, path
            boolean second = fields.length == 3 && fields[1].isEmpty();
            boolean first = fields.length == 3 && List.of(fields[1].split(",")).contains("memory");
            if (second || first) {
                Path root = second ? cgroups : cgroups.resolve("memory");
                Path at = root.resolve(fields[2].replaceFirst("^/+", "")).normalize();
                for (; at != null && at.startsWith(root) && !at.equals(root); at = at.getParent()) {
                    groups.add(at);
                }
            }
        }
        return new FreeMemory(proc.resolve("meminfo"), groups);
    }

    /** Bytes; empty where the system does not tell. */
    public OptionalLong bytes() {
        OptionalLong available = value(meminfo, "MemAvailable:");
        if (available.isEmpty()) {
            return available;
        }
        long bytes = available.getAsLong() << 10;
        for (Path group : groups) {
            bytes = Math.min(bytes, left(group, "memory.max", "memory.current", ""));
            String one = "memory.limit_in_bytes";
            bytes = Math.min(bytes, left(group, one, "memory.usage_in_bytes", "total_"));
        }
        return OptionalLong.of(Math.max(bytes, 0));
    }

    private static long left(Path group, String limit, String usage, String prefix) {
        OptionalLong most = number(group.resolve(limit));
        OptionalLong used = number(group.resolve(usage));
        if (most.isEmpty() || used.isEmpty()) {
            return Long.MAX_VALUE;
        }
        Path stat = group.resolve("memory.stat");
        long cached =
                value(stat, prefix + "inactive_file ").orElse(0)
                        + value(stat, prefix + "active_file ").orElse(0);
        long kept = used.getAsLong() - Math.clamp(cached, 0, Math.max(used.getAsLong(), 0));
        return most.getAsLong() - kept;
    }

    private static OptionalLong value(Path file, String key) {
        for (String line : lines(file)) {
            if (line.startsWith(key)) {
                return parsed(line.substring(key.length()).replace("kB", ""));
            }
        }
        return OptionalLong.empty();
    }

    private static OptionalLong number(Path file) {
        List<String> lines = lines(file);
        return lines.isEmpty() ? OptionalLong.empty() : parsed(lines.getFirst());
    }

    private static OptionalLong parsed(String text) {
        try {
            return OptionalLong.of(Long.parseLong(text.strip()));
        } catch (NumberFormatException e) {
            return OptionalLong.empty(); // no limit says "max"
        }
    }

    private static List<String> lines(Path file) {
        try (var lines = Files.lines(file)) {
            return lines.limit(MOST_LINES).toList();
        } catch (IOException | UncheckedIOException e) {
            return List.of(); // another system, or another version of it
        }
    }
}
