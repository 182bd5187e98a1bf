package dev.flagship.cli;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/** A buffered stream of UTF-8 text that remembers what it could not write: its parent forgets. */
final class Output extends PrintStream {
    private final Target target;

    private Output(Target target) {
        super(new BufferedOutputStream(target), false, StandardCharsets.UTF_8);
        this.target = target;
    }

    static Output to(OutputStream stream) {
        return new Output(new Target(stream));
    }

    /** The reason of the first failure; empty if there was none. */
    String failure() {
        return target.failure;
    }

    private static final class Target extends OutputStream {
        private final OutputStream stream;
        private volatile String failure = "";

        Target(OutputStream stream) {
            this.stream = stream;
        }

        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int count) throws IOException {
            try {
                stream.write(bytes, offset, count);
            } catch (IOException e) {
                if (failure.isEmpty()) {
                    failure = String.valueOf(e.getMessage());
                }
                throw e;
            }
        }

        @Override
        public void flush() throws IOException {
            stream.flush();
        }

        @Override
        public void close() throws IOException {
            stream.close();
        }
    }
}
