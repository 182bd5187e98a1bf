/**
 * The Vector API rung: the kernels of every CPU that has a JDK. Knows nothing about formats, models
 * or requests.
 *
 * <p>Same bits as {@link dev.flagship.tensor.ScalarKernels}: lane = row of a band, so nothing sums
 * across lanes except the reductions with 16 partials. Written for C2: panels live in heap arrays
 * owned by one thread each, because bounds checks on segments stay in hot loops; one static method
 * per kernel; vectors never cross a method boundary that C2 may not inline.
 */
@NullMarked
package dev.flagship.kernels.vector;

import org.jspecify.annotations.NullMarked;
