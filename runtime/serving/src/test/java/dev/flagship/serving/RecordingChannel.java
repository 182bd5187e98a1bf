package dev.flagship.serving;

import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.List;

/**
 * A file of so many zeros that keeps what is read where, and gives no more than so many bytes at a
 * time.
 */
final class RecordingChannel extends FileChannel {
    /** One call. */
    record Read(long position, int asked, int given) {}

    private final long size;
    private final int mostBytes;
    private final List<Read> calls;

    /**
     * @param calls hears of each; several channels may share it
     */
    RecordingChannel(long size, int mostBytes, List<Read> calls) {
        this.size = size;
        this.mostBytes = mostBytes;
        this.calls = calls;
    }

    @Override
    public int read(ByteBuffer target, long position) {
        int asked = target.remaining();
        if (position >= size) {
            return -1;
        }
        int given = (int) Math.min(Math.min(asked, mostBytes), size - position);
        target.position(target.position() + given);
        calls.add(new Read(position, asked, given));
        return given;
    }

    private static UnsupportedOperationException unexpected() {
        return new UnsupportedOperationException("only read from, at positions");
    }

    @Override
    public int write(ByteBuffer source, long position) {
        throw unexpected();
    }

    @Override
    public long read(ByteBuffer[] targets, int offset, int length) {
        throw unexpected();
    }

    @Override
    public long write(ByteBuffer[] sources, int offset, int length) {
        throw unexpected();
    }

    @Override
    public int read(ByteBuffer target) {
        throw unexpected();
    }

    @Override
    public int write(ByteBuffer source) {
        throw unexpected();
    }

    @Override
    public long position() {
        throw unexpected();
    }

    @Override
    public FileChannel position(long position) {
        throw unexpected();
    }

    @Override
    public long size() {
        throw unexpected();
    }

    @Override
    public FileChannel truncate(long size) {
        throw unexpected();
    }

    @Override
    public void force(boolean metaData) {
        throw unexpected();
    }

    @Override
    public long transferTo(long position, long count, WritableByteChannel target) {
        throw unexpected();
    }

    @Override
    public long transferFrom(ReadableByteChannel source, long position, long count) {
        throw unexpected();
    }

    @Override
    public MappedByteBuffer map(MapMode mode, long position, long size) {
        throw unexpected();
    }

    @Override
    public FileLock lock(long position, long size, boolean shared) {
        throw unexpected();
    }

    @Override
    public FileLock tryLock(long position, long size, boolean shared) {
        throw unexpected();
    }

    @Override
    protected void implCloseChannel() {}
}
