package dev.flagship.formats;

/** A file that lies, and words that the error must contain. */
final class HostileFile {
    private final String lie;
    final byte[] bytes;
    final String place;

    HostileFile(String lie, byte[] bytes, String place) {
        this.lie = lie;
        this.bytes = bytes;
        this.place = place;
    }

    @Override
    public String toString() {
        return lie;
    }
}
