package dev.flagship.tokenizers;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Cuts a template into tokens, with the white space that tags remove already gone: {@code
 * trim_blocks} and {@code lstrip_blocks} are on, as transformers sets them, and one newline at the
 * end of the source is dropped (Jinja 3.1, "Whitespace Control").
 */
final class TemplateLexer {
    enum Kind {
        DATA,
        OUTPUT_BEGIN,
        OUTPUT_END,
        BLOCK_BEGIN,
        BLOCK_END,
        NAME,
        STRING,
        INTEGER,
        FLOAT,
        OPERATOR,
        END
    }

    record Token(Kind kind, String text, int line) {
        boolean is(String operatorOrName) {
            return (kind == Kind.OPERATOR || kind == Kind.NAME) && text.equals(operatorOrName);
        }
    }

    /** Several times as many as the longest published template has; each takes about 100 bytes. */
    private static final int MOST_TOKENS = 24_000;

    private static final String[] OPERATORS = {
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{",
        "}", ">", "<", "=", ".", ":", "|", ","
    };

    private final String source;
    private final List<Token> tokens = new ArrayList<>();
    private final Deque<Character> brackets = new ArrayDeque<>(); // open in the current tag
    private int at;
    private int line = 1;
    private boolean lineStarting = true;

    private TemplateLexer(String source) {
        this.source = source;
    }

    static List<Token> tokens(String source) {
        String lines = source.replace("\r\n", "\n").replace('\r', '\n');
        TemplateLexer lexer =
                new TemplateLexer(
                        lines.endsWith("\n") ? lines.substring(0, lines.length() - 1) : lines);
        lexer.root();
        return lexer.tokens;
    }

    private void root() {
        while (at < source.length()) {
            int tag = nextTag(at);
            if (tag < 0) {
                data(source.substring(at));
                at = source.length();
                break;
            }
            char kind = source.charAt(tag + 1);
            char sign = tag + 2 < source.length() ? source.charAt(tag + 2) : ' ';
            boolean signed = sign == '-' || sign == '+';
            String text = source.substring(at, tag);
            data(
                    sign == '-'
                            ? PythonText.stripEnd(text)
                            : sign == '+' || kind == '{' ? text : withoutIndent(text));
            moveTo(tag);
            int begin = signed ? tag + 3 : tag + 2;
            switch (kind) {
                case '#' -> comment(begin);
                case '{' -> tag(begin, Kind.OUTPUT_BEGIN, Kind.OUTPUT_END, "}}");
                default -> {
                    if (!raw(begin)) {
                        tag(begin, Kind.BLOCK_BEGIN, Kind.BLOCK_END, "%}");
                    }
                }
            }
        }
        put(Kind.END, "");
    }

    private int nextTag(int from) {
        for (int i = source.indexOf('{', from);
                i >= 0 && i + 1 < source.length();
                i = source.indexOf('{', i + 1)) {
            char c = source.charAt(i + 1);
            if (c == '{' || c == '%' || c == '#') {
                return i;
            }
        }
        return -1;
    }

    private void data(String text) {
        if (!text.isEmpty()) {
            put(Kind.DATA, text);
        }
    }

    private String withoutIndent(String text) {
        int lineStart = text.lastIndexOf('\n') + 1;
        if ((lineStart > 0 || lineStarting)
                && PythonText.stripStart(text.substring(lineStart)).isEmpty()) {
            return text.substring(0, lineStart);
        }
        return text;
    }

    /** Moves on, counting lines. */
    private void moveTo(int place) {
        for (int i = at; i < place; i++) {
            if (source.charAt(i) == '\n') {
                line++;
            }
        }
        if (place > at) {
            lineStarting = source.charAt(place - 1) == '\n';
        }
        at = place;
    }

    private void comment(int begin) {
        int end = source.indexOf("#}", begin);
        if (end < 0) {
            throw TemplateException.invalid(
                    line, "the comment that begins here has no end; write #}");
        }
        char sign = end > begin ? source.charAt(end - 1) : ' ';
        moveTo(afterTag(end + 2, sign, true));
    }

    /**
     * Where the text goes on after a tag: past all white space after {@code -}, past one newline
     * without a sign.
     */
    private int afterTag(int end, char sign, boolean trims) {
        int next = end;
        if (sign == '-') {
            while (next < source.length() && PythonText.isSpace(source.charAt(next))) {
                next++;
            }
        } else if (sign != '+' && trims && next < source.length() && source.charAt(next) == '\n') {
            next++;
        }
        return next;
    }

    /** Reads {@code {% raw %}…{% endraw %}}, if that is what begins here. */
    private boolean raw(int begin) {
        int nameEnd = word(begin, "raw");
        if (nameEnd < 0) {
            return false;
        }
        char sign = source.charAt(nameEnd);
        int close = sign == '-' ? nameEnd + 1 : nameEnd;
        if (!source.startsWith("%}", close)) {
            return false;
        }
        int textStart = afterTag(close + 2, sign, false);
        for (int open = source.indexOf("{%", textStart);
                open >= 0;
                open = source.indexOf("{%", open + 2)) {
            char openSign = open + 2 < source.length() ? source.charAt(open + 2) : ' ';
            int end = word(openSign == '-' || openSign == '+' ? open + 3 : open + 2, "endraw");
            if (end < 0) {
                continue;
            }
            char endSign = source.charAt(end);
            int endClose = endSign == '-' || endSign == '+' ? end + 1 : end;
            if (source.startsWith("%}", endClose)) {
                moveTo(textStart);
                String text = source.substring(textStart, open);
                data(
                        openSign == '-'
                                ? PythonText.stripEnd(text)
                                : openSign == '+' ? text : withoutIndent(text));
                moveTo(afterTag(endClose + 2, endSign, true));
                return true;
            }
        }
        throw TemplateException.invalid(
                line, "the raw block that begins here has no end; write {%% endraw %%}");
    }

    /**
     * The place after a word and the spaces around it, if it stands there and something follows,
     * else -1.
     */
    private int word(int from, String word) {
        int i = skipSpace(from);
        if (!source.startsWith(word, i)) {
            return -1;
        }
        i = skipSpace(i + word.length());
        return i < source.length() ? i : -1;
    }

    private int skipSpace(int from) {
        int i = from;
        while (i < source.length() && PythonText.isSpace(source.charAt(i))) {
            i++;
        }
        return i;
    }

    private void tag(int begin, Kind beginKind, Kind endKind, String close) {
        int openLine = line;
        put(beginKind, "");
        moveTo(begin);
        brackets.clear();
        while (true) {
            moveTo(skipSpace(at));
            if (at >= source.length()) {
                throw TemplateException.invalid(
                        openLine, "the tag that begins here has no end; write %s", close);
            }
            if (brackets.isEmpty()) {
                char sign = source.charAt(at);
                boolean signs = sign == '-' || (sign == '+' && endKind == Kind.BLOCK_END);
                int end = signs ? at + 1 : at;
                if (source.startsWith(close, end)) {
                    put(endKind, "");
                    moveTo(afterTag(end + 2, signs ? sign : ' ', endKind == Kind.BLOCK_END));
                    return;
                }
            }
            token();
        }
    }

    private void token() {
        char c = source.charAt(at);
        if (c >= '0' && c <= '9') {
            number();
        } else if (Character.isUnicodeIdentifierStart(c) || c == '_') {
            int end = at + 1;
            while (end < source.length()
                    && (Character.isUnicodeIdentifierPart(source.charAt(end))
                            || source.charAt(end) == '_')) {
                end++;
            }
            add(Kind.NAME, source.substring(at, end), end);
        } else if (c == '\'' || c == '"') {
            string(c);
        } else {
            operator();
        }
    }

    private void operator() {
        for (String operator : OPERATORS) {
            if (source.startsWith(operator, at)) {
                switch (operator) {
                    case "(" -> brackets.push(')');
                    case "[" -> brackets.push(']');
                    case "{" -> brackets.push('}');
                    case ")", "]", "}" -> {
                        if (brackets.isEmpty() || brackets.pop() != operator.charAt(0)) {
                            throw TemplateException.invalid(line, "'%s' closes nothing", operator);
                        }
                    }
                    default -> {}
                }
                add(Kind.OPERATOR, operator, at + operator.length());
                return;
            }
        }
        throw TemplateException.invalid(
                line,
                "unexpected character %s",
                TokenizerException.quote(Character.toString(source.codePointAt(at))));
    }

    private void add(Kind kind, String text, int end) {
        put(kind, text);
        moveTo(end);
    }

    private void put(Kind kind, String text) {
        if (tokens.size() == MOST_TOKENS) {
            throw TemplateException.limit(
                    line, "more than %d words and signs; simplify the template", MOST_TOKENS);
        }
        tokens.add(new Token(kind, text, line));
    }

    private void number() {
        int end = digits(at);
        boolean whole = true;
        boolean attribute = at > 0 && source.charAt(at - 1) == '.';
        if (!attribute
                && end + 1 < source.length()
                && source.charAt(end) == '.'
                && isDigit(end + 1)) {
            end = digits(end + 1);
            whole = false;
        }
        if (!attribute && end < source.length() && (source.charAt(end) | 0x20) == 'e') {
            int exponent = end + 1;
            if (exponent < source.length()
                    && (source.charAt(exponent) == '+' || source.charAt(exponent) == '-')) {
                exponent++;
            }
            if (exponent < source.length() && isDigit(exponent)) {
                end = digits(exponent);
                whole = false;
            }
        }
        add(whole ? Kind.INTEGER : Kind.FLOAT, source.substring(at, end).replace("_", ""), end);
    }

    private int digits(int from) {
        int i = from;
        while (i < source.length()
                && (isDigit(i)
                        || (source.charAt(i) == '_'
                                && i + 1 < source.length()
                                && isDigit(i + 1)))) {
            i++;
        }
        return i;
    }

    private boolean isDigit(int i) {
        return source.charAt(i) >= '0' && source.charAt(i) <= '9';
    }

    private void string(char quote) {
        int end = at + 1;
        while (end < source.length() && source.charAt(end) != quote) {
            end += source.charAt(end) == '\\' ? 2 : 1;
        }
        if (end >= source.length()) {
            throw TemplateException.invalid(line, "the string that begins here has no end");
        }
        add(Kind.STRING, unescape(source.substring(at + 1, end)), end + 1);
    }

    /** Python's escapes of string literals. */
    private String unescape(String raw) {
        if (raw.indexOf('\\') < 0) {
            return raw;
        }
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < raw.length(); i++) {
            char c = raw.charAt(i);
            if (c != '\\') {
                text.append(c);
                continue;
            }
            char escape = raw.charAt(++i); // the string's end is never escaped
            switch (escape) {
                case '\n' -> {}
                case '\\', '\'', '"' -> text.append(escape);
                case 'n' -> text.append('\n');
                case 't' -> text.append('\t');
                case 'r' -> text.append('\r');
                case 'b' -> text.append('\b');
                case 'f' -> text.append('\f');
                case 'a' -> text.append('\u0007');
                case 'v' -> text.append('\u000B');
                case 'x' -> i = codePoint(raw, i, 2, text);
                case 'u' -> i = codePoint(raw, i, 4, text);
                case 'U' -> i = codePoint(raw, i, 8, text);
                case '0', '1', '2', '3', '4', '5', '6', '7' -> {
                    int end = i;
                    while (end < raw.length()
                            && end < i + 3
                            && raw.charAt(end) >= '0'
                            && raw.charAt(end) <= '7') {
                        end++;
                    }
                    text.append((char) Integer.parseInt(raw, i, end, 8));
                    i = end - 1;
                }
                case 'N' ->
                        throw TemplateException.unsupported(
                                line, "\\N{…} in a string; write the character itself");
                default -> text.append('\\').append(escape);
            }
        }
        return text.toString();
    }

    private int codePoint(String raw, int at, int digits, StringBuilder text) {
        int value = -1;
        int end = at + 1 + digits;
        if (end <= raw.length()) {
            value = 0;
            for (int i = at + 1; i < end && value >= 0; i++) {
                int digit = raw.charAt(i) < 0x80 ? Character.digit(raw.charAt(i), 16) : -1;
                value = digit < 0 || value > Character.MAX_CODE_POINT ? -1 : value << 4 | digit;
            }
        }
        if (!Character.isValidCodePoint(value)) {
            throw TemplateException.invalid(
                    line,
                    "a \\%s escape needs %s hexadecimal digits of a code point",
                    raw.charAt(at),
                    digits);
        }
        text.appendCodePoint(value);
        return end - 1;
    }
}
