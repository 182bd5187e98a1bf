package dev.flagship.tensor;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.List;

/** Keeps what is written where, and takes no more than so many bytes at a time. */
final class RecordingChannel extends FileChannel {
    /** One call. */
    record Written(long position, int asked, int taken) {}

    private final FileChannel file;
    private final int mostBytes;
    final List<Written> calls = new ArrayList<>();

    RecordingChannel(FileChannel file, int mostBytes) {
        this.file = file;
        this.mostBytes = mostBytes;
    }

    @Override
    public int write(ByteBuffer source, long position) throws IOException {
        int asked = source.remaining();
        ByteBuffer part = source.slice(source.position(), Math.min(asked, mostBytes));
        int taken = file.write(part, position);
        source.position(source.position() + taken);
        calls.add(new Written(position, asked, taken));
        return taken;
    }

    private static UnsupportedOperationException unexpected() {
        return new UnsupportedOperationException("only written to, at positions");
    }

    @Override
    public int read(ByteBuffer target, long position) {
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
    protected void implCloseChannel() throws IOException {
        file.close();
    }
}
