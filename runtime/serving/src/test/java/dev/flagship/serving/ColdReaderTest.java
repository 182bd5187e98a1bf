package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.tensor.MappedFileWriter;
import dev.flagship.tensor.SpinTeam;
import dev.flagship.tensor.Team;
import dev.flagship.testing.LeakCheck;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ColdReaderTest {
    private static final int PIECE = MappedFileWriter.PIECE;
    private static final long SIZE = 5L * PIECE + 1234;

    private final List<RecordingChannel.Read> calls =
            Collections.synchronizedList(new ArrayList<>());
    private final AtomicInteger opened = new AtomicInteger();

    /** Threads that take their turns, as many as a large machine has. */
    private record Turns(int size) implements Team {
        @Override
        public void run(Task task) {
            for (int thread = 0; thread < size; thread++) {
                task.run(thread, size);
            }
        }

        @Override
        public void close() {}
    }

    private static ColdReader cold(Team team) {
        return new ColdReader(team, LoadListener.SILENT, _ -> true);
    }

    private void read(ColdReader reader, long size, int mostBytes) {
        reader.read(
                size,
                () -> {
                    opened.incrementAndGet();
                    return new RecordingChannel(size, mostBytes, calls);
                },
                "Reading");
    }

    private List<RecordingChannel.Read> inOrder() {
        return calls.stream()
                .sorted(Comparator.comparingLong(RecordingChannel.Read::position))
                .toList();
    }

    private static RecordingChannel.Read whole(long position, int size) {
        return new RecordingChannel.Read(position, size, size);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 6, 7, 8, 64})
    void everyByteIsReadOnceInAlignedPieces(int threads) {
        read(cold(new Turns(threads)), SIZE, Integer.MAX_VALUE);
        assertThat(inOrder())
                .containsExactly(
                        whole(0, PIECE),
                        whole(PIECE, PIECE),
                        whole(2L * PIECE, PIECE),
                        whole(3L * PIECE, PIECE),
                        whole(4L * PIECE, PIECE),
                        whole(5L * PIECE, 1234));
    }

    @Test
    void aTeamSharesTheReading() {
        try (Team team = new SpinTeam(3)) {
            read(cold(team), SIZE, Integer.MAX_VALUE);
        }
        assertThat(calls).hasSize(6).doesNotHaveDuplicates();
        assertThat(opened).hasValue(3);
    }

    @Test
    void aShortReadIsContinuedWhereItEnded() {
        int most = PIECE - 5000;
        read(cold(new Turns(2)), 2L * PIECE + 100, most);
        assertThat(inOrder())
                .containsExactly(
                        new RecordingChannel.Read(0, PIECE, most),
                        whole(most, 5000),
                        new RecordingChannel.Read(PIECE, PIECE, most),
                        whole(PIECE + most, 5000),
                        whole(2L * PIECE, 100));
    }

    @Test
    void noMoreThanEightReadHoweverManyThreadsThereAre() {
        read(cold(new Turns(100)), 40L * PIECE, Integer.MAX_VALUE);
        assertThat(opened).hasValue(8);
        assertThat(calls).hasSize(40).doesNotHaveDuplicates();
    }

    /** It would be read a second time when it is looked at. */
    @Test
    void aFileThatMemoryCannotHoldIsNotRead() {
        List<Long> asked = new ArrayList<>();
        ColdReader reader =
                new ColdReader(
                        new Turns(2),
                        LoadListener.SILENT,
                        bytes -> {
                            asked.add(bytes);
                            return false;
                        });
        read(reader, SIZE, 1);
        assertThat(opened).hasValue(0);
        assertThat(asked).containsExactly(SIZE);
    }

    @Test
    void aFileThatCannotBeReadOrHasBecomeShorterIsLeftToItsCheck() throws Exception {
        LeakCheck.around(() -> {
            cold(new Turns(2))
                    .read(
                            SIZE,
                            () -> {
                                throw new IOException("gone");
                            },
                            "Reading");
            cold(new Turns(1))
                    .read(SIZE, () -> new RecordingChannel(PIECE + 7L, PIECE, calls), "Reading");
        });
        assertThat(calls)
                .containsExactly(whole(0, PIECE), new RecordingChannel.Read(PIECE, PIECE, 7));
    }

    @Test
    void progressCountsUpToTheSize() {
        List<Long> done = new ArrayList<>();
        LoadListener listener =
                new LoadListener() {
                    @Override
                    public void progress(String stage, long bytes, long total) {
                        assertThat(total).isEqualTo(SIZE);
                        done.add(bytes);
                    }

                    @Override
                    public void warning(String message) {}
                };
        read(new ColdReader(new Turns(2), listener, _ -> true), SIZE, PIECE);
        assertThat(done).containsExactly(0L, 2L * PIECE, 4L * PIECE, SIZE);
    }
}
