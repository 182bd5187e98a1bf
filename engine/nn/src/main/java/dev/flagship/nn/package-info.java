/**
 * The parts that models are written with: layers, rotary positions, the paged KV cache, the step.
 * Knows nothing about files, threads or requests.
 *
 * <p>A layer takes a tensor and returns one cut from the same {@link dev.flagship.tensor.Scratch};
 * nothing here owns off-heap memory except {@link dev.flagship.nn.PagedKvCache}. One step thread
 * runs a model.
 */
@NullMarked
package dev.flagship.nn;

import org.jspecify.annotations.NullMarked;
