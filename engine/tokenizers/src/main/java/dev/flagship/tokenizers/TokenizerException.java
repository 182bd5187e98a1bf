package dev.flagship.tokenizers;

import com.google.errorprone.annotations.FormatMethod;
import com.google.errorprone.annotations.FormatString;
import dev.flagship.base.FlagshipException;
import dev.flagship.base.Quoted;
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

    /** A vocabulary whose tokens are chosen by their joint likelihood. */
    static TokenizerException noUnigram(String file) {
        return unsupported(
                "%s: its model is Unigram, and this version runs BPE, which LLaMA and its look-alikes have. No"
                        + " conversion makes one of the other; take a model whose tokenizer is BPE",
                file);
    }

    /** The description asks for something that Flagship does not implement. */
    @FormatMethod
    static TokenizerException unsupported(
            @FormatString String message, @Nullable Object... values) {
        return new TokenizerException("tokenizer_unsupported", message.formatted(values), null);
    }

    /** Untrusted text for a message, as {@link Quoted#of} makes it. */
    static String quote(String text) {
        return Quoted.of(text);
    }
}
