package dev.flagship.architecture.dirty.models;

import com.tngtech.archunit.core.domain.JavaClass;

/** A model with a library of its own. */
record BringsLibrary(JavaClass library) {}
