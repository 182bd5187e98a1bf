package dev.flagship.launch;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/** Closes the stream below when it gives nothing for too long; a blocked read then fails. */
final class PatientStream extends FilterInputStream {
    private final Duration patience;
    private final AtomicLong lastByte = new AtomicLong(System.nanoTime());
    private final Thread watch;
    private volatile boolean late;

    PatientStream(InputStream in, Duration patience) {
        super(in);
        this.patience = patience;
        this.watch = Thread.ofVirtual().name("hub-watch").start(this::watch);
    }

    private void watch() {
        try {
            while (true) {
                Thread.sleep(patience.dividedBy(10));
                if (System.nanoTime() - lastByte.get() > patience.toNanos()) {
                    late = true;
                    in.close();
                    return;
                }
            }
        } catch (InterruptedException | IOException e) {
            return; // closed: nobody waits any more
        }
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
        try {
            int n = super.read(bytes, offset, length);
            lastByte.set(System.nanoTime());
            if (n < 0 && late) {
                throw lateness();
            }
            return n;
        } catch (IOException e) {
            throw late ? lateness() : e;
        }
    }

    private IOException lateness() {
        return new IOException("nothing came for " + patience.toSeconds() + " s");
    }

    @Override
    public void close() throws IOException {
        watch.interrupt();
        super.close();
    }
}
