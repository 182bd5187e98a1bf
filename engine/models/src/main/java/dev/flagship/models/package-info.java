/**
 * Model families, one file each, in the order Javadoc, Config, Attention, Mlp, Block, constructor,
 * forward. Knows nothing about files, number formats, rungs or threads: a step packs the rows of
 * many sequences, and layers hide the rest.
 */
@NullMarked
package dev.flagship.models;

import org.jspecify.annotations.NullMarked;
