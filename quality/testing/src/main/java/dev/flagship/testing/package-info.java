/**
 * What tests of several modules share: the contract of kernels, weights made by a formula, golden
 * outputs of the reference implementation, and a check for leaks. Knows nothing about products and
 * is never part of one.
 *
 * <p>Random tests take {@code -Dtests.seed=} ("random" or a number) and name the seed when they
 * fail; see {@link dev.flagship.testing.Seed}.
 */
@NullMarked
package dev.flagship.testing;

import org.jspecify.annotations.NullMarked;
