/**
 * Files made to hurt whoever reads them, by hand and one for each way of lying, the tiny valid ones
 * they are made of, and a meter for what reading them costs. Knows nothing of the parsers that it
 * is made for: their tests use it. Never part of a product.
 */
@NullMarked
package dev.flagship.hostile;

import org.jspecify.annotations.NullMarked;
