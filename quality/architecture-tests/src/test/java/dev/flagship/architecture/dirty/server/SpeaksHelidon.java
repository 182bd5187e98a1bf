package dev.flagship.architecture.dirty.server;

import io.helidon.webserver.WebServer;

/** An adapter that goes around http. */
record SpeaksHelidon(WebServer server) {}
