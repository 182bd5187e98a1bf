package dev.flagship.architecture.dirty.formats.inner;

import dev.flagship.architecture.dirty.formats.Ping;
import org.jspecify.annotations.Nullable;

/** The other half. */
public record Pong(@Nullable Ping ping) {}
