package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.serving.api.Sampling;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.Tensor;
import dev.flagship.testing.AllocationCheck;
import dev.flagship.testing.Bits;
import dev.flagship.testing.Seed;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecordedKernelsTest {
    private static final Sampling ENDLESS = new Sampling(0, 0, 1, 0, 1, 0, 0, Map.of(1, -100f), 0);

    @TempDir private Path folder = Path.of("");

    private static Kernels kernels() {
        return new RecordedKernels(new ScalarKernels(new SerialTeam()));
    }

    private static Tensor tensor(OffHeap memory, int rows, int cols) {
        return Tensor.of(Shape.of(rows, cols), memory.segment().asSlice(0, 4L * rows * cols));
    }

    private List<RecordedEvent> events(Recording recording) throws IOException {
        Path file = folder.resolve("events.jfr");
        recording.dump(file);
        return RecordingFile.readAllEvents(file);
    }

    @Test
    void aRecordingTellsOperationRowsAndBytes() throws IOException {
        try (Recording recording = new Recording();
                OffHeap memory = OffHeap.allocate(4096);
                Kernels kernels = kernels()) {
            recording.enable(KernelEvent.NAME);
            recording.start();
            Tensor x = tensor(memory, 3, 10);
            kernels.add(x, x);
            recording.stop();
            RecordedEvent event = events(recording).getFirst();
            assertThat(event.getEventType().getName()).isEqualTo("dev.flagship.KernelOperation");
            assertThat(event.getString("operation")).isEqualTo("add");
            assertThat(event.getString("rung")).isEqualTo("scalar");
            assertThat(event.getInt("rows")).isEqualTo(3);
            assertThat(event.getLong("bytes")).isEqualTo(3 * 3 * 10 * 4);
            assertThat(event.getDuration().toNanos()).isPositive();
        }
    }

    /** Whoever is recorded computes the same: a whole model's operations. */
    @Test
    void anAnswerIsTheSameWhileRecordedAndShowsEveryOperation() throws Exception {
        Path model = TinyModels.roomy(folder);
        int[] prompt = {3, 1, 4, 1, 5, 9, 2, 6};
        List<RunningLoop.Answer> answers = new ArrayList<>();
        try (Recording recording = new Recording();
                RunningLoop loop = RunningLoop.over(model, "scalar", 16)) {
            answers.add(loop.submit(prompt, ENDLESS, 6).toEnd());
            recording.enable(KernelEvent.NAME);
            recording.start();
            answers.add(loop.submit(prompt, ENDLESS, 6).toEnd());
            recording.stop();
            assertThat(answers.getLast().tokens()).isEqualTo(answers.getFirst().tokens());
            assertThat(events(recording))
                    .extracting(event -> event.getString("operation"))
                    .contains(
                            "embed",
                            "project",
                            "rmsNorm",
                            "rope",
                            "append",
                            "attend",
                            "swiGlu",
                            "add",
                            "gather",
                            "topK",
                            "logSumExp");
        }
    }

    @Test
    void elementsAreTheSameWhileRecorded() throws IOException {
        Seed seed = Seed.given();
        Random random = seed.random();
        try (Recording recording = new Recording();
                OffHeap memory = OffHeap.allocate(4096);
                Kernels truth = new ScalarKernels(new SerialTeam());
                Kernels kernels = kernels()) {
            recording.enable(KernelEvent.NAME);
            recording.start();
            Tensor x = Tensor.of(Shape.of(3, 10), memory.segment().asSlice(0, 120));
            Tensor expected = Tensor.of(Shape.of(3, 10), memory.segment().asSlice(1024, 120));
            Tensor actual = Tensor.of(Shape.of(3, 10), memory.segment().asSlice(2048, 120));
            for (int i = 0; i < 30; i++) {
                x.set(i / 10, i % 10, (float) random.nextGaussian());
            }
            truth.gelu(x, expected);
            kernels.gelu(x, actual);
            Bits.assertSame("gelu, " + seed, actual, expected);
            truth.relu(x, expected);
            kernels.relu(x, actual);
            Bits.assertSame("relu, " + seed, actual, expected);
            truth.softmax(x, expected);
            kernels.softmax(x, actual);
            Bits.assertSame("softmax, " + seed, actual, expected);
            recording.stop();
            assertThat(events(recording))
                    .extracting(event -> event.getString("operation"))
                    .containsExactly("gelu", "relu", "softmax");
        }
    }

    @Test
    void aRecordingThatDoesNotAskForThemHasNone() throws IOException {
        try (Recording recording = new Recording();
                OffHeap memory = OffHeap.allocate(4096);
                Kernels kernels = kernels()) {
            recording.start();
            Tensor x = tensor(memory, 3, 10);
            kernels.add(x, x);
            recording.stop();
            assertThat(events(recording))
                    .noneMatch(event -> event.getEventType().getName().equals(KernelEvent.NAME));
        }
    }

    @Test
    void unrecordedNothingIsAllocated() {
        try (OffHeap memory = OffHeap.allocate(4096);
                Kernels kernels = kernels()) {
            Tensor x = tensor(memory, 3, 10);
            AllocationCheck.allocatesNothing("add", () -> kernels.add(x, x));
        }
    }
}
