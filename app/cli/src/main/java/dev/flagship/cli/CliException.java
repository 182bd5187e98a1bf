package dev.flagship.cli;

import dev.flagship.base.FlagshipException;
import java.io.Serial;
import org.jspecify.annotations.Nullable;

/** A command that cannot be carried out. */
final class CliException extends FlagshipException {
    @Serial private static final long serialVersionUID = 1L;

    CliException(String code, String message, @Nullable Throwable cause) {
        super(code, message, false, cause);
    }
}
