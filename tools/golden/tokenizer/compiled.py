"""Writes which templates Jinja compiles, and where and why it refuses the others, for ChatTemplateGoldenTest.

    python compiled.py ../../../engine/tokenizers/src/test/resources/dev/flagship/tokenizers

compiled.golden.json.gz: for each source, null if it compiles, else line and message. NAMES are checked to be all of Jinja's own.
"""

import pathlib
import sys

import jinja2
import transformers
from transformers.utils import chat_template_utils

from tiny import write

# Where Jinja looks up a name when it compiles, and where it leaves that to the rendering; F stands for a filter or test that
# does not exist.
PLACES = [
    "{{ x|F }}",
    "a\n{{ x|trim|F }}",
    "{{ x is F }}",
    "\n\n{{ x is not F }}",
    "{{ x is F(1) and y }}",
    "{{ f(a=[1, {'k': x|F}]) }}",
    "{{ x[1|F:] }}",
    "{{ y and x|F }}",  # a constant y is folded, and x|F with it: that is not followed
    "{% if 0 %}{{ x|F }}{% endif %}",
    "{% if 0 %}{% else %}{{ x is F }}{% endif %}",
    "{% if x|F %}{% endif %}",
    "{% if 0 %}{% elif x is F %}{% endif %}",
    "{% if 0 %}{% endif %}{{ x|F }}",
    "{% if 0 %}{% if 0 %}{% endif %}{{ x|F }}{% endif %}",
    "{% if 0 %}{% set a = 1|F %}{% endif %}",
    "{% if 0 %}{% set a.b = 1 is F %}{% endif %}",
    "{{ x|F if 0 }}",
    "{{ x|F if 0 else 1 }}",
    "{{ 1 if x|F else 2 }}",
    "{{ 1 if 1 else x is F }}",
    "{{ (1 if 1 else 2)|F }}",
    "{{ [x|F, 1 if 1 else 2] }}",
    "{{ [1 if 1 else 2, x|F] }}",
    "{{ x is F(1 if 1 else 2) }}",
    "{{ ([1]|F)[0] if 0 }}{{ 1 is F }}",
    "{% for a in [] %}{{ a|F }}{% endfor %}",
    "{% for a in []|F %}{% endfor %}",
    "{% for a in [] if a|F %}{% endfor %}",
    "{% for a in [] %}{% else %}{{ 1|F }}{% endfor %}",
    "{% if 0 %}{% for a in []|F %}{% endfor %}{% endif %}",
    "{% if 0 %}{% for a in [] %}{{ a|F }}{% endfor %}{% endif %}",
    "{% if 0 %}{% for a in [] if a is F %}{% endfor %}{% endif %}",
    "{% if 0 %}{% for a in [] %}{% else %}{{ 1|F }}{% endfor %}{% endif %}",
    "{% for a in [] %}{% if a %}{{ a|F }}{% endif %}{% endfor %}",
    "{% macro f() %}{{ 1|F }}{% endmacro %}",
    "{% macro f(a=1|F) %}{% endmacro %}",
    "{% macro f() %}{% if 0 %}{{ 1|F }}{% endif %}{% endmacro %}",
    "{% if 0 %}{% macro f() %}{{ 1|F }}{% endmacro %}{% endif %}",
    "{% if 0 %}{% macro f(a=1 is F) %}{% endmacro %}{% endif %}",
    "{% if 0 %}{% macro f() %}{% endmacro %}{{ 1|F }}{% endif %}",
    "{% filter F %}x{% endfilter %}",
    "{% filter trim|F %}{{ x|F }}{% endfilter %}",
    "{% if 0 %}{% filter F %}x{% endfilter %}{% endif %}",
    "{% if 0 %}{% filter trim %}{{ x|F }}{% endfilter %}{% endif %}",
    "{% set a | F %}x{% endset %}",
    "{% if 0 %}{% set a | F %}x{% endset %}{% endif %}",
    "{% if 0 %}{% set a %}{{ x|F }}{% endset %}{% endif %}",
    "{% generation %}{{ x|F }}{% endgeneration %}",
    "{% if 0 %}{% generation %}{{ x|F }}{% endgeneration %}{% endif %}",
    "{{ [1]|map('F')|list }}{{ [1]|select('F')|list }}",
    "{% if 'F' is filter %}{{ x|F }}{% endif %}",
    "{{ x|F }}{% if %}",
]

# Blocks that are not closed, or closed by another's end.
BLOCKS = [
    "{% for x in y %}{% endif %}",
    "{% if x %}\n\n{% endfor %}",
    "\n{% if x %}\n{% for a in b %}\n{% endif %}{% endfor %}",
    "{% if x %}{% else %}{% else %}{% endif %}",
    "{% if x %}{% else %}{% elif x %}{% endif %}",
    "{% for x in y %}{% elif x %}{% endfor %}",
    "{% for x in y %}{% else %}{% else %}{% endfor %}",
    "{% for x in y %}{% else %}{% endif %}",
    "{% macro f() %}{% else %}{% endmacro %}",
    "{% set a %}{% endif %}",
    "{% filter trim %}{% endfor %}",
    "{% if x %}{% endraw %}",
    "{% if x %}{% endgeneration %}",
    "{% if x %}{% endcall %}",
    "{% else %}",
    "{% elif x %}",
    "\n{% endif %}",
    "{% endfor %}",
    "{% endset %}",
    "{% endmacro %}",
    "{% endfilter %}",
    "{% endraw %}",
    "{% endcall %}",
    "{% endfoo %}",
    "{% if x %}{% endif %}{% endif %}",
    "{% if x %}a",
    "{% if x %}\n{% for a in b %}\nc\n",
    "{% for a in b %}{% else %}a",
    "{% if x %}{% else %}a",
    "{% macro f() %}",
    "{% set a %}\n",
    "{% filter trim %}",
    "{% 'if' x %}{% endif %}",
]

NAMES = {
    "filters": "abs attr batch capitalize center count d default dictsort e escape filesizeformat first float forceescape format groupby"
    " indent int items join last length list lower map max min pprint random reject rejectattr replace reverse round safe select"
    " selectattr slice sort string striptags sum title tojson trim truncate unique upper urlencode urlize wordcount wordwrap xmlattr",
    "tests": "boolean callable defined divisibleby eq equalto escaped even false filter float ge greaterthan gt in integer iterable le"
    " lessthan lower lt mapping ne none number odd sameas sequence string test true undefined upper",
}


def refusal(source):
    try:
        chat_template_utils._compile_jinja_template(source)
        return None
    except jinja2.TemplateSyntaxError as e:
        return {"line": e.lineno, "message": e.message}


def main(folder):
    environment = jinja2.Environment()
    assert NAMES["filters"].split() == sorted(environment.filters)
    assert NAMES["tests"].split() == sorted(name for name in environment.tests if name.isalpha())
    sources = [s.replace("F", "nosuch") for s in PLACES] + BLOCKS
    # A name that Jinja has is no reason to refuse a template, however little it is used.
    sources += ["{% for a in [] %}{{ a|" + f + " }}{% endfor %}" for f in NAMES["filters"].split()]
    sources += ["{% for a in [] %}{{ a is " + t + " }}{% endfor %}" for t in NAMES["tests"].split()]
    write(
        folder / "compiled.golden.json.gz",
        {
            "generator": f"tools/golden/tokenizer/compiled.py, transformers {transformers.__version__}, jinja2 {jinja2.__version__}",
            "templates": [{"source": s, "refusal": refusal(s)} for s in sources],
        },
    )


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
