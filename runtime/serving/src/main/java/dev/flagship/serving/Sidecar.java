package dev.flagship.serving;

import dev.flagship.base.Bytes;
import dev.flagship.tensor.MappedFileWriter;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.Team;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.function.LongPredicate;
import java.util.zip.CRC32C;

/**
 * Packed weights on disk, so that packing happens once and all processes share one copy in memory.
 *
 * <p>Little-endian: 8 bytes {@code FLAGBAND}, version, header bytes (a multiple of 4,096), 32 bytes
 * of {@link PackPlan#digest}, data bytes (long), a CRC-32C for each 16 MiB of data, a CRC-32C of
 * the header so far; then the data. The file is written under another name by whoever holds the
 * folder's lock, and renamed; a file that does not check is rebuilt. It is not synced, which took a
 * third of a first load's time: what a loss of power leaves does not check.
 */
final class Sidecar {
    private static final System.Logger LOG = System.getLogger(Sidecar.class.getName());
    private static final byte[] MAGIC = {'F', 'L', 'A', 'G', 'B', 'A', 'N', 'D'};
    private static final long CHUNK = 16 << 20;
    private static final String LOCK = "packing.lock";
    private static final String PART = "packing-";
    private static final int FIXED = 8 + 4 + 4 + 32 + 8;

    /** Bytes that a thread packs at a time, if a band is no larger; little enough for caches. */
    private static final long SCRATCH = 2 << 20;

    /** Left free on the disk, for everybody else. */
    private static final long RESERVE = 64 << 20;

    /** How long to wait before asking again whether another thread of this process is done. */
    private static final long RETRY_MILLIS = 20;

    private final Path folder;
    private final String digest;
    private final Path file;
    private final PackPlan plan;
    private final Team team;
    private final LoadListener listener;
    private final ColdReader reader;
    private final FreeSpace freeSpace;

    /**
     * @param fits whether so many bytes of weights could stay in memory
     */
    Sidecar(
            Path folder,
            String digest,
            PackPlan plan,
            Team team,
            LoadListener listener,
            LongPredicate fits) {
        this(folder, digest, plan, team, listener, fits, FreeSpace.OF_THIS_MACHINE);
    }

    Sidecar(
            Path folder,
            String digest,
            PackPlan plan,
            Team team,
            LoadListener listener,
            LongPredicate fits,
            FreeSpace freeSpace) {
        this.folder = folder;
        this.digest = digest;
        this.file = file(folder, digest);
        this.plan = plan;
        this.team = team;
        this.listener = listener;
        this.reader = new ColdReader(team, listener, fits);
        this.freeSpace = freeSpace;
    }

    /** Where the packed weights of a digest are kept. */
    static Path file(Path folder, String digest) {
        return folder.resolve(file(digest));
    }

    /** The name of that file, or a pattern of such names. */
    static String file(String digest) {
        return digest + ".v" + PackPlan.VERSION + ".bands";
    }

    /** Bytes that must be free for the file to be made. */
    static long needs(PackPlan plan) {
        return plan.bytes() + headerBytes(plan) + RESERVE;
    }

