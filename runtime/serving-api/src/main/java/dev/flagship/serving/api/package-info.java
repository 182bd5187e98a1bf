/**
 * What a program that embeds a model sees: requests as records, events as a sealed family. Knows
 * nothing about tensors, files, HTTP or wire JSON. Records validate and copy; a {@link
 * dev.flagship.serving.api.Generation} belongs to one consumer thread, everything else may be
 * shared.
 */
@NullMarked
package dev.flagship.serving.api;

import org.jspecify.annotations.NullMarked;
