package dev.flagship.tokenizers;

import com.google.errorprone.annotations.FormatMethod;
import com.google.errorprone.annotations.FormatString;
import dev.flagship.base.FlagshipException;
import dev.flagship.base.Quoted;
import java.io.Serial;
import java.util.Arrays;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * A chat template that cannot be read or run. Codes: {@code template_unsupported} (a construct
 * outside the subset), {@code template_invalid} (a mistake in the template), {@code template_limit}
 * (it does too much), {@code template_refused} (it refused the conversation by {@code
 * raise_exception}; the one message that a client may see).
 */
public final class TemplateException extends FlagshipException {
    @Serial private static final long serialVersionUID = 1L;

    /** Characters of a template's own words, or a value's, that a message repeats. */
    private static final int MOST_REPEATED = 300;

    /** Characters of a refusal. */
    private static final int MOST_REFUSED = 1000;

    private TemplateException(String code, String message, boolean clientSafe) {
        super(code, message, clientSafe, null);
    }

    @FormatMethod
    static TemplateException unsupported(
            int line, @FormatString String message, @Nullable Object... values) {
        return new TemplateException("template_unsupported", at(line, message, values), false);
    }

    @FormatMethod
    static TemplateException invalid(
            int line, @FormatString String message, @Nullable Object... values) {
        return new TemplateException("template_invalid", at(line, message, values), false);
    }

    @FormatMethod
    static TemplateException limit(
            int line, @FormatString String message, @Nullable Object... values) {
        return new TemplateException("template_limit", at(line, message, values), false);
    }

    /** The template's own refusal, in its own words, as far as they are fit for one short line. */
    static TemplateException refused(String message) {
        String head = head(oneLine(head(message, MOST_REFUSED)), MOST_REFUSED);
        return new TemplateException("template_refused", head, true);
    }

    @FormatMethod
    private static String at(int line, @FormatString String message, @Nullable Object... values) {
        Object[] shown = Arrays.stream(values).map(TemplateException::shown).toArray();
        String place = line > 0 ? "chat template, line " + line + ": " : "chat template: ";
        return place + String.format(Locale.ROOT, message, shown);
    }

    /** Names come from the template, however long, and with whatever characters in them. */
    private static @Nullable Object shown(@Nullable Object value) {
        return value == null || value instanceof Number
                ? value
                : oneLine(head(value.toString(), MOST_REPEATED));
    }

    private static String head(String text, int most) {
        return text.length() <= most ? text : text.substring(0, most) + "…";
    }

    private static String oneLine(String text) {
        return Quoted.visible(text).replace("\n", "\\n").replace("\t", "\\t");
    }
}