    /** Whether a file was made to a plan, by its size and its first bytes. */
    static boolean isOf(Path file, PackPlan plan) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            ByteBuffer found = ByteBuffer.allocate(FIXED);
            while (found.hasRemaining() && channel.read(found) >= 0) {
                // on
            }
            return channel.size() == headerBytes(plan) + plan.bytes()
                    && found.rewind().equals(fixed(plan));
        } catch (IOException e) {
            return false; // nor could it be mapped
        }
    }

    /** Bytes of the files that were begun, by dead processes or by one that is at work. */
    static long unfinished(Path folder) throws IOException {
        long bytes = 0;
        try (DirectoryStream<Path> parts = Files.newDirectoryStream(folder, PART + "*.part")) {
            for (Path part : parts) {
                bytes += sizeOrNothing(part);
            }
        }
        return bytes;
    }

    private static long sizeOrNothing(Path part) throws IOException {
        try {
            return Files.size(part);
        } catch (NoSuchFileException e) { // finished since
            return 0;
        }
    }

    /**
     * Weights from the file, made first if it is missing or damaged; empty if it cannot be kept
     * here, which is said once.
     *
     * @throws LoadException if a weight is not finite
     */
    Optional<PackedWeights> open(ModelSource source) {
        try {
            Optional<PackedWeights> ready = existing();
            if (ready.isEmpty()) {
                return make(source);
            }
            deleteReplacedIfNobodyPacks(source.file().path());
            return ready;
        } catch (IOException e) { // the source is mapped: only the folder's side can fail
            listener.warning(notKept(failure(e)));
            return Optional.empty();
        }
    }

    private String failure(IOException e) {
        if (!(e instanceof FileSystemException f) || f.getFile() == null) {
            return "%s: %s".formatted(folder, e.getMessage());
        }
        String reason = f.getReason() == null ? e.getClass().getSimpleName() : f.getReason();
        return "%s: %s".formatted(f.getFile(), reason);
    }

    private Optional<PackedWeights> make(ModelSource source) throws IOException {
        Files.createDirectories(folder);
        if (!Files.isWritable(folder)) {
            listener.warning(notKept("%s is read-only".formatted(folder)));
            return Optional.empty();
        }
        try (FileChannel channel = lockFile();
                FileLock _ = lock(channel)) {
            Optional<PackedWeights> others = existing();
            if (others.isPresent()) {
                deleteReplaced(source.file().path());
                return others;
            }
            deleteLeftovers();
            long free = freeSpace.bytes(folder);
            if (free < needs(plan)) {
                listener.warning(
                        notKept(
                                "%s has %s free and the packed weights take %s"
                                        .formatted(
                                                folder,
                                                Bytes.human(free),
                                                Bytes.human(plan.bytes()))));
                return Optional.empty();
            }
            if (Files.exists(file)) {
                listener.warning(
                        "The packed weights in %s are damaged or outdated and are made again."
                                .formatted(file));
            }
            write(source);
            deleteOtherVersions();
            deleteReplaced(source.file().path());
            Optional<PackedWeights> made = existing();
            if (made.isEmpty()) {
                listener.warning(
                        notKept(
                                "%s does not hold what was just written to it".formatted(file),
                                "Its disk or the memory may be failing: test them, or set FLAGSHIP_HOME to a folder on another disk."));
            }
            return made;
        }
    }

    private FileChannel lockFile() throws IOException {
        return lockFile(folder);
    }

    static FileChannel lockFile(Path folder) throws IOException {
        return FileChannel.open(
                folder.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    }

    /** Waits for other processes, and for other threads of this one, whose locks are no locks. */
    static FileLock lock(FileChannel channel) throws IOException {
        while (true) {
            try {
                return channel.lock();
            } catch (OverlappingFileLockException e) {
                try {
                    Thread.sleep(RETRY_MILLIS);
                } catch (InterruptedException interrupted) {
                    Thread.currentThread().interrupt();
                    throw new InterruptedIOException("interrupted while another model is packed");
                }
            }
        }
    }

    /** Who holds the lock is alone: what others began, they did not live to finish. */
    private void deleteLeftovers() throws IOException {
        try (DirectoryStream<Path> parts = Files.newDirectoryStream(folder, PART + "*.part")) {
            for (Path part : parts) {
                Files.deleteIfExists(part);
            }
        }
    }

    private static String notKept(String why) {
        return notKept(why, "Set FLAGSHIP_HOME to a folder that has room and can be written.");
    }

    private static String notKept(String why, String remedy) {
        return "Packed weights are kept in memory only, and packed again at each start: %s. %s"
                .formatted(why, remedy);
    }

    private int chunks() {
        return chunks(plan);
    }

    private static int chunks(PackPlan plan) {
        return Math.toIntExact((plan.bytes() + CHUNK - 1) / CHUNK);
    }

    private long headerBytes() {
        return headerBytes(plan);
    }

    private static long headerBytes(PackPlan plan) {
        return (FIXED + chunks(plan) * 4L + 4 + 4095) / 4096 * 4096;
    }

    /** The header as far as it follows from the plan. */
    private static ByteBuffer fixed(PackPlan plan) {
        return ByteBuffer.allocate(FIXED)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put(MAGIC)
                .putInt(PackPlan.VERSION)
                .putInt(Math.toIntExact(headerBytes(plan)))
                .put(plan.digest())
                .putLong(plan.bytes())
                .rewind();
    }

    /** The file, if it is there and in order. */
    private Optional<PackedWeights> existing() throws IOException {
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            OffHeap mapped = OffHeap.map(channel);
            boolean good = false;
            try {
                good = checks(mapped.segment());
            } finally {
                if (!good) {
                    mapped.close();
                }
            }
            return good
                    ? Optional.of(new PackedWeights(mapped, headerBytes(), plan))
                    : Optional.empty();
        } catch (NoSuchFileException e) { // deleted since: its source was replaced elsewhere
            return Optional.empty();
        }
    }

    private boolean checks(MemorySegment bytes) {
        long header = headerBytes();
        if (bytes.byteSize() != header + plan.bytes()) {
            return false;
        }
        ByteBuffer head = bytes.asSlice(0, header).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
        if (!head.slice(0, FIXED).equals(fixed(plan))) {
            return false;
        }
        int sumAt = FIXED + chunks() * 4;
        if (crc(head.slice(0, sumAt)) != head.getInt(sumAt)) {
            return false;
        }
        if (!bytes.isLoaded()) {
            reader.read(
                    bytes.byteSize(),
                    () -> FileChannel.open(file, StandardOpenOption.READ),
                    "Reading packed weights, %s".formatted(Bytes.human(bytes.byteSize())));
        }
        int[] sums = sums(bytes.asSlice(header));
        for (int i = 0; i < sums.length; i++) {
            if (sums[i] != head.getInt(FIXED + i * 4)) {
                return false;
            }
        }
        return true;
    }

    private int[] sums(MemorySegment data) {
        int[] sums = new int[chunks()];
        team.run((thread, threads) -> {
            for (int i = thread; i < sums.length; i += threads) {
                long size = Math.min(CHUNK, data.byteSize() - i * CHUNK);
                sums[i] = crc(data.asSlice(i * CHUNK, size).asByteBuffer());
            }
        });
        return sums;
    }

    private static int crc(ByteBuffer bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        return (int) crc.getValue();
    }

    private ByteBuffer header(int[] sums) {
        ByteBuffer head =
                ByteBuffer.allocate(Math.toIntExact(headerBytes())).order(ByteOrder.LITTLE_ENDIAN);
        head.put(fixed(plan));
        for (int sum : sums) {
            head.putInt(sum);
        }
        int covered = head.position();
        head.putInt(crc(ByteBuffer.wrap(head.array(), 0, covered)));
        return head.rewind();
    }

    /** Tells how much of the disk they take, too. */
    private String stage() {
        return "Packing weights once, %s in %s"
                .formatted(Bytes.human(headerBytes() + plan.bytes()), folder);
    }

    private void write(ModelSource source) throws IOException {
        listener.progress(stage(), 0, plan.bytes());
        Path part = Files.createTempFile(folder, PART, ".part");
        part.toFile().deleteOnExit(); // Ctrl-C runs no finally, and a model's size is much to leave
        try {
            try (FileChannel channel = FileChannel.open(part, StandardOpenOption.WRITE)) {
                int[] sums = writeData(source, channel);
                writeFully(channel, header(sums), 0);
            }
            Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(part);
        }
    }

    /** Returns the check sums of the data. */
    private int[] writeData(ModelSource source, FileChannel channel) throws IOException {
        Packer packer = new Packer(source, team);
        var sums = new ChunkSums(CHUNK);
        try (MappedFileWriter writer = new MappedFileWriter(channel);
                OffHeap scratch =
                        OffHeap.allocate(
                                team.size() * Math.max(SCRATCH, Packer.largestBand(plan)))) {
            for (PackPlan.Entry entry : plan.entries()) {
                packer.pack(
                        entry,
                        scratch.segment(),
                        (at, bytes) -> {
                            sums.add(at, bytes);
                            writer.write(headerBytes() + at, bytes);
                            listener.progress(stage(), at, plan.bytes());
                        });
            }
            // The last plane may end short of its alignment; the file has exactly the planned size.
            sums.finish(plan.bytes());
            writer.finish(headerBytes() + plan.bytes());
        }
        listener.progress(stage(), plan.bytes(), plan.bytes());
        return sums.all();
    }

    private static void writeFully(FileChannel channel, ByteBuffer bytes, long at)
            throws IOException {
        long position = at;
        while (bytes.hasRemaining()) {
            position += channel.write(bytes, position);
        }
    }

    /**
     * As {@link #deleteReplaced}, if the lock is free. Who finds his weights ready waits for nobody
     * who packs others, perhaps for minutes: the next load deletes as well.
     */
    private void deleteReplacedIfNobodyPacks(Path source) {
        if (recorded(source)) {
            return;
        }
        try (FileChannel channel = lockFile();
                FileLock lock = channel.tryLock()) {
            if (lock != null) {
                deleteReplaced(source);
            }
        } catch (IOException | OverlappingFileLockException e) {
            LOG.log(Level.DEBUG, "packed weights that nobody needs may stay in " + folder, e);
        }
    }

    private boolean recorded(Path source) {
        try {
            return SourceDigest.recall(record(source)).equals(Optional.of(digest));
        } catch (IOException e) {
            return false; // whoever writes it says so
        }
    }

    private Path record(Path source) throws IOException {
        return record(folder, source.toRealPath(), plan.identity());
    }

    /** Where it is kept which packed weights a source has. */
    static Path record(Path folder, Path source, List<String> identity) {
        // One source may be packed as it is and rounded, and neither replaces the other.
        String what = source + String.join("", identity);
        byte[] key = SourceDigest.sha256().digest(what.getBytes(StandardCharsets.UTF_8));
        return sources(folder).resolve(HexFormat.of().formatHex(key));
    }

    private static Path sources(Path folder) {
        return folder.resolve("sources");
    }

    /**
     * Remembers which packed weights a source has, and deletes those that it had before it was
     * replaced, unless another source has the same. The caller holds the lock, for between the look
     * and the deletion another process could give a source those weights.
     */
    private void deleteReplaced(Path source) {
        try {
            Path own = record(source);
            Optional<String> before = SourceDigest.recall(own);
            if (before.equals(Optional.of(digest))) {
                return;
            }
            SourceDigest.write(own, digest);
            if (before.isPresent() && !wanted(folder, before.get())) {
                deleteVersions(before.get());
            }
        } catch (IOException | DirectoryIteratorException e) {
            LOG.log(Level.DEBUG, "packed weights that nobody needs may stay in " + folder, e);
        }
    }

    /** Whether any source has these packed weights. */
    static boolean wanted(Path folder, String digest) throws IOException {
        try (DirectoryStream<Path> all = Files.newDirectoryStream(sources(folder))) {
            for (Path each : all) {
                if (SourceDigest.recall(each).equals(Optional.of(digest))) {
                    return true;
                }
            }
        }
        return false;
    }

    private void deleteOtherVersions() {
        try {
            deleteVersions(digest);
        } catch (IOException | DirectoryIteratorException e) {
            listener.warning(
                    "An outdated file of packed weights could not be deleted: %s"
                            .formatted(e.getMessage()));
        }
    }

    /** Deletes the packed weights of a source, but not this file. */
    private void deleteVersions(String of) throws IOException {
        try (DirectoryStream<Path> old = Files.newDirectoryStream(folder, of + ".v*.bands")) {
            for (Path other : old) {
                if (!other.equals(file)) {
                    Files.deleteIfExists(other);
                }
            }
        }
    }
}
