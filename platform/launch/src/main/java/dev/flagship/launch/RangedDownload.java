package dev.flagship.launch;

import dev.flagship.base.Bytes;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Fetches one file by several ranges at a time, and goes on where an earlier attempt ended, were it
 * another process that was killed. A server without ranges gives the file in one piece.
 */
final class RangedDownload {
    private static final int ATTEMPTS = 6;
    private static final int SMALL_ATTEMPTS = 3;
    private static final int BUFFER = 1 << 16;
    private static final Duration SHOW = Duration.ofMillis(100);

    private final HubClient client;
    private final URI source;
    private final String title;
    private final PartFile part;
    private final Progress progress;

    RangedDownload(HubClient client, URI source, String title, PartFile part, Progress progress) {
        this.client = client;
        this.source = source;
        this.title = title;
        this.part = part;
        this.progress = progress;
    }

    /**
     * Fetches the file and checks it.
     *
     * @return its SHA-256
     */
    String run(RemoteFile wanted) throws SourceException, IOException, InterruptedException {
        if (wanted.sized() && wanted.bytes() <= client.transfer().chunk()) {
            return small(wanted);
        }
        HubClient.Answer probe = client.open(source, "bytes=0-0");
        if (!probe.partial()) {
            return whole(wanted, probe);
        }
        RemoteFile known;
        try (probe) {
            known = described(wanted, probe);
        }
        if (!known.sized()) {
            throw new SourceException("it sends ranges of the file and not its size");
        }
        return ranges(known, probe);
    }

    /** A file of one request, which is cheap to ask for again. */
    private String small(RemoteFile wanted)
            throws SourceException, IOException, InterruptedException {
        Duration wait = transfer().backoff();
        for (int attempt = 1; ; attempt++) {
            HubClient.Answer answer = client.open(source, "");
            try {
                return whole(wanted, answer);
            } catch (DiskFull.WriteException | HttpTimeoutException e) {
                throw e;
            } catch (IOException e) {
                if (attempt == SMALL_ATTEMPTS) {
                    throw e;
                }
            }
            Thread.sleep(wait);
            wait = wait.multipliedBy(2);
        }
    }

    /** What the server adds to what is known. */
    private RemoteFile described(RemoteFile wanted, HubClient.Answer answer)
            throws SourceException {
        RemoteFile known = wanted;
        if (answer.size().isPresent()) {
            long size = answer.size().getAsLong();
            if (wanted.sized() && size != wanted.bytes()) {
                throw new SourceException(
                        "another_version",
                        "its file has %s bytes, and not %s: another version of the model"
                                .formatted(size, wanted.bytes()));
            }
            known = wanted.withBytes(size);
        }
        return known.digest() instanceof FileDigest.Unknown
                ? known.withDigest(answer.digest())
                : known;
    }

    private String whole(RemoteFile wanted, HubClient.Answer answer)
            throws SourceException, IOException, InterruptedException {
        try (answer) {
            RemoteFile known = described(wanted, answer);
            checkRoom(known.sized() ? known.bytes() : 0);
            tellFetching(known, 0);
            if (known.bytes() > transfer().chunk()) {
                progress.stage("This server gives no ranges: a fetch that is stopped begins anew");
            }
            try (var in = new PatientStream(answer.response().body(), transfer().patience())) {
                return part.write(in, known, progress);
            }
        }
    }

    private String ranges(RemoteFile known, HubClient.Answer first)
            throws SourceException, IOException, InterruptedException {
        long before = fetch(known, first);
        progress.stage("Checking " + title);
        try {
            return part.check(known, progress);
        } catch (SourceException e) {
            if (before == 0) {
                throw e;
            }
        }
        // What an earlier attempt left may be of another state of the file, or lost by a power cut.
        progress.stage("What was here of %s is damaged; fetching all of it".formatted(title));
        fetch(known, first);
        progress.stage("Checking " + title);
        return part.check(known, progress);
    }

