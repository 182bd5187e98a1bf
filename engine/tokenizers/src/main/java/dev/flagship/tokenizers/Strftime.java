package dev.flagship.tokenizers;

import java.time.LocalDateTime;
import java.time.format.TextStyle;
import java.util.Locale;

/** Python's {@code strftime} in the C locale, as far as a date in a system message goes. */
final class Strftime {
    private Strftime() {}

    static String format(String format, LocalDateTime time, int line) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            if (c != '%') {
                out.append(c);
                continue;
            }
            boolean unpadded = i + 1 < format.length() && format.charAt(i + 1) == '-';
            int at = unpadded ? i + 2 : i + 1;
            char directive = at < format.length() ? format.charAt(at) : ' ';
            String text = directive(directive, time, line);
            out.append(
                    unpadded && text.length() > 1 && text.charAt(0) == '0'
                            ? text.replaceFirst("^0+(?=.)", "")
                            : text);
            i = at;
        }
        return out.toString();
    }

    private static String directive(char directive, LocalDateTime time, int line) {
        return switch (directive) {
            case 'd' -> two(time.getDayOfMonth());
            case 'm' -> two(time.getMonthValue());
            case 'y' -> two(time.getYear() % 100);
            case 'Y' -> Integer.toString(time.getYear());
            case 'b' ->
                    time.getMonth().getDisplayName(TextStyle.SHORT, Locale.ENGLISH).substring(0, 3);
            case 'B' -> time.getMonth().getDisplayName(TextStyle.FULL, Locale.ENGLISH);
            case 'a' ->
                    time.getDayOfWeek()
                            .getDisplayName(TextStyle.SHORT, Locale.ENGLISH)
                            .substring(0, 3);
            case 'A' -> time.getDayOfWeek().getDisplayName(TextStyle.FULL, Locale.ENGLISH);
            case 'H' -> two(time.getHour());
            case 'I' -> two((time.getHour() + 11) % 12 + 1);
            case 'M' -> two(time.getMinute());
            case 'S' -> two(time.getSecond());
            case 'p' -> time.getHour() < 12 ? "AM" : "PM";
            case 'j' -> String.format(Locale.ROOT, "%03d", time.getDayOfYear());
            case 'F' ->
                    directive('Y', time, line)
                            + '-'
                            + directive('m', time, line)
                            + '-'
                            + directive('d', time, line);
            case 'T' ->
                    directive('H', time, line)
                            + ':'
                            + directive('M', time, line)
                            + ':'
                            + directive('S', time, line);
            case '%' -> "%";
            default ->
                    throw TemplateException.unsupported(
                            line,
                            "strftime_now with %%%s; known are %%d %%m %%y %%Y %%b %%B %%a %%A %%H %%I %%M %%S %%p %%j %%F %%T",
                            directive);
        };
    }

    private static String two(int number) {
        return number < 10 ? "0" + number : Integer.toString(number);
    }
}
