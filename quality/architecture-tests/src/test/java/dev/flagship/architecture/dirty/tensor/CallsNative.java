package dev.flagship.architecture.dirty.tensor;

import java.lang.foreign.Linker;

/** A tensor that calls native code. */
final class CallsNative {
    Linker linker() {
        return Linker.nativeLinker();
    }
}
