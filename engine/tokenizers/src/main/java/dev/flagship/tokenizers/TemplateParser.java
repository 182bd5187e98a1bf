package dev.flagship.tokenizers;

import dev.flagship.tokenizers.TemplateLexer.Kind;
import dev.flagship.tokenizers.TemplateLexer.Token;
import dev.flagship.tokenizers.TemplateSyntax.Expression;
import dev.flagship.tokenizers.TemplateSyntax.Statement;
import dev.flagship.tokenizers.TemplateSyntax.Step;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Statements of a template, by recursive descent over the expressions of {@link ExpressionParser}.
 */
final class TemplateParser extends ExpressionParser {

    private int loops;

    private TemplateParser(List<Token> tokens) {
        super(tokens);
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
                        leave();
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
                    leave();
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
}
