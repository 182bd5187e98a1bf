package dev.flagship.serving;

import java.util.List;

/** Threads that a model starts; their names say so. */
final class ModelThreads {
    private ModelThreads() {}

    static List<String> alive() {
        return Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(name -> name.startsWith("flagship-"))
                .toList();
    }
}
