package dev.flagship.tokenizers;

import dev.flagship.tokenizers.TemplateSyntax.Expression;
import dev.flagship.tokenizers.TemplateSyntax.Statement;
import dev.flagship.tokenizers.TemplateSyntax.Step;
import dev.flagship.tokenizers.TemplateValue.Items;
import dev.flagship.tokenizers.TemplateValue.Mapping;
import dev.flagship.tokenizers.TemplateValue.Text;
import dev.flagship.tokenizers.TemplateValue.Undefined;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Runs one rendering of a parsed template within a {@link TemplateBudget}. */
final class TemplateInterpreter {
    private final TemplateBudget budget;
    private final TemplateOperators operators;
    private final TemplateFilters filters;
    private final TemplateMethods methods;
    private final LocalDateTime now;

    /** How a statement list ended. */
    private enum Flow {
        ON,
        BREAK,
        CONTINUE
    }

    TemplateInterpreter(TemplateBudget budget, LocalDateTime now) {
        this.budget = budget;
        this.now = now;
        this.operators = new TemplateOperators(budget);
        TextMethods texts = new TextMethods(operators, budget);
        this.methods = new TemplateMethods(operators, texts, budget);
        this.filters = new TemplateFilters(operators, methods, texts, budget);
    }

    TrustedText render(List<Statement> statements, Map<String, TemplateValue> variables) {
        TemplateScope globals = new TemplateScope(null);
        globals.set("range", TemplateObject.Function.RANGE);
        globals.set("dict", TemplateObject.Function.DICT);
        globals.set("namespace", TemplateObject.Function.NAMESPACE);
        globals.set("raise_exception", TemplateObject.Function.RAISE_EXCEPTION);
        globals.set("strftime_now", TemplateObject.Function.STRFTIME_NOW);
        TemplateScope scope = new TemplateScope(globals);
        variables.forEach(scope::set);
        TrustedText.Builder out = new TrustedText.Builder();
        run(statements, scope, out);
        return out.build();
    }

    // Statements

    private Flow run(List<Statement> statements, TemplateScope scope, TrustedText.Builder out) {
        budget.enter(0);
        Flow flow = Flow.ON;
        for (int i = 0; i < statements.size() && flow == Flow.ON; i++) {
            flow = run(statements.get(i), scope, out);
        }
        budget.leave();
        return flow;
    }

    private Flow run(Statement statement, TemplateScope scope, TrustedText.Builder out) {
        switch (statement) {
            case TemplateSyntax.Data data -> write(data.text(), out, 0);
            case TemplateSyntax.Output output ->
                    write(string(value(output.value(), scope), output.line()), out, output.line());
            case TemplateSyntax.If choice -> {
                for (TemplateSyntax.Branch branch : choice.branches()) {
                    if (TemplateOperators.truth(value(branch.test(), scope))) {
                        return run(branch.body(), scope, out);
                    }
                }
                return run(choice.otherwise(), scope, out);
            }
            case TemplateSyntax.For loop -> {
                return loop(loop, scope, out);
            }
            case TemplateSyntax.Assign assign ->
                    bind(assign.targets(), value(assign.value(), scope), scope, assign.line());
            case TemplateSyntax.AssignAttribute assign -> {
                if (!(scope.get(assign.target()) instanceof TemplateObject.Namespace namespace)) {
                    throw TemplateException.invalid(
                            assign.line(),
                            "'%s' is not a namespace, so its attributes cannot be set",
                            assign.target());
                }
                namespace.attributes().put(assign.attribute(), value(assign.value(), scope));
            }
            case TemplateSyntax.AssignBlock assign ->
                    scope.set(assign.target(), block(assign.body(), assign.filters(), scope));
            case TemplateSyntax.Block block ->
                    write(
                            string(block(block.body(), block.filters(), scope), block.line()),
                            out,
                            block.line());
            case TemplateSyntax.MacroDefinition macro ->
                    scope.set(macro.name(), new TemplateObject.Macro(macro, scope));
            case TemplateSyntax.LoopControl control -> {
                budget.step(control.line());
                return control.ends() ? Flow.BREAK : Flow.CONTINUE;
            }
        }
        return Flow.ON;
    }

