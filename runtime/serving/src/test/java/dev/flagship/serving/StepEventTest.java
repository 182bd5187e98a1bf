package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.serving.api.Sampling;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.SerialTeam;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a Flight Recorder file tells of a model at work. */
@Timeout(60)
class StepEventTest {
    private static final Sampling ENDLESS = new Sampling(0, 0, 1, 0, 1, 0, 0, Map.of(1, -100f), 0);

    @TempDir private Path temp = Path.of("");

    /** Of this test's own threads: others may run in the same process. */
    private List<RecordedEvent> events(Recording recording, String name, String thread)
            throws IOException {
        Path file = temp.resolve("events.jfr");
        recording.dump(file);
        return RecordingFile.readAllEvents(file).stream()
                .filter(event -> event.getEventType().getName().equals(name))
                .filter(event -> event.getThread().getJavaName().equals(thread))
                .toList();
    }

    @Test
    void aRecordingTellsRowsAndSequencesOfEachStep() throws Exception {
        int[] prompt = new int[300];
        Arrays.fill(prompt, 7);
        try (Recording recording = new Recording()) {
            recording.enable(StepEvent.NAME);
            recording.start();
            try (RunningLoop loop = RunningLoop.over(TinyModels.roomy(temp), "scalar", 64)) {
                loop.submit(prompt, ENDLESS, 3).toEnd();
            }
            recording.stop();
            List<RecordedEvent> steps = events(recording, StepEvent.NAME, "flagship-step-test");
            assertThat(steps)
                    .extracting(step -> step.getInt("rows"))
                    .as("the prompt in two steps; the last of three tokens is not computed on")
                    .containsExactly(256, 44, 1, 1);
            assertThat(steps)
                    .extracting(step -> step.getInt("decoding"))
                    .containsExactly(0, 0, 1, 1);
            assertThat(steps)
                    .allSatisfy(step -> {
                        assertThat(step.getInt("sequences")).isEqualTo(1);
                        assertThat(step.getBoolean("failed")).isFalse();
                        assertThat(step.getDuration()).isPositive();
                    });
        }
    }

    @Test
    void aRecordingTellsWhichKernelsWereChosenAndWhatTheyLack() throws Exception {
        try (Recording recording = new Recording()) {
            recording.start();
            Rungs.create("auto", new SerialTeam(), Set.of(DType.F32), _ -> {}, List.of()).close();
            recording.stop();
            RecordedEvent choice =
                    events(recording, KernelChoiceEvent.NAME, Thread.currentThread().getName())
                            .getFirst();
            assertThat(choice.getString("asked")).isEqualTo("auto");
            assertThat(choice.getString("rung")).isEqualTo("scalar");
            assertThat(choice.getString("shortfalls")).contains("scalar kernels", "far slower");
        }
    }
}
