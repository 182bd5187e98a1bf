package dev.flagship.serving;

import dev.flagship.base.FlagshipException;
import java.io.Serial;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** A model that cannot be loaded: what is wrong, where, and what to do about it. */
public final class LoadException extends FlagshipException {
    @Serial private static final long serialVersionUID = 1L;

    LoadException(Path place, String problem, String remedy) {
        this(place.toString(), problem, remedy, null);
    }

    LoadException(Path place, String problem, String remedy, @Nullable Throwable cause) {
        this(place.toString(), problem, remedy, cause);
    }

    /**
     * @param place what is not a file
     */
    LoadException(String place, String problem, String remedy) {
        this(place, problem, remedy, null);
    }

    /** A problem that another part put into a sentence ends with one already. */
    private static String withoutStop(String problem) {
        return problem.endsWith(".") ? problem.substring(0, problem.length() - 1) : problem;
    }

    private LoadException(String place, String problem, String remedy, @Nullable Throwable cause) {
        super(
                "model_load_failed",
                "Cannot load %s: %s. %s".formatted(place, withoutStop(problem), remedy),
                false,
                cause);
    }
}