    private void write(TrustedText text, TrustedText.Builder out, int line) {
        budget.text(text, line);
        budget.fits((long) out.length() + text.length(), line);
        out.append(text);
    }

    private TemplateValue block(List<Statement> body, List<Step> filters, TemplateScope scope) {
        TrustedText.Builder inner = new TrustedText.Builder();
        TemplateScope innerScope = new TemplateScope(scope);
        run(body, innerScope, inner);
        TemplateValue value = new Text(inner.build());
        for (Step filter : filters) {
            value = apply(value, filter, scope);
        }
        return value;
    }

    private Flow loop(TemplateSyntax.For loop, TemplateScope scope, TrustedText.Builder out) {
        int line = loop.line();
        List<TemplateValue> items = operators.elements(value(loop.iterable(), scope), line);
        Expression filter = loop.filter();
        if (filter != null) {
            List<TemplateValue> kept = new ArrayList<>();
            for (TemplateValue item : items) {
                TemplateScope round = new TemplateScope(scope);
                bind(loop.targets(), item, round, line);
                if (TemplateOperators.truth(value(filter, round))) {
                    kept.add(item);
                }
            }
            items = kept;
        }
        boolean completed = false;
        for (int i = 0; i < items.size(); i++) {
            budget.step(line);
            TemplateScope round = new TemplateScope(scope);
            round.set("loop", new TemplateObject.Loop(items, i));
            bind(loop.targets(), items.get(i), round, line);
            Flow flow = run(loop.body(), round, out);
            completed |= flow == Flow.ON;
            if (flow == Flow.BREAK) {
                break;
            }
        }
        // Jinja runs the else branch unless a round reached its end, even if rounds were cut short.
        return completed ? Flow.ON : run(loop.otherwise(), new TemplateScope(scope), out);
    }

    private void bind(List<String> targets, TemplateValue value, TemplateScope scope, int line) {
        if (targets.size() == 1) {
            scope.set(targets.get(0), value);
            return;
        }
        List<TemplateValue> parts = operators.elements(value, line);
        if (parts.size() != targets.size()) {
            throw TemplateException.invalid(
                    line, "%d values for the %d names %s", parts.size(), targets.size(), targets);
        }
        for (int i = 0; i < parts.size(); i++) {
            scope.set(targets.get(i), parts.get(i));
        }
    }

    // Expressions

    private TemplateValue value(Expression expression, TemplateScope scope) {
        budget.step(expression.line());
        budget.enter(expression.line());
        TemplateValue value = evaluate(expression, scope);
        budget.leave();
        return value;
    }

    private TemplateValue evaluate(Expression expression, TemplateScope scope) {
        return switch (expression) {
            case TemplateSyntax.Literal literal -> literal.value();
            case TemplateSyntax.Name name -> scope.get(name.name());
            case TemplateSyntax.ListOf list -> {
                List<TemplateValue> items = new ArrayList<>(list.items().size());
                for (Expression item : list.items()) {
                    items.add(value(item, scope));
                }
                yield new Items(List.copyOf(items), list.tuple());
            }
            case TemplateSyntax.DictOf dict -> dictionary(dict, scope);
            case TemplateSyntax.Conditional choice -> {
                if (TemplateOperators.truth(value(choice.test(), scope))) {
                    yield value(choice.yes(), scope);
                }
                Expression no = choice.no();
                yield no == null ? new Undefined("inline if without else") : value(no, scope);
            }
            case TemplateSyntax.Logic logic -> {
                TemplateValue last = TemplateValue.none();
                for (Expression operand : logic.operands()) {
                    last = value(operand, scope);
                    if (TemplateOperators.truth(last) != logic.and()) {
                        break;
                    }
                }
                yield last;
            }
            case TemplateSyntax.Not not ->
                    TemplateValue.of(!TemplateOperators.truth(value(not.operand(), scope)));
            case TemplateSyntax.Negate negate ->
                    operators.arithmetic(
                            "-",
                            TemplateValue.of(0),
                            value(negate.operand(), scope),
                            negate.line());
            case TemplateSyntax.Comparison comparison ->
                    TemplateValue.of(comparison(comparison, scope));
            case TemplateSyntax.Arithmetic arithmetic -> arithmetic(arithmetic, scope);
            case TemplateSyntax.Concatenation concatenation -> {
                List<TrustedText> parts = new ArrayList<>();
                for (Expression part : concatenation.parts()) {
                    parts.add(string(value(part, scope), part.line()));
                }
                yield operators.join(parts, concatenation.line());
            }
            case TemplateSyntax.Postfix postfix -> {
                TemplateValue value = value(postfix.base(), scope);
                for (Step step : postfix.steps()) {
                    value = apply(value, step, scope);
                }
                yield value;
            }
        };
    }

