package dev.flagship.architecture.dirty.nn;

/** A static that changes. */
final class Counter {
    static int count;
}
