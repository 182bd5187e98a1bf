/**
 * From a file to an answer: reads a model's description, packs its weights, schedules steps,
 * samples. Knows nothing about HTTP, wire JSON of requests, users or policy.
 *
 * <p>Threads: {@link dev.flagship.serving.TextModel} owns one step thread, which alone touches the
 * KV pool, the scratch and the kernels; callers get token ids through a queue and turn them into
 * text on their own thread. Memory: {@link dev.flagship.serving.LoadedModel} owns the weights and
 * frees them when it is closed.
 */
@NullMarked
package dev.flagship.serving;

import org.jspecify.annotations.NullMarked;
