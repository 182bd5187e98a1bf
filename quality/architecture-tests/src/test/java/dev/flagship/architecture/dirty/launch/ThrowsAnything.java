package dev.flagship.architecture.dirty.launch;

/** An error without a type. */
final class ThrowsAnything {
    void fail() {
        throw new RuntimeException("something");
    }
}
