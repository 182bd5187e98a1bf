package dev.flagship.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.HexFormat;
import java.util.Optional;

/**
 * A loop of {@code vpdpbusd} (u8 × i8, four products summed into an i32 lane) on registers: the
 * processor's int8 peak, which no loop of the Vector API can reach. The bytes were assembled by GNU
 * as; the comments are its disassembly. They lie in a mapping that is first writable, then
 * executable, and never both.
 *
 * <p>Moves to {@code engine/kernels-x86} once that module exists; until then nothing else in Java
 * may place machine code.
 */
final class Int8Loop implements AutoCloseable {
    private static final int CHAINS = 12;

    // System V: rdi counts the rounds; every vector register is the callee's to change.
    private static final String AVX512_VNNI =
            """
            62030d4025f6ff   vpternlogd $0xff,%zmm30,%zmm30,%zmm30
            6203054025ffff   vpternlogd $0xff,%zmm31,%zmm31,%zmm31
            62920d4050c7     vpdpbusd %zmm31,%zmm30,%zmm0      ; loop
            62920d4050cf     vpdpbusd %zmm31,%zmm30,%zmm1
            62920d4050d7     vpdpbusd %zmm31,%zmm30,%zmm2
            62920d4050df     vpdpbusd %zmm31,%zmm30,%zmm3
            62920d4050e7     vpdpbusd %zmm31,%zmm30,%zmm4
            62920d4050ef     vpdpbusd %zmm31,%zmm30,%zmm5
            62920d4050f7     vpdpbusd %zmm31,%zmm30,%zmm6
            62920d4050ff     vpdpbusd %zmm31,%zmm30,%zmm7
            62120d4050c7     vpdpbusd %zmm31,%zmm30,%zmm8
            62120d4050cf     vpdpbusd %zmm31,%zmm30,%zmm9
            62120d4050d7     vpdpbusd %zmm31,%zmm30,%zmm10
            62120d4050df     vpdpbusd %zmm31,%zmm30,%zmm11
            48ffcf           dec %rdi
            75b3             jne loop
            c5f877           vzeroupper
            c3               ret
            """;

    private static final String AVX_VNNI =
            """
            c4410d76f6       vpcmpeqd %ymm14,%ymm14,%ymm14
            c4410576ff       vpcmpeqd %ymm15,%ymm15,%ymm15
            c4c20d50c7       {vex} vpdpbusd %ymm15,%ymm14,%ymm0  ; loop
            c4c20d50cf       {vex} vpdpbusd %ymm15,%ymm14,%ymm1
            c4c20d50d7       {vex} vpdpbusd %ymm15,%ymm14,%ymm2
            c4c20d50df       {vex} vpdpbusd %ymm15,%ymm14,%ymm3
            c4c20d50e7       {vex} vpdpbusd %ymm15,%ymm14,%ymm4
            c4c20d50ef       {vex} vpdpbusd %ymm15,%ymm14,%ymm5
            c4c20d50f7       {vex} vpdpbusd %ymm15,%ymm14,%ymm6
            c4c20d50ff       {vex} vpdpbusd %ymm15,%ymm14,%ymm7
            c4420d50c7       {vex} vpdpbusd %ymm15,%ymm14,%ymm8
            c4420d50cf       {vex} vpdpbusd %ymm15,%ymm14,%ymm9
            c4420d50d7       {vex} vpdpbusd %ymm15,%ymm14,%ymm10
            c4420d50df       {vex} vpdpbusd %ymm15,%ymm14,%ymm11
            48ffcf           dec %rdi
            75bf             jne loop
            c5f877           vzeroupper
            c3               ret
            """;

    private static final long PAGE = 4096;
    private static final int PROT_READ = 1;
    private static final int PROT_WRITE = 2;
    private static final int PROT_EXEC = 4;
    private static final int MAP_PRIVATE_ANONYMOUS = 0x22;

