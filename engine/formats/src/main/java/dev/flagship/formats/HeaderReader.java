package dev.flagship.formats;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;

/**
 * Reads the little-endian head of a file, or another part of it, in order. Every read is checked
 * against the bytes left first; the error names the current {@link #place} and the offset in the
 * file. Positions are bytes from where the part begins. One thread.
 */
final class HeaderReader {
    /**
     * A Llama 3 header takes 8 MiB, a 262,144-token vocabulary with its tokenizer.json about 60
     * MiB.
     */
    static final int MAX_HEADER = 256 << 20;

    /**
     * Own limit. Three matrices for each of 128 experts in each of 48 layers, Llama 4 Maverick's
     * figures, would make 18,432.
     */
    static final int MAX_TENSORS = 65_536;

    static final String TOO_MANY =
            "Far more than any known model has: convert the model again with a current converter, or use another file.";

    static final String DAMAGED = "The file is damaged or cut short; fetch it again.";

    private final Path file;
    private final ByteBuffer bytes;
    private final long base;
    private final boolean capped;
    private int position;
    private String place = "header";
    private String name = "";

    private HeaderReader(Path file, ByteBuffer bytes, long base, boolean capped, int position) {
        this.file = file;
        this.bytes = bytes;
        this.base = base;
        this.capped = capped;
        this.position = position;
    }

    static HeaderReader of(Path file, MemorySegment whole) {
        return of(file, whole, 0);
    }

    /** A reader of what follows {@code base}, at most {@link #MAX_HEADER} bytes of it. */
    static HeaderReader of(Path file, MemorySegment whole, long base) {
        long size = whole.byteSize() - base;
        return new HeaderReader(
                file,
                whole.asSlice(base, Math.min(size, MAX_HEADER))
                        .asByteBuffer()
                        .order(ByteOrder.LITTLE_ENDIAN),
                base,
                size > MAX_HEADER,
                0);
    }

    /** Another reader of the same bytes, for values that are decoded later. */
    HeaderReader at(int newPosition, String newPlace, String newName) {
        HeaderReader other = new HeaderReader(file, bytes, base, capped, newPosition);
        other.place(newPlace, newName);
        return other;
    }

    /** What the coming bytes are, for the message of an error. */
    void place(String newPlace) {
        place(newPlace, "");
    }

    /**
     * The same, with a name out of the file. Text is put together only for an error: start-up is
     * counted in milliseconds.
     */
    void place(String newPlace, String newName) {
        place = newPlace;
        name = newName;
    }

    int position() {
        return position;
    }

    int left() {
        return bytes.capacity() - position;
    }

    FormatException bad(String problem, String remedy) {
        return bad(position, problem, remedy);
    }

    /** The error for something at another position. */
    FormatException bad(int at, String problem, String remedy) {
        String where = name.isEmpty() ? place : place + " " + FormatException.quote(name);
        return new FormatException(file, where + " (byte " + (base + at) + ")", problem, remedy);
    }

    /** Moves over bytes whose count the file claims; a negative count is a huge unsigned one. */
    void skip(long count) {
        need(count);
        position += (int) count;
    }

    /** Moves over length-prefixed strings. */
    void skipStrings(int count) {
        int at = position;
        int end = bytes.capacity();
        for (int i = 0; i < count; i++) {
            position = at;
            long length = end - at < Long.BYTES ? int64() : bytes.getLong(at);
            at += Long.BYTES;
            if (length < 0 || length > end - at) {
                position = at;
                need(length);
            }
            at += (int) length;
        }
        position = at;
    }

    byte int8() {
        need(Byte.BYTES);
        byte value = bytes.get(position);
        position += Byte.BYTES;
        return value;
    }

    short int16() {
        need(Short.BYTES);
        short value = bytes.getShort(position);
        position += Short.BYTES;
        return value;
    }

    int int32() {
        need(Integer.BYTES);
        int value = bytes.getInt(position);
        position += Integer.BYTES;
        return value;
    }

    long int64() {
        need(Long.BYTES);
        long value = bytes.getLong(position);
        position += Long.BYTES;
        return value;
    }

    /**
     * A count of things that take at least {@code least} bytes each, believed only if so many bytes
     * are left, and accepted only up to {@code most}: reading them takes time and memory even where
     * the file has the bytes.
     */
    int count(String what, int least, int most) {
        long count = int64();
        if (count < 0 || count > left() / least) {
            throw bad(
                    Long.toUnsignedString(count)
                            + " "
                            + what
                            + " claimed, but only "
                            + left()
                            + " bytes are left",
                    remedy());
        }
        if (count > most) {
            throw bad(count + " " + what + ", at most " + most + " are allowed", TOO_MANY);
        }
        return (int) count;
    }

    /** Length-prefixed strict UTF-8 of at most {@code most} bytes. */
    String string(int most) {
        return text(count("bytes of text", 1, most));
    }

    /** Strict UTF-8 of so many bytes. */
    String text(int length) {
        need(length);
        byte[] text = new byte[length];
        bytes.get(position, text);
        String decoded = Utf8.decode(text, 0, length);
        if (decoded == null) {
            throw bad("text is not UTF-8", DAMAGED);
        }
        position += length;
        return decoded;
    }

    /** A copy of the next bytes. */
    byte[] take(int count) {
        need(count);
        byte[] taken = new byte[count];
        bytes.get(position, taken);
        position += count;
        return taken;
    }

    private void need(long count) {
        if (count < 0 || count > left()) {
            throw bad(
                    Long.toUnsignedString(count) + " bytes needed, " + left() + " left", remedy());
        }
    }

    private String remedy() {
        return capped
                ? "Headers of more than 256 MiB are refused; rewrite the file without its bulky metadata."
                : DAMAGED;
    }
}
