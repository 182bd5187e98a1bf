package dev.flagship.tokenizers;

import dev.flagship.tokenizers.TemplateLexer.Kind;
import dev.flagship.tokenizers.TemplateLexer.Token;
import dev.flagship.tokenizers.TemplateSyntax.Expression;
import dev.flagship.tokenizers.TemplateSyntax.Statement;
import dev.flagship.tokenizers.TemplateSyntax.Step;
import java.util.ArrayList;
import java.util.List;

/**
 * Statements of a template, by recursive descent over the expressions of {@link ExpressionParser}.
 */
final class TemplateParser extends ExpressionParser {
    private static final Block WHOLE = new Block("", 0, List.of());

    private int loops;

    /**
     * What statements are read in.
     *
     * @param tag that began it
     * @param ends tags that end this part of it; none: it is the whole template
     */
    private record Block(String tag, int line, List<String> ends) {
        /** How it can go on, for messages. */
        String expected() {
            return String.join(" or ", ends);
        }
    }

    private TemplateParser(List<Token> tokens) {
        super(tokens);
    }

    static List<Statement> parse(String source) {
        TemplateParser parser = new TemplateParser(TemplateLexer.tokens(source));
        List<Statement> statements = parser.statements(WHOLE);
        parser.checkNames();
        return statements;
    }

    // Statements

    /**
     * Statements up to a tag that ends them, which is left to the caller, or to the end of the
     * template.
     */
    private List<Statement> statements(Block block) {
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
                    if (name.kind() != Kind.NAME) {
                        throw unexpected(name, "the name of a tag");
                    }
                    if (block.ends().contains(name.text())) {
                        leave();
                        return statements;
                    }
                    if (ends(name.text())) {
                        throw misplaced(name, block);
                    }
                    statements.add(statement());
                }
                default -> {
                    if (!block.ends().isEmpty()) {
                        throw TemplateException.invalid(
                                token.line(),
                                "the template ends, expected %s: the %s of line %d is still open",
                                block.expected(),
                                block.tag(),
                                block.line());
                    }
                    leave();
                    return statements;
                }
            }
        }
    }

    private static boolean ends(String tag) {
        return tag.equals("else") || tag.equals("elif") || tag.startsWith("end");
    }

    private static TemplateException misplaced(Token end, Block block) {
        String found = TokenizerException.quote(end.text());
        return block.ends().isEmpty()
                ? TemplateException.invalid(
                        end.line(),
                        "found %s, but no block is open; remove it, or open its block before it",
                        found)
                : TemplateException.invalid(
                        end.line(),
                        "found %s, expected %s: the %s of line %d is still open",
                        found,
                        block.expected(),
                        block.tag(),
                        block.line());
    }

    private Statement statement() {
        boolean outer = guarded();
        Statement statement = statement(next());
        guard(outer);
        return statement;
    }

    private Statement statement(Token name) {
        int line = name.line();
        return switch (name.text()) {
            case "if" -> ifStatement(name);
            case "for" -> forStatement(name);
            case "set" -> setStatement(name);
            case "macro" -> macroStatement(name);
            case "generation" -> {
                endTag();
                guard(false);
                yield new TemplateSyntax.Block(line, List.of(), body(name, "endgeneration"));
            }
            case "filter" -> {
                guard(false);
                List<Step> filters = new ArrayList<>();
                filters.add(filter());
                while (accept("|")) {
                    filters.add(filter());
                }
                endTag();
                yield new TemplateSyntax.Block(line, filters, body(name, "endfilter"));
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

    /** What follows a tag, up to its end and with it. */
    private List<Statement> body(Token tag, String end) {
        List<Statement> body = statements(new Block(tag.text(), tag.line(), List.of(end)));
        next();
        endTag();
        return body;
    }

    private Statement ifStatement(Token tag) {
        guard(true);
        var block = new Block(tag.text(), tag.line(), List.of("elif", "else", "endif"));
        List<TemplateSyntax.Branch> branches = new ArrayList<>();
        List<Statement> otherwise = List.of();
        Expression test = tupleOrExpression();
        while (true) {
            endTag();
            List<Statement> body = statements(block);
            branches.add(new TemplateSyntax.Branch(test, body));
            String end = next().text();
            if (end.equals("elif")) {
                test = tupleOrExpression();
                continue;
            }
            endTag();
            if (end.equals("else")) {
                otherwise = body(tag, "endif");
            }
            return new TemplateSyntax.If(tag.line(), branches, otherwise);
        }
    }

    private Statement forStatement(Token tag) {
        int line = tag.line();
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
        guard(false);
        Expression filter = accept("if") ? expression() : null;
        if (peek().is("recursive")) {
            throw TemplateException.unsupported(
                    line, "recursive loops; use a macro that calls itself");
        }
        endTag();
        loops++;
        List<Statement> body = statements(new Block(tag.text(), line, List.of("endfor", "else")));
        loops--;
        boolean hasElse = next().text().equals("else");
        endTag();
        List<Statement> otherwise = hasElse ? body(tag, "endfor") : List.of();
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

    private Statement setStatement(Token tag) {
        int line = tag.line();
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
        guard(false);
        List<Step> filters = new ArrayList<>();
        while (accept("|")) {
            filters.add(filter());
        }
        endTag();
        if (targets.size() != 1) {
            throw TemplateException.invalid(
                    line, "set without a value takes one name, not %s", targets);
        }
        return new TemplateSyntax.AssignBlock(line, targets.get(0), filters, body(tag, "endset"));
    }

    private Statement macroStatement(Token tag) {
        guard(false);
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
        List<Statement> body = body(tag, "endmacro");
        loops = outerLoops;
        return new TemplateSyntax.MacroDefinition(tag.line(), name, parameters, body);
    }
}