    private final MemorySegment code;
    private final MethodHandle loop;
    private final MethodHandle munmap;
    private final long operationsPerRound;

    private Int8Loop(
            MemorySegment code, MethodHandle loop, MethodHandle munmap, long operationsPerRound) {
        this.code = code;
        this.loop = loop;
        this.munmap = munmap;
        this.operationsPerRound = operationsPerRound;
    }

    /** The widest form that this machine has; empty if it has none. */
    static Optional<Int8Loop> open(Machine machine) {
        boolean here =
                System.getProperty("os.name").equals("Linux")
                        && System.getProperty("os.arch").equals("amd64");
        if (here && machine.has("avx512f") && machine.has("avx512_vnni")) {
            return Optional.of(place(AVX512_VNNI, 2L * 64 * CHAINS));
        }
        if (here && machine.has("avx_vnni")) {
            return Optional.of(place(AVX_VNNI, 2L * 32 * CHAINS));
        }
        return Optional.empty();
    }

    static byte[] assemble(String listing) {
        StringBuilder hex = new StringBuilder();
        listing.lines().forEach(l -> hex.append(l, 0, l.indexOf(' ')));
        return HexFormat.of().parseHex(hex);
    }

    // The descriptors are those of mmap(2), mprotect(2) and munmap(2) on 64-bit Linux.
    @SuppressWarnings("restricted")
    private static Int8Loop place(String listing, long operationsPerRound) {
        Linker linker = Linker.nativeLinker();
        SymbolLookup libc = linker.defaultLookup();
        ValueLayout pointer = ValueLayout.JAVA_LONG;
        ValueLayout number = ValueLayout.JAVA_INT;
        MethodHandle mmap =
                linker.downcallHandle(
                        libc.findOrThrow("mmap"),
                        FunctionDescriptor.of(
                                pointer, pointer, pointer, number, number, number, pointer));
        MethodHandle mprotect =
                linker.downcallHandle(
                        libc.findOrThrow("mprotect"),
                        FunctionDescriptor.of(number, pointer, pointer, number));
        MethodHandle munmap =
                linker.downcallHandle(
                        libc.findOrThrow("munmap"),
                        FunctionDescriptor.of(number, pointer, pointer));
        byte[] bytes = assemble(listing);
        try {
            long at =
                    (long)
                            mmap.invokeExact(
                                    0L,
                                    PAGE,
                                    PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE_ANONYMOUS,
                                    -1,
                                    0L);
            if (at == -1) {
                throw refused("mmap", null);
            }
            MemorySegment code =
                    MemorySegment.ofAddress(at).reinterpret(PAGE, Arena.global(), null);
            MemorySegment.copy(bytes, 0, code, ValueLayout.JAVA_BYTE, 0, bytes.length);
            if ((int) mprotect.invokeExact(at, PAGE, PROT_READ | PROT_EXEC) != 0) {
                int _ = (int) munmap.invokeExact(at, PAGE);
                throw refused("mprotect", null);
            }
            MethodHandle loop = linker.downcallHandle(code, FunctionDescriptor.ofVoid(pointer));
            return new Int8Loop(code, loop, munmap, operationsPerRound);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable t) {
            throw refused("mmap", t);
        }
    }

    private static BenchException refused(
            String call, @org.jspecify.annotations.Nullable Throwable cause) {
        return new BenchException(
                "no_executable_memory",
                "The system refused executable memory (%s), so that the int8 peak cannot be measured."
                        .formatted(call),
                cause);
    }

    /** Multiplications and additions of one round. */
    long operationsPerRound() {
        return operationsPerRound;
    }

    /** Runs the loop on this thread. */
    void run(long rounds) {
        try {
            loop.invokeExact(rounds);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable t) {
            throw new IllegalStateException(t);
        }
    }

    @Override
    public void close() {
        try {
            int _ = (int) munmap.invokeExact(code.address(), PAGE);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable t) {
            throw new IllegalStateException(t);
        }
    }
}
