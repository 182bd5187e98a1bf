package dev.flagship.cli;

import java.util.Map;

/** What a command gets from the process that it runs in. */
record Context(Streams streams, Map<String, String> environment) {
    Context {
        environment = Map.copyOf(environment);
    }

    /** Whether errors show their stack traces. */
    boolean debug() {
        return environment.getOrDefault("FLAGSHIP_DEBUG", "").equals("1");
    }
}
