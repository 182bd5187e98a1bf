package dev.flagship.bench;

import dev.flagship.base.FlagshipException;
import java.io.Serial;
import org.jspecify.annotations.Nullable;

/** A measurement that cannot be made, or would be worth nothing. */
final class BenchException extends FlagshipException {
    @Serial private static final long serialVersionUID = 1L;

    BenchException(String code, String message, @Nullable Throwable cause) {
        super(code, message, false, cause);
    }
}
