package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.Team;
import dev.flagship.tensor.Tensor;
import dev.flagship.testing.AllocationCheck;
import dev.flagship.testing.KernelsContract;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecordedKernelsTest {
    @TempDir private Path folder = Path.of("");

    /** Whoever is recorded computes the same. */
    @Nested
    class WhileRecording extends KernelsContract {
        private final Recording recording = new Recording();

        @BeforeEach
        void record() {
            recording.enable(KernelEvent.NAME);
            recording.start();
        }

        @AfterEach
        void stop() {
            recording.close();
        }

        @Override
        protected Kernels create(Team team) {
            return new RecordedKernels(new ScalarKernels(team));
        }
    }

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
