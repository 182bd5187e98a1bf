package dev.flagship.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What a figure must be read with.
 *
 * @param processor its name, as it gives it
 * @param features names of instruction sets, as Linux spells them; empty where it does not tell
 * @param processors logical ones
 * @param lastCacheBytes of all last-level caches together; 0 if unknown
 */
record Machine(String processor, Set<String> features, int processors, long lastCacheBytes) {

    /** The features that decide how fast products can be. */
    private static final List<String> TELLING =
            List.of(
                    "avx2",
                    "fma",
                    "f16c",
                    "avx_vnni",
                    "avx512f",
                    "avx512_vnni",
                    "avx512_bf16",
                    "avx512_fp16",
                    "amx_int8",
                    "amx_bf16",
                    "asimd",
                    "asimddp",
                    "i8mm",
                    "bf16",
                    "sve");

    Machine {
        features = Set.copyOf(features);
    }

    static Machine read() {
        List<String> cpuinfo = lines(Path.of("/proc/cpuinfo"));
        return new Machine(
                value(cpuinfo, "model name").orElse(System.getProperty("os.arch")),
                features(cpuinfo),
                Runtime.getRuntime().availableProcessors(),
                lastCacheBytes(Path.of("/sys/devices/system/cpu")));
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException e) {
            return List.of(); // no Linux
        }
    }

    private static Optional<String> value(List<String> lines, String key) {
        return lines.stream()
                .filter(l -> l.contains(":") && l.substring(0, l.indexOf(':')).strip().equals(key))
                .map(l -> l.substring(l.indexOf(':') + 1).strip())
                .findFirst();
    }

    static Set<String> features(List<String> cpuinfo) {
        return value(cpuinfo, "flags")
                .or(() -> value(cpuinfo, "Features"))
                .map(f -> Set.copyOf(List.of(f.split("\\s+", -1))))
                .orElse(Set.of());
    }

    /**
     * Sum of the caches of the highest level, each counted once though many processors share it.
     */
    static long lastCacheBytes(Path cpus) {
        Set<String> seen = new LinkedHashSet<>();
        int level = 0;
        long bytes = 0;
        for (Path cpu : children(cpus, "cpu\\d+")) {
            for (Path cache : children(cpu.resolve("cache"), "index\\d+")) {
                int at = Integer.parseInt(line(cache.resolve("level")).orElse("0"));
                if (at > level) {
                    level = at;
                    bytes = 0;
                    seen.clear();
                }
                String sharers = line(cache.resolve("shared_cpu_list")).orElse(cpu.toString());
                if (at == level && seen.add(sharers)) {
                    bytes += line(cache.resolve("size")).map(Machine::size).orElse(0L);
                }
            }
        }
        return bytes;
    }

    private static Optional<String> line(Path file) {
        return lines(file).stream().findFirst().map(String::strip);
    }

    private static List<Path> children(Path folder, String pattern) {
        try (Stream<Path> all = Files.list(folder)) {
            return all.filter(p -> p.getFileName().toString().matches(pattern)).sorted().toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    /** {@code 480K}, {@code 32M}. */
    static long size(String text) {
        long number = Long.parseLong(text.replaceAll("[^0-9]", ""));
        return switch (text.charAt(text.length() - 1)) {
            case 'K' -> number << 10;
            case 'M' -> number << 20;
            case 'G' -> number << 30;
            default -> number;
        };
    }

    boolean has(String feature) {
        return features.contains(feature);
    }

    /** The features worth naming. */
    String tellingFeatures() {
        return TELLING.stream().filter(this::has).collect(Collectors.joining(" "));
    }

    /** Means over 1, 5 and 15 minutes; empty where the system does not tell. */
    static Optional<String> loadAverage() {
        return line(Path.of("/proc/loadavg"))
                .map(l -> String.join(" ", List.of(l.split(" ", -1)).subList(0, 3)));
    }

    /** A line of {@code /proc/self/status} in bytes: {@code VmRSS}, {@code VmHWM}. */
    static Optional<Long> memory(String key) {
        return value(lines(Path.of("/proc/self/status")), key)
                .map(v -> Long.parseLong(v.replace("kB", "").strip()) << 10);
    }
}
