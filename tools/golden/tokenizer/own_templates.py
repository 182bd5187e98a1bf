"""Small templates of our own that use what published ones use, and single expressions whose output Jinja decides."""

TEMPLATES = [
    # ChatML with trim_blocks and lstrip_blocks at work
    """{% for m in messages %}
    {% if loop.first and m.role != 'system' %}
{{ '<|im_start|>system\\nDefault<|im_end|>' }}
    {% endif %}
  {{- '<|im_start|>' ~ m.role ~ '\\n' ~ m['content'] | trim ~ '<|im_end|>\\n' }}
{% endfor %}
{% if add_generation_prompt %}
    <|im_start|>assistant
{% endif %}
""",
    # macros, namespaces, break, continue, nested loops
    """{%- macro turn(role, text='none', mark="*") -%}
[{{ role|upper }}{{ mark }}] {{ text }}
{% endmacro -%}
{%- set ns = namespace(n=0, last='') -%}
{%- for m in messages -%}
  {%- if m.role == 'system' -%}{%- continue -%}{%- endif -%}
  {%- set ns.n = ns.n + 1 -%}
  {%- if ns.n > 3 -%}{%- break -%}{%- endif -%}
  {%- set ns.last = m.content -%}
{{ turn(m.role, m.content|string, mark='#' if loop.last else '.') }}
{%- else -%}
nothing
{%- endfor %}
{{ turn('end') }}{{ ns.n }}/{{ messages|length }}/{{ ns.last }}
{%- for m in messages if m.role == 'user' %}
 {{ loop.index }}:{{ loop.revindex0 }}:{{ loop.length }}:{{ loop.cycle('a', 'b') }}:{{ loop.previtem.content if loop.previtem is defined else '-' }}
{%- for c in m.content[:3] %}({{ c }}{{ loop.last }}{{ loop.depth }}){% endfor %}
{%- endfor %}
""",
    # set blocks, filter blocks, generation, raw, comments, white-space signs
    """{# a comment
over lines #}
{% set block %}
  <{{ bos_token }}>
  {% endset %}
[{{ block }}]
{% set shouted | upper | trim %} loud {{ eos_token }} {% endset %}[{{ shouted }}]
{% filter trim %}   inner   {% endfilter %}|
{% generation %}{% set hidden = 1 %}made {{ hidden }}{% endgeneration %}[{{ hidden }}]
{% raw %}{{ not }} {% this %}{% endraw %}
{%+ if true %} kept {%+ endif %}
   {%- if true -%}   tight   {%- endif -%}
   end
  {% if false %}x{% elif messages|length > 2 %}many{% else %}few{% endif +%}
tail

""",
    # tools as JSON, selections
    """{%- if tools -%}
{%- for tool in tools -%}
{{ tool | tojson }}
{{ tool.function | tojson(indent=2) }}
{% for key, val in tool.function.parameters.properties.items() -%}
{{ key }}={{ val.type }}{{ ',' if not loop.last }}
{%- endfor -%}
{% for key, val in tool.function|items if val is string %}
{{ key }}: {{ val }};
{%- endfor %}
{%- endfor -%}
{{ tools[0].function.parameters }}
{%- endif -%}
{%- set users = messages | selectattr('role', 'equalto', 'user') | list -%}
{{ users | map(attribute='content') | join('|') }}
{{ messages | rejectattr('role', 'eq', 'user') | map(attribute='role') | unique | join(',') }}
{{ messages | map(attribute='role') | list }}
{%- if messages and messages[-1].role == 'user' and messages[-1]['content'] is string %} last {{ messages[-1].content.split('\\n')[0] }}{% endif %}
{%- for m in messages[1:][::-1] %}{{ m.role[0] }}{% endfor -%}
""",
    # refusals by parity, a flag that is false or a text, line breaks inside literals, one name set anew in each round
    """{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set lead = messages[0]['content'] %}{% else %}{% set rest = messages %}{% set lead = false %}{% endif %}
{{- bos_token }}{% for m in rest %}{% if (m['role'] == 'assistant') != (loop.index0 % 2 == 1) %}{{ raise_exception('turn ' ~ loop.index0 ~ ' is of the wrong role') }}{% endif %}
{%- if loop.index0 == 0 and lead != false %}{% set body = '{' + lead + '}\n\n' + m['content'] %}{% else %}{% set body = m['content'] %}{% endif %}
{%- if m['role'] == 'user' %}{{ 'Q:
' + body.strip() + '
' }}{% elif m['role'] == 'assistant' %}{{ 'A: ' + body | trim + eos_token }}{% else %}{{ raise_exception('no place for ' + m['role']) }}{% endif %}{% endfor %}
{%- if add_generation_prompt %}{{ 'A:' }}{% endif %}
""",
    # defaults for what is not passed, names of the caller set anew, tools as indented JSON, calls and results of tools
    """{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "never" %}
    {%- endif %}
{%- endif %}
{%- if not own_tools is defined %}
    {%- set own_tools = none %}
{%- endif %}
{#- the first message may be the system's -#}
{%- if messages[0]['role'] == 'system' %}
    {%- set lead = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set lead = "" %}
{%- endif %}
{{- bos_token + "On " + date_string + ". " + lead + "\n" }}
{%- if builtin_tools is defined %}
    {{- "Builtin: " + builtin_tools | reject('equalto', 'code_interpreter') | join(", ") + "\n" }}
{%- endif %}
{%- if tools is not none and not own_tools and not tools is none %}
    {%- if messages | length != 0 %}
        {%- set first = messages[0]['content']|trim %}
        {%- set messages = messages[1:] %}
    {%- else %}
        {{- raise_exception("tools want a message") }}
    {%- endif %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\n" }}
    {%- endfor %}
    {{- first + "\n" }}
{%- endif %}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '[' + message['role'] + ']' + message['content'] | trim + '\n' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("one call at a time") }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {%- if builtin_tools is defined and call.name in builtin_tools %}
            {{- call.name + "(" }}
            {%- for key, val in call.arguments | items %}
                {{- key + '="' + val + '"' }}
                {%- if not loop.last %}
                    {{- ", " }}
                {%- endif %}
            {%- endfor %}
            {{- ")" }}
        {%- else  %}
            {{- '{"call": "' + call.name + '", "with": ' }}
            {{- call.arguments | tojson }}
            {{- "}" }}
        {%- endif %}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
""",
    # equal messages, a loop's name set anew, a filtered loop over a dictionary, a dictionary made for JSON, tabs
    """{%- set asked = messages | selectattr('role', 'equalto', 'user') | list %}
{%- for message in messages %}
	{%- if message['role'] == 'user' and tools and (message == asked[-1]) %}
		{%- for tool in tools %}
		{%- set tool = tool.function %}
		{{- '{' }}
		{%- for key, val in tool|items if key != "description" %}
			{%- if val is string %}
				{{- '"' + key + '": "' + val + '"' }}
			{%- else %}
				{{- '"' + key + '": ' + val|tojson }}
			{%- endif %}
			{%- if not loop.last %}
				{{- ", " }}
			{%- endif %}
		{%- endfor %}
		{{- '}' if loop.last else '},' }}
		{%- endfor %}
	{%- elif message.tool_calls is defined and message.tool_calls|length > 0 %}
		{%- for call in message.tool_calls %}
			{{- {"id": call.id, "name": call.function.name, "with": call.function.arguments}|tojson }}
		{%- endfor %}
		{{- eos_token }}
	{%- elif message['role'] == 'tool' %}
		{{- '"' + message.tool_call_id + '": ' + message.content|string }}
	{%- elif message.content is defined %}
		{{- ' ' + message.content + ' ' + eos_token}}
	{%- endif %}
	{{- '|' if not loop.last }}
{%- endfor %}
""",
]

