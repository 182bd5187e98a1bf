package dev.flagship.architecture.dirty.serving;

/** A library that ends the process. */
final class Quits {
    void end() {
        Runtime.getRuntime().halt(1);
    }
}
