/**
 * Numbers off the heap and the operations on them. Knows nothing about files' formats, models or
 * requests.
 *
 * <p>{@link dev.flagship.tensor.Kernels} is the one seam between models and arithmetic: whole
 * operations over tensors, never addresses. {@link dev.flagship.tensor.ScalarKernels} defines the
 * result of each of them bit for bit; every other rung must equal it. Off-heap memory has one owner
 * with {@code close()} and is counted by {@link dev.flagship.tensor.MemoryLedger}.
 */
@NullMarked
package dev.flagship.tensor;

import org.jspecify.annotations.NullMarked;
