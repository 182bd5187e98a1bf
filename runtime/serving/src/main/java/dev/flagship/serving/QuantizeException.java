package dev.flagship.serving;

import dev.flagship.base.FlagshipException;
import java.io.Serial;
import java.nio.file.Path;

/** A quantised file that cannot be written: what is in the way, and what to do about it. */
public final class QuantizeException extends FlagshipException {
    @Serial private static final long serialVersionUID = 1L;

    QuantizeException(Path target, String problem, String remedy) {
        super(
                "quantize_failed",
                "Cannot write %s: %s. %s".formatted(target, problem, remedy),
                false,
                null);
    }
}
