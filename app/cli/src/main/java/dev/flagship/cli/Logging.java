package dev.flagship.cli;

import java.io.IOException;
import java.util.Map;
import java.util.logging.LogManager;

/**
 * Configures java.util.logging, which makes an instance when it starts: the commands that never log
 * do not load it.
 */
public final class Logging {
    private static final String FILE = "flagship.logging";

    /** For {@link LogManager}. */
    public Logging() throws IOException {
        String file = System.getProperty(FILE, "logging.properties");
        try (var in = Logging.class.getResourceAsStream(file)) {
            LogManager.getLogManager().readConfiguration(in);
        }
    }

    /** A server logs warnings; elsewhere an error is told once, as a message. */
    static void prepare(Map<String, String> environment, boolean server) {
        boolean wanted = server || environment.getOrDefault("FLAGSHIP_DEBUG", "").equals("1");
        System.setProperty("java.util.logging.config.class", Logging.class.getName());
        System.setProperty(FILE, wanted ? "logging.properties" : "logging-off.properties");
    }
}