    /**
     * Fetches what is missing.
     *
     * @return how many bytes were there before
     */
    private long fetch(RemoteFile known, HubClient.Answer first)
            throws SourceException, IOException, InterruptedException {
        String validator = known.digest().sha256().orElseGet(() -> state(first));
        try (Ranges ranges = Ranges.open(part, known.bytes(), transfer().chunk(), validator);
                FileChannel out =
                        FileChannel.open(
                                part.file(), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            long before = ranges.bytes();
            checkRoom(known.bytes() - before);
            tellFetching(known, before);
            new Workers(ranges, out, first, known, before).run();
            return before;
        }
    }

    /** What tells this state of a file from others whose digest nobody knows. */
    private static String state(HubClient.Answer answer) {
        String state = answer.header("etag") + answer.header("last-modified");
        // of a file that may have changed nothing is believed that came before
        return state.isEmpty() ? "none " + UUID.randomUUID() : "state " + state;
    }

    private Transfer transfer() {
        return client.transfer();
    }

    private void tellFetching(RemoteFile known, long before) {
        String size = known.sized() ? " (" + Bytes.human(known.bytes()) + ")" : "";
        String from = source.getAuthority();
        progress.stage(
                before == 0
                        ? "Fetching %s%s from %s".formatted(title, size, from)
                        : "Fetching the rest of %s%s from %s; %s are here already"
                                .formatted(title, size, from, Bytes.human(before)));
    }

    private void checkRoom(long missing) throws IOException {
        long free = Files.getFileStore(part.scratch()).getUsableSpace();
        if (missing > free) {
            throw DiskFull.before(title, missing, free, part.file());
        }
    }

    /** Connections at work on one file. */
    private final class Workers {
        private final Ranges ranges;
        private final FileChannel out;
        private final long size;

        /** What tells this state of the file from others; empty if its digest will. */
        private final String etag;

        private final AtomicReference<URI> at;
        private final AtomicInteger next = new AtomicInteger();
        private final AtomicLong done;

        Workers(
                Ranges ranges,
                FileChannel out,
                HubClient.Answer first,
                RemoteFile known,
                long before) {
            this.ranges = ranges;
            this.out = out;
            this.size = known.bytes();
            this.etag = known.digest() instanceof FileDigest.Unknown ? first.header("etag") : "";
            this.at = new AtomicReference<>(first.at());
            this.done = new AtomicLong(before);
        }

        /** Returns when all chunks are here; nothing is at work any more, however it ends. */
        void run() throws SourceException, IOException, InterruptedException {
            progress.bytes(done.get(), size);
            try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
                List<Future<?>> work = new ArrayList<>();
                try {
                    for (int i = 0; i < transfer().connections(); i++) {
                        work.add(
                                threads.submit(() -> {
                                    work();
                                    return null;
                                }));
                    }
                    for (Future<?> one : work) {
                        await(one, work);
                    }
                } finally {
                    threads.shutdownNow();
                }
            }
        }

        private void await(Future<?> one, List<Future<?>> all)
                throws SourceException, IOException, InterruptedException {
            while (true) {
                try {
                    one.get(SHOW.toMillis(), TimeUnit.MILLISECONDS);
                    progress.bytes(done.get(), size);
                    return;
                } catch (TimeoutException e) {
                    progress.bytes(done.get(), size);
                    for (Future<?> other : all) { // whoever failed ends the others
                        if (other.state() == Future.State.FAILED) {
                            rethrow(other.exceptionNow());
                        }
                    }
                } catch (ExecutionException e) {
                    rethrow(Objects.requireNonNullElse(e.getCause(), e));
                }
            }
        }

        private void rethrow(Throwable e) throws SourceException, IOException {
            switch (e) {
                case SourceException source -> throw source;
                case IOException io -> throw io;
                case RuntimeException bug -> throw bug;
                case Error error -> throw error;
                default -> throw new IOException(e);
            }
        }

        private void work() throws SourceException, IOException, InterruptedException {
            for (int i = next.getAndIncrement(); i < ranges.chunks(); i = next.getAndIncrement()) {
                if (!ranges.has(i)) {
                    fetch(i);
                    ranges.add(i);
                }
            }
        }

        private void fetch(int index) throws SourceException, IOException, InterruptedException {
            var position = new AtomicLong(ranges.begin(index)); // what is written stays so
            long end = ranges.end(index);
            Duration wait = transfer().backoff();
            for (int attempt = 1; ; attempt++) {
                String why;
                try {
                    read(position, end);
                    if (position.get() == end) {
                        return;
                    }
                    why = "the range ended after fewer bytes than it should have";
                } catch (DiskFull.WriteException e) {
                    throw e;
                } catch (IOException e) {
                    if (position.get() == end) {
                        return; // it broke behind the last byte that was asked for
                    }
                    why = Reasons.of(e);
                }
                if (attempt == ATTEMPTS) {
                    throw new SourceException(
                            "truncated_range",
                            "%s, %d times; what is here already is kept".formatted(why, ATTEMPTS));
                }
                Thread.sleep(wait);
                wait = wait.multipliedBy(2);
            }
        }

        /** Writes what comes of a range, and moves the position with it. */
        private void read(AtomicLong position, long end)
                throws SourceException, IOException, InterruptedException {
            long from = position.get();
            try (HubClient.Answer answer = range(from, end)) {
                if (!answer.partial() || answer.from().orElse(-1) != from) {
                    throw new SourceException(
                            "bad_range", "it sent another range than it was asked for");
                }
                String now = answer.header("etag");
                if (answer.size().orElse(size) != size
                        || !etag.isEmpty() && !now.isEmpty() && !now.equals(etag)) {
                    throw new SourceException(
                            "another_version", "its file changed while it was fetched");
                }
                try (var in = new PatientStream(answer.response().body(), transfer().patience())) {
                    copy(in, position, end);
                }
            }
        }

        private HubClient.Answer range(long from, long end)
                throws SourceException, IOException, InterruptedException {
            String range = "bytes=%d-%d".formatted(from, end - 1);
            URI place = at.get();
            try {
                return client.get(place, range);
            } catch (SourceException e) {
                if (!e.code().equals("not_allowed") || place.equals(source)) {
                    throw e;
                }
                // The address in the hub's store has run out; the hub gives another.
                HubClient.Answer again = client.get(source, range);
                at.set(again.at());
                return again;
            }
        }

        private void copy(InputStream in, AtomicLong position, long end)
                throws SourceException, IOException, InterruptedException {
            byte[] buffer = new byte[BUFFER];
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                if (Thread.interrupted()) {
                    throw new InterruptedException();
                }
                if (n > end - position.get()) {
                    throw new SourceException(
                            "bad_range", "it sent more bytes than it was asked for");
                }
                write(ByteBuffer.wrap(buffer, 0, n), position.get());
                position.addAndGet(n);
                done.addAndGet(n);
            }
        }

        private void write(ByteBuffer bytes, long position) throws IOException {
            long at = position;
            try {
                while (bytes.hasRemaining()) {
                    at += out.write(bytes, at);
                }
            } catch (IOException e) {
                throw new DiskFull.WriteException(e);
            }
        }
    }
}
