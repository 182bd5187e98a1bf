package dev.flagship.serving;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The Java that runs this process, as far as it corrupts memory that native code works in: no model
 * is loaded there. Where it only is slow, {@code flagship doctor} says so.
 */
public final class HostJava {
    /** JDK-8377811, objects moved under native code, is fixed from here on. */
    private static final Runtime.Version OLDEST = Runtime.Version.parse("25.0.3");

    private static final String COMPACT = "UseCompactObjectHeaders";

    private HostJava() {}

    /** What is wrong with a version; empty if nothing is known to be. */
    public static Optional<String> flaw(Runtime.Version version) {
        return version.compareToIgnoreOptional(OLDEST) < 0
                ? Optional.of(
                        "Java %s is older than %s and moves objects under native code (JDK-8377811)"
                                .formatted(version, OLDEST))
                : Optional.empty();
    }

    /** What is wrong with the flags that Java was started with, wherever they came from. */
    public static Optional<String> flaw(List<String> flags) {
        boolean compact = false;
        for (String flag : flags) { // the last one counts
            if (flag.equals("-XX:+" + COMPACT) || flag.equals("-XX:-" + COMPACT)) {
                compact = flag.startsWith("-XX:+");
            }
        }
        return compact
                ? Optional.of(
                        "-XX:+%s corrupts memory in this Java (JDK-8380060)".formatted(COMPACT))
                : Optional.empty();
    }

    /** The flags of this process. */
    public static List<String> flags() {
        return ManagementFactory.getRuntimeMXBean().getInputArguments();
    }

    /**
     * Refuses to load a model here, if it must.
     *
     * @throws LoadException with the remedy
     */
    static void check(Path model) {
        check(model, Runtime.version(), flags());
    }

    static void check(Path model, Runtime.Version version, List<String> flags) {
        Optional<String> old = flaw(version);
        if (old.isPresent()) {
            throw new LoadException(model, old.get(), "Install a newer one.");
        }
        Optional<String> flaw = flaw(flags);
        if (flaw.isPresent()) {
            throw new LoadException(
                    model,
                    flaw.get(),
                    "Take it out of FLAGSHIP_JAVA_OPTS, JAVA_TOOL_OPTIONS or JDK_JAVA_OPTIONS.");
        }
    }
}
