package dev.flagship.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.PeakLoop;
import dev.flagship.tensor.PeakLoop.Kind;
import dev.flagship.tensor.SpinTeam;
import dev.flagship.tensor.Team;
import dev.flagship.testing.Seed;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@OnLinuxX86
class PeakKernelTest {
    private static final int ROUNDS = 1000;

    private final Seed seed = Seed.given();
    private final Random random = seed.random();

    private static List<PeakKernel> all(Isa isa) {
        List<PeakKernel> all = new ArrayList<>();
        for (Kind kind : Kind.values()) {
            if ((kind != Kind.BF16 || isa.wide()) && (kind != Kind.INT4 || !isa.vnni)) {
                all.add(new PeakKernel(isa, kind));
            }
        }
        return all;
    }

    /** A loop's limit is its products: as many as it says, of instructions that the set has. */
    @ParameterizedTest
    @EnumSource
    void objdumpReadsEveryLoopToItsEnd(Isa isa) throws IOException {
        assumeTrue(Disassembler.present(), "no objdump here");
        for (PeakKernel kernel : all(isa)) {
            List<String> lines =
                    Disassembler.list(kernel.assemble()).stream()
                            .map(Disassembler.Line::text)
                            .toList();
            assertThat(lines).noneMatch(line -> line.contains("(bad)"));
            assertThat(lines).startsWith("endbr64").endsWith("vzeroupper", "ret");
            assertThat(lines).noneMatch(line -> line.startsWith("push"));
            String register = isa.wide() ? "zmm" : "ymm";
            String product =
                    switch (kernel.kind()) {
                        case FP32 -> "vfmadd231ps ";
                        case BF16 -> "vdpbf16ps ";
                        case INT8 -> isa.vnni ? "vpdpbusd " : "vpmaddubsw ";
                        case INT4 -> "vpmaddubsw ";
                    };
            int lanes = 8 * isa.bytes() / (kernel.kind() == Kind.FP32 ? 32 : 8);
            lanes = kernel.kind() == Kind.BF16 ? isa.bytes() / 2 : lanes;
            long products = kernel.operations() / 2 / lanes;
            assertThat(lines)
                    .filteredOn(line -> line.contains(product + register))
                    .as(kernel.symbol())
                    .hasSize((int) products);
            if (isa == Isa.AVX2) {
                assertThat(lines).noneMatch(line -> line.contains("vpdpbusd"));
            }
            if (isa == Isa.AVX2_VNNI && kernel.kind() == Kind.INT8) {
                assertThat(lines).anyMatch(line -> line.startsWith("{vex} vpdpbusd"));
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void sumsAreThoseOfTheSameProductsOneByOne(Isa isa) {
        assumeTrue(Libraries.runs(isa), "no " + isa.tag + " here");
        for (PeakKernel kernel : all(isa)) {
            if (kernel.kind() != Kind.BF16 || Libraries.features().avx512Bf16()) {
                sums(kernel);
            }
        }
    }

    private void sums(PeakKernel kernel) {
        try (OffHeap memory = OffHeap.allocate(PeakKernel.BYTES);
                EmittedPeakLoop loop =
                        EmittedPeakLoop.place(new LinuxPages(), kernel).orElseThrow()) {
            MemorySegment block = memory.segment();
            for (int lane = 0; lane < 16; lane++) {
                fill(kernel, block, lane);
            }
            MemorySegment before = MemorySegment.ofArray(block.toArray(ValueLayout.JAVA_BYTE));
            loop.run(block, ROUNDS);
            for (int chain = 0; chain < kernel.chains(); chain++) {
                for (int lane = 0; lane < kernel.isa().bytes() / 4; lane++) {
                    long at = PeakKernel.SUMS + 64L * chain + 4L * lane;
                    assertThat(block.get(ValueLayout.JAVA_INT, at))
                            .as("%s, sum %d, lane %d, %s", kernel.symbol(), chain, lane, seed)
                            .isEqualTo(expected(kernel, before, lane, at));
                }
            }
            long end = PeakKernel.SUMS + 64L * kernel.chains();
            assertThat(block.asSlice(end).mismatch(before.asSlice(end))).isEqualTo(-1);
        }
    }

    private void fill(PeakKernel kernel, MemorySegment block, int lane) {
        for (int chain = 0; chain < 24; chain++) {
            int sum =
                    switch (kernel.kind()) {
                        case FP32 -> Float.floatToRawIntBits((float) random.nextGaussian());
                        // Small multiples of a power of two: whatever the order, nothing is lost.
                        case BF16 -> Float.floatToRawIntBits(random.nextInt(-100, 100) / 4f);
                        case INT8, INT4 -> random.nextInt();
                    };
            block.set(ValueLayout.JAVA_INT, PeakKernel.SUMS + 64L * chain + 4L * lane, sum);
        }
        int w = 0;
        int a = 0;
        switch (kernel.kind()) {
            case FP32 -> {
                w = Float.floatToRawIntBits((float) random.nextGaussian());
                a = Float.floatToRawIntBits((float) random.nextGaussian());
            }
            case BF16 -> {
                w = bf16(random.nextInt(-8, 8)) | bf16(random.nextInt(-8, 8)) << 16;
                a = bf16(random.nextInt(-8, 8) / 4f) | bf16(random.nextInt(-8, 8) / 4f) << 16;
            }
            case INT8, INT4 -> {
                for (int i = 0; i < 4; i++) {
                    w |= weight(kernel) << 8 * i;
                    // The extremes, where pairs would saturate first.
                    int small = random.nextInt(-127, 128);
                    a |= (random.nextInt(3) == 0 ? 127 : small) << 8 * i & 0xFF << 8 * i;
                }
            }
        }
        block.set(ValueLayout.JAVA_INT, PeakKernel.WEIGHTS + 4L * lane, w);
        block.set(ValueLayout.JAVA_INT, PeakKernel.ACTIVATIONS + 4L * lane, a);
    }

    /** Signed without vpdpbusd, unsigned with it. */
    private int weight(PeakKernel kernel) {
        if (kernel.kind() == Kind.INT4) {
            return random.nextInt(16);
        }
        return random.nextInt(3) == 0 ? 0x80 : random.nextInt(256);
    }

    private static int bf16(float value) {
        return Float.floatToRawIntBits(value) >>> 16;
    }

    private static float f32(int bits, int index) {
        return Float.intBitsToFloat(bits >>> 16 * index << 16);
    }

    private static int expected(PeakKernel kernel, MemorySegment before, int lane, long sumAt) {
        int w = before.get(ValueLayout.JAVA_INT_UNALIGNED, PeakKernel.WEIGHTS + 4L * lane);
        int a = before.get(ValueLayout.JAVA_INT_UNALIGNED, PeakKernel.ACTIVATIONS + 4L * lane);
        int sum = before.get(ValueLayout.JAVA_INT_UNALIGNED, sumAt);
        return switch (kernel.kind()) {
            case FP32 -> {
                float total = Float.intBitsToFloat(sum);
                for (int i = 0; i < ROUNDS; i++) {
                    total = Math.fma(Float.intBitsToFloat(w), Float.intBitsToFloat(a), total);
                }
                yield Float.floatToRawIntBits(total);
            }
            case BF16 -> {
                float each = f32(w, 0) * f32(a, 0) + f32(w, 1) * f32(a, 1);
                yield Float.floatToRawIntBits(Float.intBitsToFloat(sum) + ROUNDS * each);
            }
            case INT8, INT4 -> {
                int four = 0;
                for (int i = 0; i < 4; i++) {
                    int weight = w >> 8 * i & 0xFF;
                    weight = kernel.isa().vnni ? weight : (byte) weight;
                    four += weight * (byte) (a >> 8 * i);
                }
                int times = kernel.kind() == Kind.INT4 ? PeakKernel.QUADS : 1;
                yield sum + ROUNDS * times * four;
            }
        };
    }

    @Test
    void theProviderGivesAKindOnceAndThreadsMayShareALoop() {
        assumeTrue(Libraries.runs(Isa.AVX2), "no avx2 here");
        List<PeakLoop> loops = new X86KernelsProvider().peakLoops();
        assertThat(loops).extracting(PeakLoop::kind).contains(Kind.FP32, Kind.INT8);
        assertThat(new HashSet<>(loops.stream().map(PeakLoop::kind).toList())).hasSameSizeAs(loops);
        try (Team team = new SpinTeam(2)) {
            for (PeakLoop loop : loops) {
                assertThat(loop.operations()).isPositive();
                team.run((_, _) -> loop.run(ROUNDS));
                loop.close();
            }
        }
    }
}