def llama31(date, environment, calls):
    """Llama 3.1's and 3.2's layout: they differ in where the date comes from and in how a call is written."""
    return (
        """{%- set lead = '' -%}
{%- set turns = messages -%}
{%- if messages and messages[0].role == 'system' -%}
  {%- set lead = messages[0].content | trim -%}
  {%- set turns = messages[1:] -%}
{%- endif -%}
{%- set listed = custom_tools if custom_tools is defined else tools -%}
{%- set inside = tools_in_user_message is not defined or tools_in_user_message -%}
{%- macro head(role) -%}
<|start_header_id|>{{ role }}<|end_header_id|>{{ '\\n\\n' }}
{%- endmacro -%}
{%- macro functions() -%}
  {{- 'Functions that may be called, with {"name": ..., "parameters": {...}}:\\n\\n' -}}
  {%- for tool in listed -%}{{ tool | tojson(indent=4) ~ '\\n\\n' }}{%- endfor -%}
{%- endmacro -%}
{{- bos_token ~ head('system') -}}
"""
        + environment
        + """
{{- 'Cutting Knowledge Date: December 2023\\nToday Date: ' ~ """
        + date
        + """ ~ '\\n\\n' -}}
{%- if listed and not inside -%}{{ functions() }}{%- endif -%}
{{- lead ~ '<|eot_id|>' -}}
{%- for turn in turns -%}
  {%- if turn.role in ['tool', 'ipython'] -%}
    {{- head('ipython') ~ (turn.content if turn.content is string else turn.content | tojson) ~ '<|eot_id|>' -}}
  {%- elif turn.tool_calls -%}
    {%- if turn.tool_calls | length > 1 -%}{{ raise_exception('one call in a turn, not ' ~ turn.tool_calls | length) }}{%- endif -%}
    {%- set call = turn.tool_calls[0]['function'] -%}
    {{- head('assistant') -}}
"""
        + calls
        + """
  {%- else -%}
    {{- head(turn.role) -}}
    {%- if loop.first and listed and inside -%}{{ functions() }}{%- endif -%}
    {{- turn.content.strip() ~ '<|eot_id|>' -}}
  {%- endif -%}
{%- else -%}
  {%- if listed and inside -%}{{ raise_exception('functions need a message') }}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ head('assistant') }}{%- endif -%}
"""
    )


