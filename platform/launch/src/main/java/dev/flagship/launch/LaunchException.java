package dev.flagship.launch;

import dev.flagship.base.FlagshipException;
import java.io.Serial;
import org.jspecify.annotations.Nullable;

/**
 * A model cannot be found or fetched. The code is one of {@code unknown_model}, {@code
 * no_such_file}, {@code store_not_writable}, {@code model_unavailable}, {@code model_damaged},
 * {@code fetch_cancelled}, {@code bad_setting}, and those of {@link ModelStore#pull}.
 */
public final class LaunchException extends FlagshipException {
    @Serial private static final long serialVersionUID = 1L;

    LaunchException(String code, String message, @Nullable Throwable cause) {
        super(code, message, false, cause);
    }
}
