package dev.flagship.tokenizers;

import dev.flagship.tokenizers.TemplateLexer.Kind;
import dev.flagship.tokenizers.TemplateLexer.Token;
import dev.flagship.tokenizers.TemplateSyntax.Arguments;
import dev.flagship.tokenizers.TemplateSyntax.Expression;
import dev.flagship.tokenizers.TemplateSyntax.Statement;
import dev.flagship.tokenizers.TemplateSyntax.Step;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Statements of a template, by recursive descent; nothing nests deeper than {@link #DEPTH}. */
final class TemplateParser {
    static final int DEPTH = 32;

    private static final Set<String> CONSTANTS =
            Set.of("true", "True", "false", "False", "none", "None");
    private static final Set<String> NO_TEST_ARGUMENT =
            Set.of("else", "or", "and", "is", "not", "in", "if");

    private final List<Token> tokens;
    private int at;
    private int depth;
    private int loops;

    private TemplateParser(List<Token> tokens) {
        this.tokens = tokens;
    }

    static List<Statement> parse(String source) {
        return new TemplateParser(TemplateLexer.tokens(source)).statements(Set.of());
    }

    // Statements

    /**
     * Statements up to a tag that begins with one of the names, which is left to the caller, or to
     * the end.
     */
    private List<Statement> statements(Set<String> ends) {
        enter();
        List<Statement> statements = new ArrayList<>();
        while (true) {
            Token token = peek();
            switch (token.kind()) {
                case DATA -> {
                    next();
                    statements.add(new TemplateSyntax.Data(TrustedText.trusted(token.text())));
                }
                case OUTPUT_BEGIN -> {
                    next();
                    statements.add(new TemplateSyntax.Output(token.line(), tupleOrExpression()));
                    expect(Kind.OUTPUT_END, "}}");
                }
                case BLOCK_BEGIN -> {
                    next();
                    Token name = peek();
                    if (name.kind() == Kind.NAME && ends.contains(name.text())) {
                        depth--;
                        return statements;
                    }
                    statements.add(statement());
                }
                default -> {
                    if (!ends.isEmpty()) {
                        throw TemplateException.invalid(
                                token.line(),
                                "the template ends where one of %s is expected",
                                ends);
                    }
                    depth--;
                    return statements;
                }
            }
        }
    }

    private Statement statement() {
        Token name = next();
        int line = name.line();
        return switch (name.text()) {
            case "if" -> ifStatement(line);
            case "for" -> forStatement(line);
            case "set" -> setStatement(line);
            case "macro" -> macroStatement(line);
            case "generation" -> {
                endTag();
                yield new TemplateSyntax.Block(line, List.of(), body("endgeneration"));
            }
            case "filter" -> {
                List<Step> filters = new ArrayList<>();
                filters.add(filter());
                while (accept("|")) {
                    filters.add(filter());
                }
                endTag();
                yield new TemplateSyntax.Block(line, filters, body("endfilter"));
            }
            case "break", "continue" -> {
                if (loops == 0) {
                    throw TemplateException.invalid(line, "%s outside a loop", name.text());
                }
                endTag();
                yield new TemplateSyntax.LoopControl(line, name.text().equals("break"));
            }
            default ->
                    throw TemplateException.unsupported(
                            line,
                            "tag %s is not part of the subset (if, for, set, macro, filter, generation, break, continue,"
                                    + " raw); rewrite the template without it",
                            TokenizerException.quote(name.text()));
        };
    }

    private List<Statement> body(String end) {
        List<Statement> body = statements(Set.of(end));
        next();
        endTag();
        return body;
    }

    private Statement ifStatement(int line) {
        List<TemplateSyntax.Branch> branches = new ArrayList<>();
        List<Statement> otherwise = List.of();
        Expression test = tupleOrExpression();
        while (true) {
            endTag();
            List<Statement> body = statements(Set.of("elif", "else", "endif"));
            branches.add(new TemplateSyntax.Branch(test, body));
            String end = next().text();
            if (end.equals("elif")) {
                test = tupleOrExpression();
                continue;
            }
            endTag();
            if (end.equals("else")) {
                otherwise = body("endif");
            }
            return new TemplateSyntax.If(line, branches, otherwise);
        }
    }

    private Statement forStatement(int line) {
        List<String> targets = targets();
        expectWord("in");
        // Neither a conditional nor a tuple's comma may swallow what belongs to the loop.
        Expression iterable = or();
        if (peek().is(",")) {
            List<Expression> items = new ArrayList<>(List.of(iterable));
            while (accept(",")) {
                items.add(or());
            }
            iterable = new TemplateSyntax.ListOf(line, items, true);
        }
        Expression filter = accept("if") ? expression() : null;
        if (peek().is("recursive")) {
            throw TemplateException.unsupported(
                    line, "recursive loops; use a macro that calls itself");
        }
        endTag();
        loops++;
        List<Statement> body = statements(Set.of("else", "endfor"));
        loops--;
        boolean hasElse = next().text().equals("else");
        endTag();
        List<Statement> otherwise = hasElse ? body("endfor") : List.of();
        return new TemplateSyntax.For(line, targets, iterable, filter, body, otherwise);
    }

    private List<String> targets() {
        List<String> targets = new ArrayList<>();
        boolean parenthesis = accept("(");
        do {
            if (parenthesis && peek().is(")")) {
                break;
            }
            targets.add(name());
        } while (accept(","));
        if (parenthesis) {
            expectOperator(")");
        }
        return targets;
    }

    private Statement setStatement(int line) {
        List<String> targets = targets();
        if (targets.size() == 1 && accept(".")) {
            String attribute = name();
            expectOperator("=");
            Expression value = tupleOrExpression();
            endTag();
            return new TemplateSyntax.AssignAttribute(line, targets.get(0), attribute, value);
        }
        if (accept("=")) {
            Expression value = tupleOrExpression();
            endTag();
            return new TemplateSyntax.Assign(line, targets, value);
        }
        List<Step> filters = new ArrayList<>();
        while (accept("|")) {
            filters.add(filter());
        }
        endTag();
        if (targets.size() != 1) {
            throw TemplateException.invalid(
                    line, "set without a value takes one name, not %s", targets);
        }
        return new TemplateSyntax.AssignBlock(line, targets.get(0), filters, body("endset"));
    }

    private Statement macroStatement(int line) {
        String name = name();
        expectOperator("(");
        List<TemplateSyntax.Parameter> parameters = new ArrayList<>();
        while (!accept(")")) {
            if (!parameters.isEmpty()) {
                expectOperator(",");
            }
            String parameter = name();
            parameters.add(
                    new TemplateSyntax.Parameter(parameter, accept("=") ? expression() : null));
        }
        endTag();
        int outerLoops = loops;
        loops = 0;
        List<Statement> body = body("endmacro");
        loops = outerLoops;
        return new TemplateSyntax.MacroDefinition(line, name, parameters, body);
    }

    // Expressions, from the loosest to the tightest

    private Expression tupleOrExpression() {
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

    private Expression expression() {
        enter();
        int line = peek().line();
        Expression value = or();
        if (accept("if")) {
            Expression test = or();
            Expression no = accept("else") ? expression() : null;
            value = new TemplateSyntax.Conditional(line, test, value, no);
        }
        depth--;
        return value;
    }

    private Expression or() {
        int line = peek().line();
        List<Expression> operands = new ArrayList<>(List.of(and()));
        while (accept("or")) {
            operands.add(and());
        }
        return operands.size() == 1
                ? operands.get(0)
                : new TemplateSyntax.Logic(line, false, operands);
    }

    private Expression and() {
        int line = peek().line();
        List<Expression> operands = new ArrayList<>(List.of(not()));
        while (accept("and")) {
            operands.add(not());
        }
        return operands.size() == 1
                ? operands.get(0)
                : new TemplateSyntax.Logic(line, true, operands);
    }

    private Expression not() {
        int line = peek().line();
        if (!accept("not")) {
            return comparison();
        }
        enter();
        Expression operand = not();
        depth--;
        return new TemplateSyntax.Not(line, operand);
    }

    private Expression comparison() {
        int line = peek().line();
        Expression first = sum();
        List<String> operators = new ArrayList<>();
        List<Expression> others = new ArrayList<>();
        while (true) {
            Token token = peek();
            String operator;
            if (token.kind() == Kind.OPERATOR
                    && Set.of("==", "!=", "<", "<=", ">", ">=").contains(token.text())) {
                operator = next().text();
            } else if (token.is("in")) {
                operator = next().text();
            } else if (token.is("not") && tokens.get(at + 1).is("in")) {
                next();
                next();
                operator = "not in";
            } else {
                break;
            }
            operators.add(operator);
            others.add(sum());
        }
        return operators.isEmpty()
                ? first
                : new TemplateSyntax.Comparison(line, first, operators, others);
    }

    private Expression sum() {
        int line = peek().line();
        Expression first = concatenation();
        List<String> operators = new ArrayList<>();
        List<Expression> others = new ArrayList<>();
        while (peek().is("+") || peek().is("-")) {
            operators.add(next().text());
            others.add(concatenation());
        }
        return operators.isEmpty()
                ? first
                : new TemplateSyntax.Arithmetic(line, first, operators, others);
    }

    private Expression concatenation() {
        int line = peek().line();
        List<Expression> parts = new ArrayList<>(List.of(product()));
        while (accept("~")) {
            parts.add(product());
        }
        return parts.size() == 1 ? parts.get(0) : new TemplateSyntax.Concatenation(line, parts);
    }

    private Expression product() {
        int line = peek().line();
        Expression first = power();
        List<String> operators = new ArrayList<>();
        List<Expression> others = new ArrayList<>();
        while (peek().is("*") || peek().is("/") || peek().is("//") || peek().is("%")) {
            operators.add(next().text());
            others.add(power());
        }
        return operators.isEmpty()
                ? first
                : new TemplateSyntax.Arithmetic(line, first, operators, others);
    }

    private Expression power() {
        int line = peek().line();
        Expression first = unary(true);
        List<String> operators = new ArrayList<>();
        List<Expression> others = new ArrayList<>();
        while (peek().is("**")) {
            operators.add(next().text());
            others.add(unary(true));
        }
        return operators.isEmpty()
                ? first
                : new TemplateSyntax.Arithmetic(line, first, operators, others);
    }

    /** A sign binds tighter than a filter: {@code -1|abs} is {@code (-1)|abs}. */
    private Expression unary(boolean withFilters) {
        int line = peek().line();
        Expression value;
        if (peek().is("-") || peek().is("+")) {
            boolean negative = next().text().equals("-");
            enter();
            Expression operand = unary(false);
            depth--;
            value = negative ? new TemplateSyntax.Negate(line, operand) : operand;
        } else {
            value = primary();
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
            steps.add(new TemplateSyntax.Test(line, name, negated, testArguments()));
            return true;
        }
        if (accept("(")) {
            steps.add(new TemplateSyntax.Call(line, arguments()));
            return true;
        }
        return false;
    }

    private Step filter() {
        int line = peek().line();
        String name = name();
        Arguments arguments = accept("(") ? arguments() : new Arguments(List.of(), List.of());
        return new TemplateSyntax.Filter(line, name, arguments);
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

    private void enter() {
        if (++depth > DEPTH) {
            throw TemplateException.limit(
                    peek().line(), "tags and expressions nest more than %d deep", DEPTH);
        }
    }

    private Token peek() {
        return tokens.get(at);
    }

    /** The next token; the end is never passed. */
    private Token next() {
        Token token = tokens.get(at);
        if (token.kind() != Kind.END) {
            at++;
        }
        return token;
    }

    private boolean accept(String text) {
        if (peek().is(text)) {
            at++;
            return true;
        }
        return false;
    }

    private String name() {
        Token token = next();
        if (token.kind() != Kind.NAME) {
            throw unexpected(token, "a name");
        }
        return token.text();
    }

    private void expectOperator(String operator) {
        Token token = next();
        if (token.kind() != Kind.OPERATOR || !token.text().equals(operator)) {
            throw unexpected(token, "'" + operator + "'");
        }
    }

    private void expectWord(String word) {
        Token token = next();
        if (token.kind() != Kind.NAME || !token.text().equals(word)) {
            throw unexpected(token, "'" + word + "'");
        }
    }

    private void endTag() {
        expect(Kind.BLOCK_END, "%}");
    }

    private void expect(Kind kind, String text) {
        Token token = next();
        if (token.kind() != kind) {
            throw unexpected(token, "'" + text + "'");
        }
    }

    private static TemplateException unexpected(Token token, @Nullable String expected) {
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
