package dev.flagship.architecture.dirty.nn;

import java.util.HashMap;

/** A constant that changes. */
final class Cache {
    static final HashMap<String, String> ENTRIES = new HashMap<>();
}
