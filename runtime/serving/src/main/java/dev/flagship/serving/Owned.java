package dev.flagship.serving;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * What is made piece by piece and closed together, the last first: all of it, whatever a piece
 * throws; what later ones throw is suppressed by the first.
 */
final class Owned implements AutoCloseable {
    private final Deque<AutoCloseable> pieces = new ArrayDeque<>();

    void add(AutoCloseable piece) {
        pieces.push(piece);
    }

    /** Leaves all pieces to another owner. */
    void release() {
        pieces.clear();
    }

    @Override
    public void close() {
        AutoCloseable last = pieces.poll();
        if (last == null) {
            return;
        }
        try (var _ = this) { // the rest
            last.close();
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException("closing what was loaded", e);
        }
    }
}
