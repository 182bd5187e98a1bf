/**
 * Checks, coded errors, units, quoting of untrusted text, and faults of JSON in plain words. Knows
 * nothing about tensors, models, users or HTTP. No mutable statics, no logging; every type here is
 * immutable and may be used from any thread.
 */
@NullMarked
package dev.flagship.base;

import org.jspecify.annotations.NullMarked;