    private TrustedText string(TemplateValue value, int line) {
        return methods.string(value, line);
    }

    private TemplateValue dictionary(TemplateSyntax.DictOf dict, TemplateScope scope) {
        Map<String, TemplateValue> entries = new LinkedHashMap<>();
        boolean trusted = true;
        for (int i = 0; i < dict.keys().size(); i++) {
            if (!(value(dict.keys().get(i), scope) instanceof Text key)) {
                throw TemplateException.unsupported(
                        dict.line(), "a dictionary whose keys are not str");
            }
            trusted &= key.content().trusted();
            entries.put(key.string(), value(dict.values().get(i), scope));
        }
        return new Mapping(entries, trusted);
    }

    private boolean comparison(TemplateSyntax.Comparison comparison, TemplateScope scope) {
        TemplateValue left = value(comparison.first(), scope);
        for (int i = 0; i < comparison.operators().size(); i++) {
            TemplateValue right = value(comparison.others().get(i), scope);
            if (!operators.compare(comparison.operators().get(i), left, right, comparison.line())) {
                return false;
            }
            left = right;
        }
        return true;
    }

    private TemplateValue arithmetic(TemplateSyntax.Arithmetic arithmetic, TemplateScope scope) {
        int line = arithmetic.line();
        TemplateValue left = value(arithmetic.first(), scope);
        // Texts of a sum are joined at its end: one after the other, each is copied for every sum.
        List<TrustedText> texts = new ArrayList<>();
        for (int i = 0; i < arithmetic.operators().size(); i++) {
            String operator = arithmetic.operators().get(i);
            TemplateValue right = value(arithmetic.others().get(i), scope);
            if (operator.equals("+") && left instanceof Text a && right instanceof Text b) {
                if (texts.isEmpty()) {
                    texts.add(a.content());
                }
                texts.add(b.content());
            } else {
                left = operators.arithmetic(operator, joined(left, texts, line), right, line);
                texts.clear();
            }
        }
        return joined(left, texts, line);
    }

    /** The sum so far, of which texts are not joined yet. */
    private TemplateValue joined(TemplateValue sum, List<TrustedText> texts, int line) {
        return texts.isEmpty() ? sum : operators.join(texts, line);
    }

    private TemplateValue apply(TemplateValue value, Step step, TemplateScope scope) {
        budget.step(step.line());
        return switch (step) {
            case TemplateSyntax.Attribute attribute ->
                    methods.attribute(value, attribute.name(), attribute.line());
            case TemplateSyntax.Item item ->
                    methods.item(value, value(item.index(), scope), item.line());
            case TemplateSyntax.Slice slice ->
                    methods.slice(
                            value,
                            bound(slice.start(), scope),
                            bound(slice.stop(), scope),
                            bound(slice.step(), scope),
                            slice.line());
            case TemplateSyntax.Call call -> {
                String what =
                        value instanceof TemplateObject object
                                ? object.description()
                                : TemplateOperators.type(value);
                yield call(value, arguments(what, call.line(), call.arguments(), scope));
            }
            case TemplateSyntax.Filter filter ->
                    filters.apply(
                            filter.name(),
                            value,
                            arguments(
                                    "filter " + filter.name(),
                                    filter.line(),
                                    filter.arguments(),
                                    scope));
            case TemplateSyntax.Test test -> {
                CallArguments arguments =
                        arguments("test " + test.name(), test.line(), test.arguments(), scope);
                yield TemplateValue.of(
                        filters.test(test.name(), value, arguments) != test.negated());
            }
        };
    }

    private @Nullable Long bound(@Nullable Expression expression, TemplateScope scope) {
        if (expression == null) {
            return null;
        }
        return switch (value(expression, scope)) {
            case TemplateValue.None none -> null;
            case TemplateValue.Int whole -> whole.value();
            case TemplateValue other ->
                    throw TemplateException.invalid(
                            expression.line(),
                            "a slice needs int, not %s",
                            TemplateOperators.type(other));
        };
    }

