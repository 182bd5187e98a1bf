package dev.flagship.tokenizers;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** The tree of a parsed template. */
final class TemplateSyntax {
    private TemplateSyntax() {}

    /** What computes a value. */
    sealed interface Expression {
        int line();
    }

    record Literal(int line, TemplateValue value) implements Expression {}

    record Name(int line, String name) implements Expression {}

    record ListOf(int line, List<Expression> items, boolean tuple) implements Expression {}

    record DictOf(int line, List<Expression> keys, List<Expression> values) implements Expression {}

    record Conditional(int line, Expression test, Expression yes, @Nullable Expression no)
            implements Expression {}

    /** {@code and} or {@code or} over two or more operands; gives the operand that decides. */
    record Logic(int line, boolean and, List<Expression> operands) implements Expression {}

    record Not(int line, Expression operand) implements Expression {}

    record Negate(int line, Expression operand) implements Expression {}

    record Comparison(int line, Expression first, List<String> operators, List<Expression> others)
            implements Expression {}

    /**
     * Operators of one precedence, from left to right; a list, so that long sums are not deep
     * trees.
     */
    record Arithmetic(int line, Expression first, List<String> operators, List<Expression> others)
            implements Expression {}

    record Concatenation(int line, List<Expression> parts) implements Expression {}

    /**
     * A value followed by attributes, items, calls, filters and tests, applied from left to right.
     */
    record Postfix(int line, Expression base, List<Step> steps) implements Expression {}

    /** One application of a {@link Postfix}. */
    sealed interface Step {
        int line();
    }

    record Attribute(int line, String name) implements Step {}

    record Item(int line, Expression index) implements Step {}

    record Slice(
            int line,
            @Nullable Expression start,
            @Nullable Expression stop,
            @Nullable Expression step)
            implements Step {}

    record Call(int line, Arguments arguments) implements Step {}

    record Filter(int line, String name, Arguments arguments) implements Step {}

    record Test(int line, String name, boolean negated, Arguments arguments) implements Step {}

    record Arguments(List<Expression> positional, List<Named> named) {}

    record Named(String name, Expression value) {}

    /** What writes output or changes variables. */
    sealed interface Statement {}

    record Data(TrustedText text) implements Statement {}

    record Output(int line, Expression value) implements Statement {}

    record For(
            int line,
            List<String> targets,
            Expression iterable,
            @Nullable Expression filter,
            List<Statement> body,
            List<Statement> otherwise)
            implements Statement {}

    record If(int line, List<Branch> branches, List<Statement> otherwise) implements Statement {}

    record Branch(Expression test, List<Statement> body) {}

    record Assign(int line, List<String> targets, Expression value) implements Statement {}

    record AssignAttribute(int line, String target, String attribute, Expression value)
            implements Statement {}

    /** {@code {% set x %}…{% endset %}}, with filters applied to what the body writes. */
    record AssignBlock(int line, String target, List<Step> filters, List<Statement> body)
            implements Statement {}

    /** A body with its own variables, whose output passes through filters. */
    record Block(int line, List<Step> filters, List<Statement> body) implements Statement {}

    record MacroDefinition(int line, String name, List<Parameter> parameters, List<Statement> body)
            implements Statement {}

    record Parameter(String name, @Nullable Expression otherwise) {}

    /** {@code break} or {@code continue}. */
    record LoopControl(int line, boolean ends) implements Statement {}
}
