package dev.flagship.kernels.x86;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What Linux says of the processor, for hosts on which CPUID cannot be asked because they allow no
 * machine code. Good enough to tell whether that is a loss; nothing is run by it.
 */
final class CpuFlags {
    /** The system's own list. */
    static final Path CPUINFO = Path.of("/proc/cpuinfo");

    private CpuFlags() {}

    /** Features by the first processor's flags; none where they cannot be read. */
    static CpuFeatures read(Path cpuinfo) {
        Set<String> flags;
        try (var lines = Files.lines(cpuinfo, StandardCharsets.ISO_8859_1)) {
            flags =
                    lines
                            .filter(line -> line.startsWith("flags"))
                            .findFirst()
                            .map(line -> line.substring(line.indexOf(':') + 1).strip())
                            .stream()
                            .flatMap(line -> Arrays.stream(line.split(" ", -1)))
                            .collect(Collectors.toUnmodifiableSet());
        } catch (IOException e) {
            flags = Set.of();
        }
        return new CpuFeatures(
                "flags",
                flags.contains("avx2"),
                flags.contains("fma"),
                flags.contains("f16c"),
                flags.contains("avx_vnni"),
                flags.contains("avx512f"),
                flags.contains("avx512bw"),
                flags.contains("avx512dq"),
                flags.contains("avx512vl"),
                flags.contains("avx512_vnni"),
                flags.contains("avx512_bf16"),
                flags.contains("amx_tile") && flags.contains("amx_int8"));
    }
}
