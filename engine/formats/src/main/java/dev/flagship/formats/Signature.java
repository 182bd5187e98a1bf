package dev.flagship.formats;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Locale;

/** What the first bytes of a file say that it is. */
enum Signature {
    GGUF,
    SAFETENSORS,
    PYTORCH,
    UNKNOWN;

    /** The pickle of the magic number with which PyTorch's stream begins, in protocol 2. */
    static final String LEGACY_MAGIC = "\u0080\2\u008a\12l\u00fc\u009cF\u00f9 j\u00a8P\u0019.";

    private static final String ZIP = "PK\3\4";

    private static final int PEEK = 64;
    private static final String CONVERT = "Convert it to GGUF or safetensors.";

    /** Every pickle of protocol 2 and later begins so. */
    private static final String PICKLE = "\u0080";

    static Signature of(MemorySegment bytes) {
        String start = start(bytes);
        if (start.startsWith("GGUF")) {
            return GGUF;
        }
        if (start.startsWith(ZIP) || start.startsWith(LEGACY_MAGIC)) {
            return PYTORCH;
        }
        // Eight bytes of length, then the JSON object.
        return start.length() > 8 && start.charAt(8) == '{' ? SAFETENSORS : UNKNOWN;
    }

    /** Whether a PyTorch file is an archive, not a stream. */
    static boolean isZip(MemorySegment bytes) {
        return start(bytes).startsWith(ZIP);
    }

    /**
     * The error for a file that is not of the wanted format, which says what it is where that is
     * plain to see.
     */
    static FormatException mismatch(Path file, String wanted, MemorySegment bytes) {
        String start = start(bytes);
        String lower = start.toLowerCase(Locale.ROOT).stripLeading();
        String place = "first bytes";
        if (start.isEmpty()) {
            return new FormatException(
                    file, place, "the file is empty", "Fetch it again: the download failed.");
        }
        if (start.startsWith("version https://git-lfs")) {
            return new FormatException(
                    file,
                    place,
                    "this is a Git LFS pointer, not the model",
                    "Run `git lfs pull` in its folder, or download the file itself.");
        }
        if (lower.startsWith("<!doctype") || lower.startsWith("<html")) {
            return new FormatException(
                    file,
                    place,
                    "this is a web page, not a model",
                    "Fetch the file from its download link; the server may want a login.");
        }
        if (of(bytes) == UNKNOWN && start.startsWith(PICKLE)) {
            return new FormatException(
                    file,
                    place,
                    "this is a pickle, but no PyTorch checkpoint in a container that is read",
                    "Save it by torch.save without pickle_protocol, or as safetensors.");
        }
        if (start.startsWith("lmgg") || start.startsWith("tjgg") || start.startsWith("algg")) {
            return new FormatException(
                    file, place, "this is a GGML file of before GGUF, which is not read", CONVERT);
        }
        if (of(bytes) != UNKNOWN) {
            return new FormatException(
                    file,
                    place,
                    "expected " + wanted + ", found " + of(bytes).name().toLowerCase(Locale.ROOT),
                    "Open it as what it is.");
        }
        return new FormatException(
                file,
                place,
                "expected "
                        + wanted
                        + ", found "
                        + FormatException.quote(start.substring(0, Math.min(16, start.length()))),
                "Check that the name is right and the download complete.");
    }

    private static String start(MemorySegment bytes) {
        byte[] start =
                bytes.asSlice(0, Math.min(PEEK, bytes.byteSize())).toArray(ValueLayout.JAVA_BYTE);
        return new String(start, StandardCharsets.ISO_8859_1);
    }
}