PLAIN_CALL = """    {{- '{"name": "' ~ call.name ~ '", "parameters": ' ~ call.arguments | tojson ~ '}<|eot_id|>' -}}"""
LLAMA3 = {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}
LLAMA2 = {"bos_token": "<s>", "eos_token": "</s>"}

# The layouts of the published models, each in our own words and with constructs of its own.
STYLES = {
    "llama2": LLAMA2
    | {
        "source": """{%- set system = namespace(text='') -%}
{%- for turn in messages -%}
  {%- if turn.role == 'system' and loop.first -%}
    {%- set system.text = '<<SYS>>\\n' ~ turn.content ~ '\\n<</SYS>>\\n\\n' -%}
    {%- continue -%}
  {%- endif -%}
  {%- set place = loop.index0 - (1 if system.text else 0) -%}
  {%- if (turn.role == 'user') != (place is even) -%}
    {{- raise_exception('turn ' ~ place ~ ' is of the ' ~ turn.role ~ ', but users and assistants take turns') -}}
  {%- endif -%}
  {%- if turn.role == 'user' -%}
    {{- bos_token ~ '[INST] ' ~ ((system.text if place == 0 else '') ~ turn.content) | trim ~ ' [/INST]' -}}
  {%- elif turn.role == 'assistant' -%}
    {{- [' ', turn.content | trim, ' ', eos_token] | join -}}
  {%- else -%}
    {{- raise_exception('a turn of the ' ~ turn.role) -}}
  {%- endif -%}
{%- endfor -%}
"""
    },
    "llama3": LLAMA3
    | {
        "source": """{%- for turn in messages -%}
{{ bos_token if loop.first }}<|start_header_id|>{{ turn['role'] }}<|end_header_id|>

{{ turn['content'] | trim }}<|eot_id|>
{%- endfor -%}
{%- if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>

{% endif -%}
"""
    },
    "llama3.1": LLAMA3
    | {
        "source": llama31(
            "(date_string if date_string is defined else '26 Jul 2024')",
            """{%- if builtin_tools is defined or listed -%}{{ 'Environment: ipython\\n' }}{%- endif -%}
{%- if builtin_tools is defined -%}
  {{- 'Tools: ' ~ builtin_tools | reject('equalto', 'code_interpreter') | join(', ') ~ '\\n\\n' -}}
{%- endif -%}""",
            """    {%- if builtin_tools is defined and call.name in builtin_tools -%}
      {{- '<|python_tag|>' ~ call.name ~ '.call(' -}}
      {%- for name, value in call.arguments | items -%}{{ name ~ '="' ~ value ~ '"' ~ (', ' if not loop.last else '') }}{%- endfor -%}
      {{- ')<|eom_id|>' -}}
    {%- else -%}
"""
            + PLAIN_CALL
            + """
    {%- endif -%}""",
        )
    },
    "llama3.2": LLAMA3
    | {
        "source": llama31(
            "(date_string if date_string is defined else strftime_now('%d %b %Y'))",
            "{{- 'Environment: ipython\\n' if listed else '' -}}",
            PLAIN_CALL,
        )
    },
    "zephyr": LLAMA2
    | {
        "source": """{% for turn in messages %}
    {% if turn.role in ('user', 'system', 'assistant') %}
<|{{ turn.role }}|>
{{ turn.content ~ eos_token }}
    {% endif %}
    {% if loop.last and add_generation_prompt %}
<|assistant|>
    {% endif %}
{% endfor %}
"""
    },
    "mistral": LLAMA2
    | {
        "source": """{{ bos_token }}
{%- for turn in messages -%}
  {%- if loop.index0 is odd and turn.role != 'assistant' or loop.index0 is even and turn.role != 'user' -%}
    {{- raise_exception('users and assistants take turns') -}}
  {%- endif -%}
  {{- '[INST] ' ~ turn.content ~ ' [/INST]' if turn.role == 'user' else turn.content ~ eos_token ~ ' ' -}}
{%- endfor -%}
"""
    },
    "mistral-tools": LLAMA2
    | {
        "source": """{%- set last = (messages | selectattr('role', 'eq', 'user') | list | last) -%}
{{- bos_token -}}
{%- for turn in messages -%}
  {%- if turn.role == 'user' -%}
    {%- if tools and turn == last -%}{{ ' [AVAILABLE_TOOLS] ' ~ tools | tojson ~ ' [/AVAILABLE_TOOLS]' }}{%- endif -%}
    {{- ' [INST] ' ~ turn.content ~ ' [/INST]' -}}
  {%- elif turn.tool_calls is defined -%}
    {%- set calls = namespace(all=[]) -%}
    {%- for call in turn.tool_calls -%}
      {%- set calls.all = calls.all + [{'name': call.function.name, 'arguments': call.function.arguments, 'id': call.id}] -%}
    {%- endfor -%}
    {{- ' [TOOL_CALLS] ' ~ calls.all | tojson ~ ' ' ~ eos_token -}}
  {%- elif turn.role == 'assistant' -%}
    {{- ' ' ~ turn.content ~ ' ' ~ eos_token -}}
  {%- elif turn.role == 'tool' -%}
    {{- ' [TOOL_RESULTS] {"call_id": "' ~ turn.tool_call_id ~ '", "content": ' ~ turn.content ~ '} [/TOOL_RESULTS] ' -}}
  {%- endif -%}
{%- endfor -%}
"""
    },
    "chatml": {
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "source": """{%- if messages and messages[0].role != 'system' -%}
{%- set messages = [{'role': 'system', 'content': 'You are a helpful AI assistant named SmolLM, trained by Hugging Face'}] + messages -%}
{%- endif -%}
{%- for turn in messages -%}
{{ '<|im_start|>' ~ [turn.role, turn.content] | join('\\n') ~ '<|im_end|>\\n' }}
{%- endfor -%}
{{ '<|im_start|>assistant\\n' if add_generation_prompt }}""",
    },
}

