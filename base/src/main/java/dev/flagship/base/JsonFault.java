package dev.flagship.base;

import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What is wrong with a text that is no JSON (RFC 8259), for whoever wrote or fetched it. Parsers
 * speak of their own classes and switches; this keeps what they tell of the text.
 */
public final class JsonFault {
    /** A word that is no value, or a bracket that closes nothing. */
    private static final Pattern WORD =
            Pattern.compile(
                    "(?s)^(?:Unrecognized token|Non-standard token|Unexpected close marker) '(.*?)':");

    private static final Pattern CODE =
            Pattern.compile("(?s)^(?:Unexpected|Illegal|Unrecognized).*?code (\\d{1,7})");
    private static final Pattern LIMIT =
            Pattern.compile("^(.*?) \\((\\d+)\\) exceeds the maximum allowed \\((\\d+)");
    private static final Pattern TWICE = Pattern.compile("(?s)^Duplicate .*? property \"(.*)\"");

    private static final Pattern RANGE =
            Pattern.compile("^Numeric value \\((-?\\d{1,100})\\) out of range");

    private static final Pattern SURROGATE = Pattern.compile("^[^'\"]*surrogate");

    /** What limits are on, by the parser's words. */
    private static final Map<String, String> MEASURES =
            Map.of(
                    "Document nesting depth", "brackets within each other",
                    "String value length", "characters in a text",
                    "Name length", "characters in a name",
                    "Number value length", "digits in a number");

    private record Expected(String said, String words) {}

    /** The first that fits counts. */
    private static final List<Expected> EXPECTED =
            List.of(
                    new Expected("comment?", "a value; JSON has no comments"),
                    new Expected("double-quote to start", "a name in double quotes"),
                    new Expected("in property name", "the quote that ends a name"),
                    new Expected("colon to separate", "a colon behind the name"),
                    new Expected("to close", "nothing that closes"),
                    new Expected("Trailing token", "the end"),
                    new Expected("expected a value", "a value"),
                    new Expected("valid value", "a value"),
                    new Expected("was expecting (JSON", "a value"),
                    new Expected("Non-standard token", "a value"),
                    new Expected("Object", "a comma or }"),
                    new Expected("Array", "a comma or ]"),
                    new Expected("closing quote", "the quote that ends a text"),
                    new Expected("hex-digit", "four hexadecimal digits behind \\u"),
                    new Expected("character escape", "a character that JSON has behind \\"),
                    new Expected("using backslash", "an escape for it, as \\n"),
                    new Expected("white space", "a value or white space"),
                    new Expected("numeric value", "a number as JSON writes it"));

    private JsonFault() {}

    /**
     * One line, fit for a message.
     *
     * @param said the parser's own message
     * @param line from 1; less: it names no place
     * @param column from 1
     */
    public static String of(String said, int line, int column) {
        return line < 1
                ? fault(said)
                : "line %d, column %d: %s".formatted(line, column, fault(said));
    }

    private static String fault(String said) {
        Matcher limit = LIMIT.matcher(said);
        if (limit.find()) {
            String measure = MEASURES.getOrDefault(limit.group(1), "characters");
            return "%s %s, at most %s are read".formatted(limit.group(2), measure, limit.group(3));
        }
        Matcher twice = TWICE.matcher(said);
        if (twice.find()) {
            return "the name %s is there twice".formatted(Quoted.of(twice.group(1)));
        }
        Matcher range = RANGE.matcher(said);
        if (range.find()) {
            return "the number %s is out of range".formatted(range.group(1));
        }
        if (SURROGATE.matcher(said).find()) {
            return "half of a surrogate pair stands alone";
        }
        for (Expected expected : EXPECTED) {
            if (said.contains(expected.said)) {
                return "found %s, expected %s".formatted(found(said), expected.words);
            }
        }
        return "it is not written as JSON is";
    }

    private static String found(String said) {
        Matcher word = WORD.matcher(said);
        if (word.find()) {
            return Quoted.of(word.group(1));
        }
        Matcher code = CODE.matcher(said);
        if (code.find()) {
            int point = Integer.parseInt(code.group(1));
            return Character.isValidCodePoint(point)
                    ? Quoted.of(Character.toString(point))
                    : "no character";
        }
        if (said.startsWith("Unexpected end-of-input")) {
            return "the end";
        }
        return said.contains("Leading zero") ? "a number with a 0 in front" : "something else";
    }
}
