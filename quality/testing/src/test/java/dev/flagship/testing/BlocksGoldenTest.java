package dev.flagship.testing;

import dev.flagship.formats.GgufFile;
import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Weights of blocks as GGUF's own dequantisation gives them: tools/golden/blocks. */
class BlocksGoldenTest {
    private static final String GOLDEN = "blocks/blocks";

    private final GuardedMemory memory = new GuardedMemory(8 << 20, Seed.given().random());
    private final ScalarKernels kernels = new ScalarKernels(new SerialTeam());

    @TempDir private Path folder;

    @AfterEach
    void close() {
        kernels.close();
        memory.close();
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void weightsHaveTheBitsOfTheReference(DType type) throws IOException {
        String name = type.name().toLowerCase(Locale.ROOT);
        List<float[]> expected = Golden.read(GOLDEN + ".expected.safetensors").rows(name);
        int rows = expected.size();
        int cols = expected.getFirst().length;
        BandMatrix w = packed(type, name, rows, cols);
        Tensor out = memory.tensor(rows, cols);
        kernels.embed(w, IntStream.range(0, rows).toArray(), out);
        // A product with a unit vector is a weight too.
        Tensor units = memory.tensor(cols, cols);
        for (int k = 0; k < cols; k++) {
            units.put(k, new float[cols]);
            units.set(k, k, 1f);
        }
        Tensor products = memory.tensor(cols, rows);
        kernels.project(units, List.of(w), List.of(products), Numerics.EXACT);
        for (int row = 0; row < rows; row++) {
            for (int k = 0; k < cols; k++) {
                String what = "%s [%d, %d]".formatted(type, row, k);
                float weight = expected.get(row)[k];
                Bits.assertSame(what, out.get(row, k), weight);
                // A sum of zeros of both signs is +0.
                Bits.assertSame(what, products.get(k, row), weight == 0 ? 0f : weight);
            }
        }
    }

    private BandMatrix packed(DType type, String name, int rows, int cols) throws IOException {
        try (GgufFile file = GgufFile.open(Golden.extract(GOLDEN + ".gguf", folder))) {
            byte[] source = file.data(file.tensor(name)).toArray(ValueLayout.JAVA_BYTE);
            return memory.matrix(name, type, rows, cols, source);
        }
    }
}
