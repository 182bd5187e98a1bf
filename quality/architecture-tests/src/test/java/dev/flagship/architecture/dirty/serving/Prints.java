package dev.flagship.architecture.dirty.serving;

/** A library that prints. */
public final class Prints {
    void report() {
        System.out.println("done");
    }
}
