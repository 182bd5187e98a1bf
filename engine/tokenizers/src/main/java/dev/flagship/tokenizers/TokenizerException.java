package dev.flagship.tokenizers;

import com.google.errorprone.annotations.FormatMethod;
import com.google.errorprone.annotations.FormatString;
import dev.flagship.base.FlagshipException;
import java.io.Serial;
import org.jspecify.annotations.Nullable;

/**
 * A vocabulary or tokenizer description that cannot be used: damaged, inconsistent, too large or of
 * an unknown kind.
 */
public final class TokenizerException extends FlagshipException {
    @Serial private static final long serialVersionUID = 1L;

    private TokenizerException(String code, String message, @Nullable Throwable cause) {
        super(code, message, false, cause);
    }

    /** The description contradicts itself or its format. */
    @FormatMethod
    static TokenizerException invalid(@FormatString String message, @Nullable Object... values) {
        return new TokenizerException("tokenizer_invalid", message.formatted(values), null);
    }

    /** The JSON around the description cannot be read. */
    static TokenizerException unreadable(String message, Throwable cause) {
        return new TokenizerException("tokenizer_invalid", message, cause);
    }

    /** The description asks for something that Flagship does not implement. */
    @FormatMethod
    static TokenizerException unsupported(
            @FormatString String message, @Nullable Object... values) {
        return new TokenizerException("tokenizer_unsupported", message.formatted(values), null);
    }

    /** Shortens and quotes untrusted text for a message. */
    static String quote(String text) {
        String head = text.length() <= 60 ? text : text.substring(0, 60) + "…";
        return '\'' + head.replace("\n", "\\n").replace("\r", "\\r") + '\'';
    }
}