EXPRESSIONS = [
    "{{ 1 + 2 * 3 ** 2 // 4 % 5 - 6 / 4 }}",
    "{{ -7 // 2 }} {{ -7 % 3 }} {{ 7.5 // 2 }} {{ 2 ** 10 }} {{ 10 / 5 }} {{ 1e16 }} {{ 1.5e-7 }} {{ 0.1 + 0.2 }} {{ 1e22 }} {{ 123456789.0 }} {{ 0.0001 }} {{ 0.00001 }}",
    "{{ 'a' ~ 1 ~ none ~ true ~ 1.0 }} {{ 'ab' * 3 }} {{ [1, 2] + [3] }} {{ (1,) + (2, 'x') }}",
    "{{ [1, 'a', none, true, 1.5, {'k': 'v'}, ('t',)] }}",
    "{{ \"it's\" }} {{ [\"it's\", 'say \"x\"', 'both \\' \"', 'new\\nline', 'tab\\t', 'back\\\\', 'é\\x07\\u200b😀'] }}",
    "{{ 'x' in 'xyz' }} {{ 'k' in {'k': 1} }} {{ 3 not in [1, 2] }} {{ 1 < 2 < 3 }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' < 'b' }} {{ [1,2] == [1,2] }} {{ (1,) == [1] }}",
    "{{ none or 'x' }} {{ 0 or '' or 'y' }} {{ 1 and 2 }} {{ not none }} {{ not 'a' == 'b' }}",
    "{{ undefined_thing }}|{{ undefined_thing is defined }}|{{ undefined_thing or 'd' }}|{{ undefined_thing | default('dd') }}|{{ '' | default('e', true) }}|{{ undefined_thing | length }}|{{ undefined_thing is none }}",
    "{{ messages[0].nothing is defined }} {{ messages[0]['nothing'] }} {{ messages[99] is defined }} {{ none.x is defined }}",
    "{{ 'hello'[1:3] }} {{ 'hello'[-3:] }} {{ 'hello'[::-1] }} {{ 'hello'[::2] }} {{ 'hello'[10:] }} {{ 'h😀llo'[1] }} {{ 'h😀llo'|length }} {{ [1,2,3,4][1:-1] }} {{ 'abc'[-1] }}",
    "{{ '  x '.strip() }}|{{ ' x '.lstrip() }}|{{ ' x '.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'a,b,c'.split(',') }}|{{ ' a  b '.split() }}|{{ 'a b c'.split(' ', 1) }}|{{ 'a.b.c'.rsplit('.', 1) }}|{{ 'a\\nb\\r\\nc'.splitlines() }}",
    "{{ 'hello'.startswith('he') }} {{ 'hello'.endswith(('x', 'lo')) }} {{ 'hello'.upper() }} {{ 'HeLLo wörld'.title() }} {{ 'hELLO x'.capitalize() }} {{ 'aaa'.replace('a', 'b', 2) }} {{ 'hello'.find('l') }} {{ 'hello'.count('l') }} {{ ','.join(['a', 'b']) }} {{ 'hello'.removeprefix('he') }}",
    "{{ '12'.isdigit() }} {{ 'ab1'.isalnum() }} {{ ' '.isspace() }} {{ ''.isalpha() }}",
    "{{ {'a': 1, 'b': 2}.items() | list }} {{ {'a': 1}.keys() | list }} {{ {'a': 1}.values() | list }} {{ {'a': 1}.get('b', 5) }} {{ {'a': 1}.get('b') }} {{ dict(x=1, y='z') }}",
    "{{ 'x' | upper }} {{ 'Ab' | lower }} {{ 'hello world' | capitalize }} {{ 'a-b' | replace('-', '+') }} {{ [3,1,2] | sort }} {{ ['b','A','c'] | sort }} {{ [1,2,3] | reverse | list }} {{ 'abc' | reverse }} {{ [1,1,2] | unique | list }} {{ [1,2,3] | first }} {{ [1,2,3] | last }} {{ [] | first }}",
    "{{ '42' | int + 1 }} {{ 'x' | int(7) }} {{ 3.9 | int }} {{ '2.5' | float }} {{ -3 | abs }} {{ 5 | string + '!' }} {{ [1,2]|join }} {{ [1,2]|join(', ') }} {{ none | string }}",
    "{{ 'a\\nb\\n\\nc' | indent }}|{{ 'a\\nb' | indent(2, true) }}|{{ 'a\\n\\nb' | indent(2, blank=true) }}",
    "{{ {'b': 1, 'a': [1.0, none, 'é\"\\n']} | tojson }} {{ {'b': 1, 'a': {}} | tojson(indent=2, sort_keys=true) }} {{ 'é😀' | tojson(ensure_ascii=true) }} {{ [] | tojson(indent=4) }} {{ [1, 2] | tojson(separators=(',', ':')) }}",
    "{{ 5 is odd }} {{ 4 is even }} {{ 9 is divisibleby 3 }} {{ 'a' is string }} {{ 1 is number }} {{ true is number }} {{ 1 is integer }} {{ true is integer }} {{ 1.0 is float }} {{ {} is mapping }} {{ [] is iterable }} {{ 'x' is iterable }} {{ 1 is iterable }} {{ [] is sequence }} {{ {} is sequence }} {{ true is boolean }} {{ 1 is eq 1 }} {{ 2 is in [1, 2] }} {{ range is callable }} {{ 'ab' is lower }} {{ 'AB' is upper }} {{ false is false }} {{ 1 is true }}",
    "{% for i in range(3) %}{{ i }}{% endfor %} {{ range(1, 10, 3) | list }} {{ range(3, 0, -1) | list }}",
    "{{ 'a' if true else 'b' }} {{ 'a' if false }}| {{ ('x' if 1 > 2 else 'y') ~ 'z' }}",
    "{{ strftime_now('%d %b %Y %H:%M:%S %A %B %j %y %-d %I %p %% %a %m %F %T') }}",
    "{% set a, b = 1, 'two' %}{{ a }}{{ b }} {% set x = [1, 2][0] %}{{ x }} {% for k, v in [('p', 1), ('q', 2)] %}{{ k }}{{ v }}{% endfor %} {% for k in {'m': 1} %}{{ k }}{% endfor %}",
    "{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}",
    "{% if true %}{% set y = 5 %}{% endif %}{{ y }}",
    "{{ 'con' 'cat' }} {{ \"\\u00e9\\x41\\101\\q\" }} {{ 1_000 }} {{ (1, 2) }} {{ 1, 2 }} {{ () }} {{ messages.0.role }}",
    "{{ [1, 2, 3] | select('odd') | list }} {{ [1, 2, 3] | reject('odd') | list }} {{ [0, 1, '', 'a'] | select | list }} {{ ['a', 'b'] | map('upper') | list }} {{ [{'a': {'b': 1}}] | map(attribute='a.b') | list }} {{ [{'a': 1}, {}] | selectattr('a', 'defined') | list }} {{ [{'a': 1}, {}] | map(attribute='a', default='-') | join }}",
    "{{ messages | selectattr('tool_calls', 'defined') | list | length }} {{ messages | selectattr('role', 'in', ['user', 'tool']) | map(attribute='role') | join('+') }}",
    "{{ not (messages[0].role == 'user' or 'tool_calls' in messages[0]) }} {{ messages[1].tool_calls[0].function.arguments | tojson }} {{ messages[1].tool_calls[0]['function']['arguments'].deep.a[2] }}",
    "a\n{% if true %}\nb\n{% endif %}\nc\n",
    "a\n  {% if true %}  \nb\n  {%- endif %}  \nc\n\n",
    "  {{ 'x' }}\n  {# c #}\n  y{# d #}\nz {#- e -#}  w",
    "{{ 'a' }}\r\n{% if true %}\r\nb\r{% endif %}c",
    "{%- if true -%}  a  {%- endif -%}\n\n b",
    "{{ {'a': {'b': {'c': 1}}}.a.b.c }}{{ {'x': [1, {'y': 2}]}['x'][1].y }}",
    "{{- ' x ' -}}  |  {{- ' y ' }}",
    "{% macro f(a, b=2) %}{{ a }}-{{ b }}{% if a > 0 %},{{ f(a - 1) }}{% endif %}{% endmacro %}{{ f(3) }} {{ f(0, b='z') }} {{ f(a=0) | upper }}",
    "{% set ns = namespace(items=[]) %}{% for i in range(3) %}{% set ns.items = ns.items + [i] %}{% endfor %}{{ ns.items }}",
    "{% for m in [] %}x{% else %}empty{% endfor %} {% for m in none_such %}x{% else %}undefined{% endfor %}",
    "{{ 'ß'.upper() }} {{ 'İ'.lower() }} {{ 'ǆ'.title() }} {{ 'ΑΣ'.lower() }} {{ 'they\\'re'.title() }}",
    "{{ 5 - -3 }} {{ - 3 }} {{ +4 }} {{ 2 * -1 }} {{ 'a' ~ 'b' + 'c' }} {{ 1 ~ 2 * 3 }}",
    "{{ raise_exception('no') }}",
    "{{ none + 1 }}",
    "{{ undefined_thing.x }}",
    "{{ undefined_thing + 'x' }}",
    "{% for x in 5 %}{% endfor %}",
    "{{ none | length }}",
    "{{ 'a' < 1 }}",
    "{{ [].append(1) }}",
]