    private CallArguments arguments(
            String what, int line, TemplateSyntax.Arguments arguments, TemplateScope scope) {
        List<TemplateValue> positional = new ArrayList<>(arguments.positional().size());
        for (Expression argument : arguments.positional()) {
            positional.add(value(argument, scope));
        }
        Map<String, TemplateValue> named = new LinkedHashMap<>();
        for (TemplateSyntax.Named argument : arguments.named()) {
            named.put(argument.name(), value(argument.value(), scope));
        }
        return new CallArguments(what, line, positional, named);
    }

    // Calls

    private TemplateValue call(TemplateValue callee, CallArguments arguments) {
        int line = arguments.line();
        return switch (callee) {
            case TemplateObject.Macro macro -> callMacro(macro, arguments);
            case TemplateObject.Method method -> methods.call(method, arguments);
            case TemplateObject.Function function -> callFunction(function, arguments);
            case Undefined undefined -> throw TemplateOperators.undefined(undefined, line);
            case TemplateValue other ->
                    throw TemplateException.invalid(
                            line, "%s cannot be called", TemplateOperators.type(other));
        };
    }

    private TemplateValue callFunction(TemplateObject.Function function, CallArguments arguments) {
        int line = arguments.line();
        return switch (function) {
            case RANGE -> range(arguments.allow("start", "stop", "step"));
            case DICT -> {
                if (!arguments.positional().isEmpty()) {
                    throw TemplateException.unsupported(
                            line, "dict() of a value; name its entries");
                }
                yield new Mapping(arguments.named(), true);
            }
            case NAMESPACE -> {
                TemplateObject.Namespace namespace = new TemplateObject.Namespace();
                for (TemplateValue value : arguments.positional()) {
                    if (!(value instanceof Mapping mapping)) {
                        throw TemplateException.invalid(
                                line,
                                "namespace() takes dict, not %s",
                                TemplateOperators.type(value));
                    }
                    namespace.attributes().putAll(mapping.entries());
                }
                namespace.attributes().putAll(arguments.named());
                yield namespace;
            }
            case RAISE_EXCEPTION ->
                    throw TemplateException.refused(
                            string(arguments.allow("message").required(0, "message"), line).text());
            case STRFTIME_NOW ->
                    new Text(
                            TrustedText.trusted(
                                    Strftime.format(
                                            arguments.allow("format").text(0, "format").text(),
                                            now,
                                            line)));
        };
    }

    private TemplateValue range(CallArguments arguments) {
        boolean single = arguments.positional().size() == 1;
        long start = single ? 0 : arguments.whole(0, "start", 0);
        long stop = arguments.whole(single ? 0 : 1, "stop", 0);
        long step = single ? 1 : arguments.whole(2, "step", 1);
        if (step == 0) {
            throw TemplateException.invalid(arguments.line(), "range() with step 0");
        }
        List<TemplateValue> numbers = new ArrayList<>();
        for (long i = start; step > 0 ? i < stop : i > stop; i += step) {
            budget.step(arguments.line());
            numbers.add(TemplateValue.of(i));
        }
        return new Items(List.copyOf(numbers), false);
    }

    private TemplateValue callMacro(TemplateObject.Macro macro, CallArguments arguments) {
        int line = arguments.line();
        List<TemplateSyntax.Parameter> parameters = macro.definition().parameters();
        arguments.allow(
                parameters.stream().map(TemplateSyntax.Parameter::name).toArray(String[]::new));
        budget.enterCall(line);
        TemplateScope scope = new TemplateScope(macro.scope());
        for (int i = 0; i < parameters.size(); i++) {
            String name = parameters.get(i).name();
            TemplateValue given = arguments.find(i, name);
            Expression otherwise = parameters.get(i).otherwise();
            if (given == null) {
                given = otherwise == null ? new Undefined(name) : value(otherwise, scope);
            }
            scope.set(name, given);
        }
        TrustedText.Builder out = new TrustedText.Builder();
        run(macro.definition().body(), scope, out);
        budget.leaveCall();
        return new Text(out.build());
    }
}
