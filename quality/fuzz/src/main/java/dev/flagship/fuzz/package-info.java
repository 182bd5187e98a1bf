/**
 * Damages tiny valid models at random and watches what reading them does. Whatever a file holds,
 * within two seconds there is a model, or a coded error that names the file and a remedy; nothing
 * stays open, and what it took is in proportion to what there was to read. Knows the parsers only
 * by what {@link dev.flagship.serving.ModelSummary} makes of a folder.
 *
 * <p>A round is decided by its seed alone: a failure prints it, and the folder it leaves can be
 * committed under {@code src/test/resources} to be replayed with every test run.
 */
@NullMarked
package dev.flagship.fuzz;

import org.jspecify.annotations.NullMarked;
