package dev.flagship.architecture.dirty.nn;

import dev.flagship.architecture.dirty.serving.Prints;

/** A layer that knows who serves it. */
record KnowsServing(Prints above) {}
