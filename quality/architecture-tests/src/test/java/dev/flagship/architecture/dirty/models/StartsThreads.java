package dev.flagship.architecture.dirty.models;

/** A model that computes beside the team. */
final class StartsThreads {
    void run(Runnable work) {
        Thread.ofPlatform().start(work);
    }
}
