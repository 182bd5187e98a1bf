package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.formats.ModelFile;
import dev.flagship.formats.ModelFiles;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.SpinTeam;
import dev.flagship.tensor.Team;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PackerTest {
    @TempDir Path temp;

    /** Scratch memory for one band at a time, for a few, and for whole tensors. */
    private static final int[] SCRATCH = {1, 3, 1000};

    @Test
    void bandsAtATimeAreThoseOfTheWholeTensor() throws IOException {
        for (TinyContainer container : TinyContainer.values()) {
            Path model = container.in(temp.resolve(container.name()));
            try (ModelFile file = ModelFiles.open(model)) {
                ModelSource source = ModelSource.read(file);
                assertSamePlanes(source, PackPlan.of(model, source.tensors().values()));
                assertSamePlanes(source, PackPlan.of(source, QuantMix.Q8_0));
            }
        }
        for (String name : TinyModels.GGUF_ONLY) {
            try (ModelFile file = ModelFiles.open(TinyModels.gguf(name, temp))) {
                ModelSource source = ModelSource.read(file);
                assertSamePlanes(source, PackPlan.of(file.path(), source.tensors().values()));
            }
        }
    }

    private static void assertSamePlanes(ModelSource source, PackPlan plan) throws IOException {
        try (Team team = new SpinTeam(3);
                OffHeap whole = OffHeap.allocate(plan.bytes())) {
            var packer = new Packer(source, team);
            for (PackPlan.Entry e : plan.entries()) {
                packer.pack(
                        e,
                        whole.segment().asSlice(e.numbersAt(), e.numberBytes()),
                        whole.segment().asSlice(e.scalesAt(), e.scaleBytes()));
            }
            for (int factor : SCRATCH) {
                byte[] scratch = new byte[Math.toIntExact(Packer.largestBand(plan) * factor)];
                byte[] streamed = new byte[Math.toIntExact(plan.bytes())];
                List<Long> begins = new ArrayList<>(List.of(0L));
                for (PackPlan.Entry e : plan.entries()) {
                    packer.pack(
                            e,
                            MemorySegment.ofArray(scratch),
                            (at, bytes) -> {
                                assertThat(at).isGreaterThanOrEqualTo(begins.getLast());
                                begins.add(at + bytes.byteSize());
                                MemorySegment.ofArray(streamed).asSlice(at).copyFrom(bytes);
                            });
                }
                assertThat(MemorySegment.ofArray(streamed).mismatch(whole.segment()))
                        .as("%s, %d bands at a time", source.file().path(), factor)
                        .isEqualTo(-1);
            }
        }
    }
}
