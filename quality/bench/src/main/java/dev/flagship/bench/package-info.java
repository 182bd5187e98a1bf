/**
 * Measurements: speed against the machine's own limits and against named peers, and distance from
 * the reference implementation. May use anything; nothing uses it.
 */
@NullMarked
package dev.flagship.bench;

import org.jspecify.annotations.NullMarked;
