package dev.flagship.serving.api;

/** Why an answer ended. */
public enum FinishReason {
    /** An end-of-turn token or a stop string. */
    STOP,
    /** {@code max_tokens}, the context or the KV pool was exhausted. */
    LENGTH,
    /** The consumer asked for it or the model was closed. */
    CANCELLED,
    /** A step failed; the warnings say how. */
    ERROR
}
