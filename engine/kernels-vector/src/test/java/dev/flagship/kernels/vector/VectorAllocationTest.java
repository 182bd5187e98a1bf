package dev.flagship.kernels.vector;

import static dev.flagship.testing.AllocationCheck.allocatesNothing;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.KvRows;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.RopeTable;
import dev.flagship.tensor.SpinTeam;
import dev.flagship.tensor.Team;
import dev.flagship.tensor.Tensor;
import dev.flagship.testing.GuardedMemory;
import dev.flagship.testing.Seed;
import dev.flagship.testing.SourceBlocks;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Once C2 has compiled them, operations leave the heap alone. Vectors that C2 fails to keep in
 * registers are boxed, so this also tells when a kernel has fallen off that cliff.
 */
class VectorAllocationTest {
    private final Random random = Seed.given().random();
    private GuardedMemory memory = new GuardedMemory(1, random);
    private Team team = new SpinTeam(1);
    private Kernels kernels = new VectorKernels(team);

    @BeforeEach
    void open() {
        memory.close();
        memory = new GuardedMemory(16 << 20, random);
        team = new SpinTeam(2);
        kernels = new VectorKernels(team);
    }

    @AfterEach
    void close() {
        kernels.close();
        team.close();
        memory.close();
    }

    private Tensor numbers(int rows, int width) {
        Tensor x = memory.tensor(rows, width);
        for (int row = 0; row < rows; row++) {
            for (int i = 0; i < width; i++) {
                x.set(row, i, (float) random.nextGaussian());
            }
        }
        return x;
    }

    @Test
    void products() {
        for (Numerics numerics : Numerics.values()) {
            for (DType type : DType.values()) {
                int cols = type.superBlocks() ? 512 : 96;
                byte[] source =
                        SourceBlocks.random(type, 64 * cols, SourceBlocks.Kind.USUAL, random);
                List<BandMatrix> w = List.of(memory.matrix("m", type, 64, cols, source));
                for (int rows : new int[] {1, 17}) {
                    Tensor x = numbers(rows, cols);
                    List<Tensor> out = List.of(memory.tensor(rows, 64));
                    allocatesNothing(
                            "project %s %s × %d".formatted(numerics, type, rows),
                            () -> kernels.project(x, w, out, numerics));
                }
            }
        }
    }

    @Test
    void attention() {
        for (DType type : KvLayout.TYPES) {
            KvLayout layout = new KvLayout(1, 2, 64, type);
            int[] table = new int[70];
            for (int i = 0; i < table.length; i++) {
                table[i] = i;
            }
            for (int start : new int[] {100, 1100}) {
                for (int count : new int[] {1, 16}) {
                    KvRows rows = new KvRows(layout, memory.take(70 * layout.pageBytes()));
                    for (int i = 0; i < count; i++) {
                        rows.add(table, start + i - count);
                    }
                    Tensor kv = numbers(count, 128);
                    Tensor q = numbers(count, 256).split(4, 64);
                    Tensor out = memory.tensor(count, 256);
                    allocatesNothing("append", () -> kernels.append(rows, 0, kv, kv));
                    allocatesNothing(
                            "attend %s, %d rows at %d".formatted(type, count, start),
                            () -> kernels.attend(rows, 0, q, out));
                    memory.reset("attend");
                }
            }
        }
    }

    @Test
    void pointwise() {
        for (int rows : new int[] {1, 40}) {
            Tensor x = numbers(rows, 576);
            Tensor y = numbers(rows, 576);
            Tensor heads = x.split(9, 64);
            Tensor weight = numbers(1, 576);
            Tensor out = memory.tensor(rows, 576);
            RopeTable table = new RopeTable(new float[32]);
            table.ensure(64);
            int[] ids = new int[rows];
            byte[] source =
                    SourceBlocks.random(DType.Q8_0, 16 * 576, SourceBlocks.Kind.USUAL, random);
            BandMatrix embedding = memory.matrix("m", DType.Q8_0, 16, 576, source);
            byte[] nibbles =
                    SourceBlocks.random(DType.Q4_1, 16 * 576, SourceBlocks.Kind.USUAL, random);
            BandMatrix embedding4 = memory.matrix("m", DType.Q4_1, 16, 576, nibbles);
            allocatesNothing("embed", () -> kernels.embed(embedding, ids, out));
            allocatesNothing("embed of 4 bits", () -> kernels.embed(embedding4, ids, out));
            allocatesNothing("rmsNorm", () -> kernels.rmsNorm(x, weight, 1e-5f, out));
            allocatesNothing("layerNorm", () -> kernels.layerNorm(x, weight, weight, 1e-5f, out));
            allocatesNothing("rope", () -> kernels.rope(heads, table, ids));
            allocatesNothing("swiGlu", () -> kernels.swiGlu(y, out, out));
            allocatesNothing("gelu", () -> kernels.gelu(y, out));
            allocatesNothing("relu", () -> kernels.relu(y, out));
            allocatesNothing("softmax", () -> kernels.softmax(y, out));
            allocatesNothing("add", () -> kernels.add(out, y));
            allocatesNothing("gather", () -> kernels.gather(x, ids, out));
        }
    }

    @Test
    void logits() {
        Tensor logits = numbers(1, 5000);
        int[] ids = new int[40];
        float[] values = new float[40];
        allocatesNothing("logSumExp", () -> kernels.logSumExp(logits, 0));
        allocatesNothing("topK", () -> kernels.topK(logits, 0, 40, ids, values));
    }
}
