package dev.flagship.architecture.dirty.elsewhere;

/** A class in a package of no module. */
final class Homeless {}
