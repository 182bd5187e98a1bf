package dev.flagship.kernels.x86;

import dev.flagship.tensor.DType;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.KvRows;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;

/**
 * Compares the attention kernels with {@link ScalarKernels} on this very processor before they are
 * trusted: every width of a tile, every width of a strip, cut segments, two pieces, numbers that
 * are not finite, and what lies beyond the output.
 */
final class AttentionSelfTest {
    /** Of KV pages. */
    static final List<DType> TYPES = List.of(DType.F32, DType.F16, DType.Q8_0);

    /** A strip of each width; of Q8_0, of each width that there is. */
    private static int headSize(DType type) {
        return type == DType.Q8_0 ? 96 : 112;
    }

    private static final int KV_HEADS = 1;

    /**
     * Rows of one sequence and queries a KV head: widths 1 to 6 alone and as what is left of more.
     *
     * @param special whether the cache holds what is not finite
     */
    private record Case(int last, int count, int group, boolean special) {}

    private static final List<Case> CASES =
            List.of(
                    new Case(0, 1, 1, false),
                    new Case(69, 3, 2, true),
                    new Case(513, 1, 3, false),
                    new Case(16, 16, 4, false),
                    new Case(130, 1, 5, false),
                    new Case(64, 2, 6, false));

    /** Half of them special. */
    private static final int PAGES = 16;

    private static final long SEED = 20250916;

    private AttentionSelfTest() {}

    /** The types of KV pages for which all kernels gave the right bits. */
    static Set<DType> passing(KernelLibrary library) {
        Set<DType> passing = EnumSet.noneOf(DType.class);
        for (DType type : TYPES) {
            if (passes(library, type)) {
                passing.add(type);
            }
        }
        return passing;
    }

    private static boolean passes(KernelLibrary library, DType type) {
        Random random = new Random(SEED);
        KvLayout layout = new KvLayout(1, KV_HEADS, headSize(type), type);
        try (OffHeap pool = OffHeap.allocate(PAGES * layout.pageBytes());
                SerialTeam team = new SerialTeam();
                ScalarKernels truth = new ScalarKernels(team);
                Attention few = new Attention(team, library, EnumSet.of(type), Integer.MAX_VALUE);
                Attention many = new Attention(team, library, EnumSet.of(type), 1)) {
            fill(pool.segment(), layout, random);
            for (Case c : CASES) {
                if (!passes(c, layout, pool.segment(), truth, List.of(few, many), random)) {
                    return false;
                }
            }
            return true;
        }
    }

    private static boolean passes(
            Case c,
            KvLayout layout,
            MemorySegment pool,
            ScalarKernels truth,
            List<Attention> ways,
            Random random) {
        KvRows rows = new KvRows(layout, pool);
        int firstPage = c.special ? 0 : PAGES / 2;
        int[] table =
                random.ints(c.last / KvLayout.PAGE + 1, firstPage, firstPage + PAGES / 2).toArray();
        for (int i = c.last - c.count + 1; i <= c.last; i++) {
            rows.add(table, i);
        }
        Shape shape = new Shape(c.count, KV_HEADS * c.group, layout.headSize());
        long bytes = 4L * shape.elements();
        try (OffHeap queries = OffHeap.allocate(bytes);
                OffHeap wanted = OffHeap.allocate(bytes);
                OffHeap space = OffHeap.allocate(bytes + 8 * SelfTest.CANARIES)) {
            for (long i = 0; i < shape.elements(); i++) {
                queries.segment()
                        .setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
            }
            Tensor q = Tensor.of(shape, queries.segment());
            Tensor expected = Tensor.of(shape, wanted.segment());
            truth.attend(rows, 0, q, expected);
            Tensor out = Tensor.of(shape, space.segment().asSlice(4 * SelfTest.CANARIES, bytes));
            for (Attention attention : ways) {
                for (long i = 0; i < space.segment().byteSize() / 4; i++) {
                    space.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, SelfTest.CANARY);
                }
                attention.attend(rows, 0, q, out);
                if (!SelfTest.agree(out, expected, 0)
                        || !SelfTest.untouched(space.segment(), bytes)) {
                    return false;
                }
            }
        }
        return true;
    }

    private static void fill(MemorySegment pool, KvLayout layout, Random random) {
        if (layout.type() == DType.Q8_0) {
            fillBlocks(pool, layout, random);
            return;
        }
        DType type = layout.type();
        boolean f32 = type == DType.F32;
        long count = pool.byteSize() / type.blockBytes();
        for (long i = 0; i < count; i++) {
            float usual = (float) random.nextGaussian();
            float value = usual;
            if (i < count / 2) {
                value =
                        switch (random.nextInt(8000)) {
                            case 0 -> Float.NaN;
                            case 1 -> Float.POSITIVE_INFINITY;
                            case 2 -> -60000f;
                            case 3 -> 6e-8f; // a denormal of F16
                            default -> usual;
                        };
            }
            if (f32) {
                pool.setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
            } else {
                pool.setAtIndex(ValueLayout.JAVA_SHORT, i, Float.floatToFloat16(value));
            }
        }
    }

    /** Any byte stands, but scales are those of numbers near 1. */
    private static void fillBlocks(MemorySegment pool, KvLayout layout, Random random) {
        byte[] bytes = new byte[Math.toIntExact(layout.blockBytes())];
        for (long block = 0; block < pool.byteSize(); block += bytes.length) {
            random.nextBytes(bytes);
            MemorySegment.copy(bytes, 0, pool, ValueLayout.JAVA_BYTE, block, bytes.length);
            for (long at = layout.scalesOffset(); at < bytes.length; at += 2) {
                float usual = (1 + random.nextFloat()) / 64;
                float scale = usual;
                if (block < pool.byteSize() / 2) {
                    scale =
                            switch (random.nextInt(500)) {
                                case 0 -> Float.NaN;
                                case 1 -> 65504f;
                                case 2 -> 0f;
                                case 3 -> 6e-8f;
                                default -> usual;
                            };
                }
                short half = Float.floatToFloat16(scale);
                pool.set(ValueLayout.JAVA_SHORT, block + at, half);
            }
        }
    }
}
