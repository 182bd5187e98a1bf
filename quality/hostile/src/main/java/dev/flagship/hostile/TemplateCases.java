package dev.flagship.hostile;

import static dev.flagship.hostile.CveClass.*;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Chat templates that reach out, run without end, or make much of little. Some are refused when
 * they are read, the others when they are run.
 */
final class TemplateCases {
    private TemplateCases() {}

    static Stream<HostileCase> all() {
        return Stream.of(escapes(), depths(), bombs(), broken()).flatMap(group -> group);
    }

    private static HostileCase template(String lie, CveClass covers, String source, String words) {
        Map<String, byte[]> files = new LinkedHashMap<>(TinyModel.huggingFace());
        files.put(TinyModel.TEMPLATE, source.getBytes(StandardCharsets.UTF_8));
        return new HostileCase(Format.TEMPLATE, lie, covers, files, "", words);
    }

    private static HostileCase escape(String source) {
        return template(source, TEMPLATE, source, "chat template");
    }

    /** What reaches the interpreter, files or the process in Jinja on Python, or in Java. */
    private static Stream<HostileCase> escapes() {
        return Stream.of(
                escape("{{ ''.__class__.__mro__[1].__subclasses__() }}"),
                escape("{{ messages.__init__.__globals__['os'].system('x') }}"),
                escape("{{ ()|attr('__class__')|attr('__base__') }}"),
                escape("{{ cycler.__init__.__globals__.os.popen('id').read() }}"),
                escape("{{ self.__init__.__globals__ }}"),
                escape("{{ lipsum.__globals__['os'] }}"),
                escape("{{ config.items() }}"),
                escape("{{ ''.getClass().forName('java.lang.Runtime') }}"),
                escape("{{ messages.getClass() }}"),
                escape("{{ '%s'|format(messages.__class__).__class__() }}"),
                escape("{{ 'x'.format.__self__() }}"),
                escape("{% include '/etc/passwd' %}"),
                escape("{% import 'os' as os %}"),
                escape("{% from 'os' import system %}"),
                escape("{% extends 'base' %}"),
                escape("{% do messages.append(1) %}"),
                escape("{% call x() %}{% endcall %}"));
    }

    private static HostileCase deep(String lie, String source) {
        return template(lie, EXPANSION, source, "chat template");
    }

    private static Stream<HostileCase> depths() {
        return Stream.of(
                deep("10,000 brackets", "{{ " + "(".repeat(10_000) + "1"),
                deep("10,000 lists", "{{ " + "[".repeat(10_000)),
                deep("10,000 maps", "{{ " + "{1:".repeat(10_000)),
                deep("50,000 nots", "{{ " + "not ".repeat(50_000) + "1 }}"),
                deep("50,000 minuses", "{{ " + "-".repeat(50_000) + "1 }}"),
                deep("10,000 ifs", "{% if 1 %}".repeat(10_000)),
                deep("10,000 loops", "{% for a in b %}".repeat(10_000)),
                deep("10,000 choices", "{{ " + "1 if 1 else ".repeat(10_000) + "1 }}"),
                deep("10,000 indexes", "{{ x[" + "x[".repeat(10_000)),
                deep("10,000 calls", "{{ f(" + "f(".repeat(10_000)),
                deep("10,000 tests", "{{ 1 is eq" + " [1 is eq".repeat(10_000)),
                deep("source of 300,000 characters", "x".repeat(300_000)));
    }

    private static HostileCase bomb(String lie, String source) {
        return template(lie, EXPANSION, source, "chat template");
    }

    private static Stream<HostileCase> bombs() {
        String begin = "{% set ns = namespace(x=";
        return Stream.of(
                bomb("10^9 rounds", "{% for a in range(1000000000) %}{% endfor %}"),
                bomb(
                        "10^6 rounds in two loops",
                        "{% for a in range(1000) %}{% for b in range(1000) %}{{ '' }}{% endfor %}{% endfor %}"),
                bomb(
                        "text doubled 100 times",
                        begin
                                + "'ab') %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}"),
                bomb(
                        "a list doubled 100 times",
                        begin
                                + "[1]) %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}"),
                bomb(
                        "2^60 lists",
                        begin
                                + "[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}"),
                bomb(
                        "2^60 lists compared",
                        begin
                                + "[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x == ns.x }}"),
                bomb(
                        "lists 20,000 deep",
                        begin
                                + "[1]) %}{% for i in range(20000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}"),
                bomb(
                        "maps 20,000 deep as JSON",
                        begin
                                + "[1]) %}{% for i in range(20000) %}{% set ns.x = {'a': ns.x} %}{% endfor %}{{ ns.x | tojson }}"),
                bomb("a macro of itself", "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}"),
                bomb("10^12 letters", "{{ 'a' * 1000000000000 }}"),
                bomb("10^12 items", "{{ [1] * 1000000000000 }}"),
                bomb("letters replaced by many", "{{ ('a' * 9000)|replace('a', 'b' * 9000) }}"),
                bomb("joined by many", "{{ range(99999)|join('a' * 9000) }}"),
                bomb("2^63 as width", "{{ 'x'|indent(9223372036854775807) }}"),
                bomb("a large width", "{{ 'a\\nb'|indent(100000) }}"),
                bomb("a power", "{{ 9 ** 9 ** 9 ** 9 }}{{ 'a' * 1000000 }}"));
    }

    private static HostileCase wrong(String source, String words) {
        return template(source, MALFORMED, source, words);
    }

    private static Stream<HostileCase> broken() {
        String place = "chat template, line ";
        return Stream.of(
                wrong("{{", place),
                wrong("{{ 'a", place),
                wrong("{% if %}", place),
                wrong("{% endif %}", "line 1: found \"endif\", but no block is open"),
                template(
                        "a loop ended by endif",
                        MALFORMED,
                        "{% for a in x %}\n{% endif %}",
                        "line 2: found \"endif\", expected"),
                template(
                        "a loop without end",
                        MALFORMED,
                        "{% for a in x %}\n{% else %}",
                        "the for of line 1 is still open"),
                template(
                        "an if without end",
                        MALFORMED,
                        "\n{% if x %}{% for a in x %}{% endfor %}",
                        "the if of line 2 is still open"),
                wrong("{{ 1|nosuch }}", "line 1: filter \"nosuch\""),
                wrong("{{ 1 is nosuch }}", "line 1: test \"nosuch\""),
                wrong("{% if 1 %}{{ 1|nosuch }}{% endif %}", "line 1: filter \"nosuch\""),
                wrong("{{ 1 +* 2 }}", place),
                wrong("{% for in x %}{% endfor %}", place),
                wrong("{% set 1 = 2 %}", place),
                template("a zero divide", FAULT, "{{ 1 / 0 }}{{ 1 // 0 }}{{ 1 % 0 }}", place),
                template("an index of 2^63", FAULT, "{{ messages[9223372036854775808] }}", place),
                template("a slice by 0", FAULT, "{{ 'abc'[::0] }}", place),
                template(
                        "least number divided",
                        FAULT,
                        "{{ (-9223372036854775807 - 1) // -1 }}{{ x.y.z }}",
                        place),
                wrong("{{ raise_exception('\\u001b[2J no') }}", "\\u001b[2J no"));
    }
}
