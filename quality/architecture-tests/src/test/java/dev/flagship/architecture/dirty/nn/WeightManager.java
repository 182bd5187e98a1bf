package dev.flagship.architecture.dirty.nn;

/** A name that says nothing. */
final class WeightManager {}
