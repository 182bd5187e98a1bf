package dev.flagship.architecture.dirty.formats;

import dev.flagship.architecture.dirty.formats.inner.Pong;

/** Half of a cycle. */
public record Ping(Pong pong) {}
