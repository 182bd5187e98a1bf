package dev.flagship.tokenizers;

import dev.flagship.tokenizers.TemplateLexer.Kind;
import dev.flagship.tokenizers.TemplateLexer.Token;
import dev.flagship.tokenizers.TemplateSyntax.Arguments;
import dev.flagship.tokenizers.TemplateSyntax.Expression;
import dev.flagship.tokenizers.TemplateSyntax.Step;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Expressions of a template, by recursive descent; nothing nests deeper than {@link #DEPTH},
 * statements included.
 */
sealed class ExpressionParser permits TemplateParser {
    static final int DEPTH = 32;

    private static final Set<String> CONSTANTS =
            Set.of("true", "True", "false", "False", "none", "None");
    private static final Set<String> SUMS = Set.of("+", "-");
    private static final Set<String> PRODUCTS = Set.of("*", "/", "//", "%");
    private static final Set<String> POWERS = Set.of("**");
    private static final Set<String> STEPS = Set.of(".", "[", "(", "|");
    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");
    private static final Set<String> NO_TEST_ARGUMENT =
            Set.of("else", "or", "and", "is", "not", "in", "if");

    private final List<Token> tokens;
    private int at;
    private int depth;
    private boolean guarded;
    private @Nullable Step unknown;

    ExpressionParser(List<Token> tokens) {
        this.tokens = tokens;
    }

    // Filters and tests that do not exist

    /**
     * Says whether a condition decides if what is read next runs: Jinja refuses a filter or test
     * that does not exist when it compiles the template, unless a condition may keep it from
     * running (the "soft frames" of its compiler).
     */
    final void guard(boolean byCondition) {
        guarded = byCondition;
    }

    final boolean guarded() {
        return guarded;
    }

    /** Remembers the first that does not exist: mistakes in the syntax are told before it. */
    private Step noted(Step step, boolean exists) {
        if (!exists && !guarded && unknown == null) {
            unknown = step;
        }
        return step;
    }

    /**
     * Refuses a template that was read to its end.
     *
     * @throws TemplateException if it uses a filter or test that does not exist
     */
    final void checkNames() {
        if (unknown instanceof TemplateSyntax.Filter filter) {
            throw TemplateFilters.unsupportedFilter(filter.name(), filter.line());
        }
        if (unknown instanceof TemplateSyntax.Test test) {
            throw TemplateFilters.unsupportedTest(test.name(), test.line());
        }
    }

    // Expressions, from the loosest to the tightest

    final Expression tupleOrExpression() {
        int line = peek().line();
        Expression first = expression();
        if (!peek().is(",")) {
            return first;
        }
        List<Expression> items = new ArrayList<>(List.of(first));
        while (accept(",") && startsExpression()) {
            items.add(expression());
        }
        return new TemplateSyntax.ListOf(line, items, true);
    }

    private boolean startsExpression() {
        Kind kind = peek().kind();
        return kind != Kind.OUTPUT_END
                && kind != Kind.BLOCK_END
                && !peek().is(")")
                && !peek().is("=");
    }

    final Expression expression() {
        enter();
        int line = peek().line();
        Step unknownBefore = unknown;
        Expression value = or();
        if (accept("if")) {
            Expression test = or();
            Expression no = accept("else") ? expression() : null;
            value = new TemplateSyntax.Conditional(line, test, value, no);
            unknown = unknownBefore; // a condition guards all three
        }
        leave();
        return value;
    }

    final Expression or() {
        int line = peek().line();
        Expression first = and();
        if (!peek().is("or")) { // lists are for the few that need them
            return first;
        }
        List<Expression> operands = new ArrayList<>(List.of(first));
        while (accept("or")) {
            operands.add(and());
        }
        return new TemplateSyntax.Logic(line, false, operands);
    }

    private Expression and() {
        int line = peek().line();
        Expression first = not();
        if (!peek().is("and")) {
            return first;
        }
        List<Expression> operands = new ArrayList<>(List.of(first));
        while (accept("and")) {
            operands.add(not());
        }
        return new TemplateSyntax.Logic(line, true, operands);
    }

    private Expression not() {
        int line = peek().line();
        if (!accept("not")) {
            return comparison();
        }
        enter();
        Expression operand = not();
        leave();
        return new TemplateSyntax.Not(line, operand);
    }

    private Expression comparison() {
        int line = peek().line();
        Expression first = sum();
        if (!comparesNext()) {
            return first;
        }
        List<String> operators = new ArrayList<>();
        List<Expression> others = new ArrayList<>();
        while (comparesNext()) {
            String operator = next().text();
            if (operator.equals("not")) {
                next();
                operator = "not in";
            }
            operators.add(operator);
            others.add(sum());
        }
        return new TemplateSyntax.Comparison(line, first, operators, others);
    }

    private boolean comparesNext() {
        Token token = peek();
        return peekIsOneOf(COMPARISONS)
                || token.is("in")
                || (token.is("not") && tokens.get(at + 1).is("in"));
    }

    private boolean peekIsOneOf(Set<String> operators) {
        return peek().kind() == Kind.OPERATOR && operators.contains(peek().text());
    }

    /** Operators of one precedence after their first operand. */
    private Expression arithmetic(
            int line, Expression first, Set<String> known, Supplier<Expression> operand) {
        List<String> operators = new ArrayList<>();
        List<Expression> others = new ArrayList<>();
        while (peekIsOneOf(known)) {
            operators.add(next().text());
            others.add(operand.get());
        }
        return new TemplateSyntax.Arithmetic(line, first, operators, others);
    }

    private Expression sum() {
        int line = peek().line();
        Expression first = concatenation();
        return peekIsOneOf(SUMS) ? arithmetic(line, first, SUMS, this::concatenation) : first;
    }

    private Expression concatenation() {
        int line = peek().line();
        Expression first = product();
        if (!peek().is("~")) {
            return first;
        }
        List<Expression> parts = new ArrayList<>(List.of(first));
        while (accept("~")) {
            parts.add(product());
        }
        return new TemplateSyntax.Concatenation(line, parts);
    }

    private Expression product() {
        int line = peek().line();
        Expression first = power();
        return peekIsOneOf(PRODUCTS) ? arithmetic(line, first, PRODUCTS, this::power) : first;
    }

    private Expression power() {
        int line = peek().line();
        Expression first = unary(true);
        return peekIsOneOf(POWERS) ? arithmetic(line, first, POWERS, () -> unary(true)) : first;
    }

    /** A sign binds tighter than a filter: {@code -1|abs} is {@code (-1)|abs}. */
    private Expression unary(boolean withFilters) {
        int line = peek().line();
        Expression value;
        if (peek().is("-") || peek().is("+")) {
            boolean negative = next().text().equals("-");
            enter();
            Expression operand = unary(false);
            leave();
            value = negative ? new TemplateSyntax.Negate(line, operand) : operand;
        } else {
            value = primary();
        }
        if (!peekIsOneOf(STEPS) && !peek().is("is")) {
            return value;
        }
        List<Step> steps = new ArrayList<>();
        while (postfixStep(steps)) {}
        if (withFilters) {
            while (filterStep(steps)) {}
        }
        return steps.isEmpty() ? value : new TemplateSyntax.Postfix(line, value, steps);
    }

    private boolean postfixStep(List<Step> steps) {
        int line = peek().line();
        if (accept(".")) {
            Token name = next();
            switch (name.kind()) {
                case NAME -> steps.add(new TemplateSyntax.Attribute(line, name.text()));
                case INTEGER -> steps.add(new TemplateSyntax.Item(line, integer(name)));
                default -> throw unexpected(name, "a name after the dot");
            }
            return true;
        }
        if (accept("[")) {
            steps.add(subscript(line));
            return true;
        }
        if (accept("(")) {
            steps.add(new TemplateSyntax.Call(line, arguments()));
            return true;
        }
        return false;
    }

    private boolean filterStep(List<Step> steps) {
        int line = peek().line();
        if (accept("|")) {
            steps.add(filter());
            return true;
        }
        if (accept("is")) {
            boolean negated = accept("not");
            String name = name();
            Step test = new TemplateSyntax.Test(line, name, negated, testArguments());
            steps.add(noted(test, TemplateFilters.isTest(name)));
            return true;
        }
        if (accept("(")) {
            steps.add(new TemplateSyntax.Call(line, arguments()));
            return true;
        }
        return false;
    }

    final Step filter() {
        int line = peek().line();
        String name = name();
        Arguments arguments = accept("(") ? arguments() : new Arguments(List.of(), List.of());
        return noted(
                new TemplateSyntax.Filter(line, name, arguments), TemplateFilters.isFilter(name));
    }

    private Arguments testArguments() {
        if (accept("(")) {
            return arguments();
        }
        Token token = peek();
        boolean argument =
                switch (token.kind()) {
                    case NAME -> !NO_TEST_ARGUMENT.contains(token.text());
                    case STRING, INTEGER, FLOAT -> true;
                    case OPERATOR -> token.is("[") || token.is("{");
                    default -> false;
                };
        if (!argument) {
            return new Arguments(List.of(), List.of());
        }
        int line = token.line();
        Expression value = primary();
        List<Step> steps = new ArrayList<>();
        while (postfixStep(steps)) {}
        return new Arguments(
                List.of(steps.isEmpty() ? value : new TemplateSyntax.Postfix(line, value, steps)),
                List.of());
    }

    private Step subscript(int line) {
        Expression start = peek().is(":") ? null : expression();
        if (accept("]")) {
            if (start == null) {
                throw TemplateException.invalid(line, "an empty subscript");
            }
            return new TemplateSyntax.Item(line, start);
        }
        expectOperator(":");
        Expression stop = peek().is(":") || peek().is("]") ? null : expression();
        Expression step = accept(":") && !peek().is("]") ? expression() : null;
        expectOperator("]");
        return new TemplateSyntax.Slice(line, start, stop, step);
    }

    private Arguments arguments() {
        List<Expression> positional = new ArrayList<>();
        List<TemplateSyntax.Named> named = new ArrayList<>();
        boolean first = true;
        while (!accept(")")) {
            if (!first) {
                expectOperator(",");
                if (accept(")")) {
                    break;
                }
            }
            first = false;
            Token token = peek();
            if (token.is("*") || token.is("**")) {
                throw TemplateException.unsupported(
                        token.line(), "unpacked arguments (%s); write them out", token.text());
            }
            if (token.kind() == Kind.NAME && tokens.get(at + 1).is("=")) {
                next();
                next();
                named.add(new TemplateSyntax.Named(token.text(), expression()));
            } else {
                positional.add(expression());
            }
        }
        return new Arguments(positional, named);
    }

    private Expression primary() {
        Token token = next();
        int line = token.line();
        return switch (token.kind()) {
            case NAME ->
                    CONSTANTS.contains(token.text())
                            ? constant(token)
                            : new TemplateSyntax.Name(line, token.text());
            case STRING -> {
                StringBuilder text = new StringBuilder(token.text());
                while (peek().kind() == Kind.STRING) {
                    text.append(next().text());
                }
                yield new TemplateSyntax.Literal(line, TemplateValue.trusted(text.toString()));
            }
            case INTEGER -> integer(token);
            case FLOAT ->
                    new TemplateSyntax.Literal(
                            line, TemplateValue.of(Double.parseDouble(token.text())));
            case OPERATOR ->
                    switch (token.text()) {
                        case "(" -> parenthesis(line);
                        case "[" -> list(line);
                        case "{" -> dictionary(line);
                        default -> throw unexpected(token, "a value");
                    };
            case DATA, OUTPUT_BEGIN, OUTPUT_END, BLOCK_BEGIN, BLOCK_END, END ->
                    throw unexpected(token, "a value");
        };
    }

    private static Expression constant(Token token) {
        TemplateValue value =
                switch (token.text()) {
                    case "true", "True" -> TemplateValue.of(true);
                    case "false", "False" -> TemplateValue.of(false);
                    default -> TemplateValue.none();
                };
        return new TemplateSyntax.Literal(token.line(), value);
    }

    private static Expression integer(Token token) {
        try {
            return new TemplateSyntax.Literal(
                    token.line(), TemplateValue.of(Long.parseLong(token.text())));
        } catch (NumberFormatException e) {
            throw TemplateException.unsupported(
                    token.line(),
                    "the number %s is beyond 64 bits",
                    TokenizerException.quote(token.text()));
        }
    }

    private Expression parenthesis(int line) {
        if (accept(")")) {
            return new TemplateSyntax.ListOf(line, List.of(), true);
        }
        Expression value = tupleOrExpression();
        expectOperator(")");
        return value;
    }

    private Expression list(int line) {
        List<Expression> items = new ArrayList<>();
        while (!accept("]")) {
            if (!items.isEmpty()) {
                expectOperator(",");
                if (accept("]")) {
                    break;
                }
            }
            items.add(expression());
        }
        return new TemplateSyntax.ListOf(line, items, false);
    }

    private Expression dictionary(int line) {
        List<Expression> keys = new ArrayList<>();
        List<Expression> values = new ArrayList<>();
        while (!accept("}")) {
            if (!keys.isEmpty()) {
                expectOperator(",");
                if (accept("}")) {
                    break;
                }
            }
            keys.add(expression());
            expectOperator(":");
            values.add(expression());
        }
        return new TemplateSyntax.DictOf(line, keys, values);
    }

    // Tokens

    final void enter() {
        if (++depth > DEPTH) {
            throw TemplateException.limit(
                    peek().line(), "tags and expressions nest more than %d deep", DEPTH);
        }
    }

    /** Leaves a level of nesting. */
    final void leave() {
        depth--;
    }

    final Token peek() {
        return tokens.get(at);
    }

    /** The next token; the end is never passed. */
    final Token next() {
        Token token = tokens.get(at);
        if (token.kind() != Kind.END) {
            at++;
        }
        return token;
    }

    final boolean accept(String text) {
        if (peek().is(text)) {
            at++;
            return true;
        }
        return false;
    }

    final String name() {
        Token token = next();
        if (token.kind() != Kind.NAME) {
            throw unexpected(token, "a name");
        }
        return token.text();
    }

    final void expectOperator(String operator) {
        Token token = next();
        if (token.kind() != Kind.OPERATOR || !token.text().equals(operator)) {
            throw unexpected(token, "'" + operator + "'");
        }
    }

    final void expectWord(String word) {
        Token token = next();
        if (token.kind() != Kind.NAME || !token.text().equals(word)) {
            throw unexpected(token, "'" + word + "'");
        }
    }

    final void endTag() {
        expect(Kind.BLOCK_END, "%}");
    }

    final void expect(Kind kind, String text) {
        Token token = next();
        if (token.kind() != kind) {
            throw unexpected(token, "'" + text + "'");
        }
    }

    static TemplateException unexpected(Token token, @Nullable String expected) {
        String found =
                switch (token.kind()) {
                    case END -> "the end";
                    case OUTPUT_END, BLOCK_END -> "the end of the tag";
                    case DATA, OUTPUT_BEGIN, BLOCK_BEGIN -> "text";
                    case NAME, STRING, INTEGER, FLOAT, OPERATOR ->
                            TokenizerException.quote(token.text());
                };
        return TemplateException.invalid(token.line(), "found %s, expected %s", found, expected);
    }
}
