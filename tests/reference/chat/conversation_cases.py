"""Chat templates of our own and conversations for them.

Their shapes are those of public templates: turns between signs, a system
default, tool calls, reasoning, a template that trims, one that marks what the
assistant wrote.
"""

TURNS = """{%- for message in messages %}
{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}"""

DEFAULT_SYSTEM = """{{ bos_token }}
{% if messages[0].role == 'system' %}
  {%- set system = messages[0].content %}
  {%- set rest = messages[1:] %}
{% else %}
  {%- set system = 'Be brief.' %}
  {%- set rest = messages %}
{% endif %}
[SYS]{{ system|trim }}[/SYS]
{% for m in rest %}
  {%- if (m.role == 'user') != (loop.index0 % 2 == 0) %}
    {{- raise_exception('Roles must alternate: ' ~ m.role) }}
  {%- endif %}
  {%- if m.role == 'user' %}
[INST]{{ m.content|trim }}[/INST]
  {%- else %}
 {{ m.content|trim }}{{ eos_token }}
  {%- endif %}
{% endfor %}"""

TOOLS = """{%- macro schema(o, depth=0) -%}
{%- for key, value in o|dictsort -%}
{{ '  ' * depth }}{{ key }}: {% if value is mapping %}
{{ schema(value, depth + 1) }}
{%- elif value is string %}{{ value }}
{% else %}{{ value|tojson }}
{% endif %}
{%- endfor -%}
{%- endmacro -%}
{%- if tools %}
<tools>
{%- for tool in tools %}
{{ tool|tojson(indent=2) }}
{{ schema(tool.function.parameters) }}
{%- endfor %}
</tools>
{%- endif %}
{%- set ns = namespace(last=-1) %}
{%- for m in messages[::-1] %}
  {%- if m.role == 'user' and ns.last < 0 %}
    {%- set ns.last = (messages|length - 1) - loop.index0 %}
  {%- endif %}
{%- endfor %}
{%- for m in messages %}
<|{{ m.role }}|>
  {%- if m.content is string %}
{{ m.content }}
  {%- elif m.content is iterable and m.content is not mapping %}
    {%- for part in m.content %}
      {%- if part.type == 'text' %}{{ part.text }}{% else %}<{{ part.type }}>{% endif %}
    {%- endfor %}
  {%- endif %}
  {%- if m.reasoning_content is defined and m.reasoning_content and loop.index0 > ns.last %}
<think>{{ m.reasoning_content.strip('\\n') }}</think>
  {%- elif m.role == 'assistant' and '</think>' in (m.content or '') %}
{{ m.content.split('</think>')[-1].lstrip('\\n') }}
  {%- endif %}
  {%- for call in m.tool_calls or [] %}
<call>{{ call.function.name }}({% for k, v in call.function.arguments.items() %}{{ k }}={{ v if v is string else v|tojson }}{{ ', ' if not loop.last }}{% endfor %})</call>
  {%- endfor %}
{%- endfor %}
{%- for document in documents or [] %}
[{{ loop.index }}] {{ document['title']|upper }}: {{ document.text }}
{%- endfor %}
{%- if add_generation_prompt %}
<|assistant|>
{%- if enable_thinking is defined and enable_thinking is false %}<think></think>{% endif %}
{%- endif %}
{{ strftime_now('%d %b %Y, %H:%M:%S %A %B %j %p %I %y %a %-d %%') }}"""

GENERATION = """{% for m in messages %}
{%- if m.role == 'assistant' %}
<a>{% generation %}{{ m.content }}</a>{% endgeneration %}

{%- else %}
<{{ m.role }}>{{ m.content }}
{%- endif %}
{% endfor %}
{% if add_generation_prompt %}<a>{% endif %}"""

TRIMMED = """{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}<end>
{% endfor %}"""

BLOCKS = """{% for m in messages %}<{{ m.role }}>
{%- for block in m.content %}{{ block.text if block.text is defined else '?' }}{% endfor %}<end>{% endfor %}"""

FORGETS = """{% for m in messages %}<{{ m.role }}>{{ m.content[:3] }}{% endfor %}"""

TEMPLATES = {
    "turns": TURNS,
    "default_system": DEFAULT_SYSTEM,
    "tools": TOOLS,
    "generation": GENERATION,
    "trimmed": TRIMMED,
    "blocks": BLOCKS,
    "forgets": FORGETS,
}


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


SYSTEM = {"role": "system", "content": " You help. "}
CALL = {
    "type": "function",
    "function": {"name": "find", "arguments": {"q": "x \"y\"", "n": 2, "ok": True}},
}
TOOL = {
    "type": "function",
    "function": {
        "name": "find",
        "description": "Finds <things> & é.",
        "parameters": {
            "type": "object",
            "properties": {"q": {"type": "string"}, "n": {"type": "integer"}},
            "required": ["q"],
        },
    },
}
LONG = [
    SYSTEM,
    user("Hi\n"),
    assistant(" Hello <|im_end|> "),
    user("Größe? 你好 😀"),
    assistant("<think>hm</think>\n\nTall", reasoning_content="\nthought\n"),
]

# (template, messages, options)
CONVERSATIONS = [
    ("turns", [user("Hi")], {}),
    ("turns", [user("Hi")], {"add_generation_prompt": True}),
    ("turns", LONG, {"add_generation_prompt": True}),
    ("turns", LONG, {"continue_final_message": True}),
    ("turns", [user("Hi"), assistant("Sure ")], {"continue_final_message": True}),
    ("turns", [user("Hi"), assistant("")], {"continue_final_message": True}),
    ("turns", [user("Hi")], {"continue_final_message": True, "add_generation_prompt": True}),
    ("turns", [user("Hi"), {"role": "assistant"}], {"continue_final_message": True}),
    ("turns", LONG, {"continue_final_message": "reasoning_content"}),
    ("turns", [user("CONTINUE_FINAL_MESSAGE_TAG "), assistant("a")], {"continue_final_message": True}),
    ("turns", [{"role": "user"}], {}),
    ("turns", [], {}),
    ("default_system", [user(" a ")], {}),
    ("default_system", [SYSTEM, user("a"), assistant(" b "), user("c")], {}),
    ("default_system", [SYSTEM, assistant("b")], {}),
    ("default_system", [SYSTEM, user("a"), assistant(" b c ")], {"continue_final_message": True}),
    ("tools", LONG, {"tools": [TOOL]}),
    ("tools", [user("x"), assistant(None, tool_calls=[CALL, CALL]), {"role": "tool", "content": "[1]"}], {"tools": [TOOL, TOOL], "add_generation_prompt": True}),
    ("tools", [user("x"), assistant("", reasoning_content="why")], {"continue_final_message": "reasoning_content"}),
    ("tools", [user([{"type": "text", "text": "a"}, {"type": "image"}])], {"variables": {"enable_thinking": False}, "add_generation_prompt": True}),
    ("tools", [user("x")], {"documents": [{"title": "T", "text": "body"}]}),
    ("generation", LONG, {"mask": True}),
    ("generation", [user("a"), assistant("b"), user("c"), assistant("d")], {"mask": True}),
    ("generation", [user("a")], {"mask": True, "add_generation_prompt": True}),
    ("trimmed", [user("a"), assistant(" b ")], {"continue_final_message": True}),
    ("trimmed", [user("a"), assistant(" b\n c \n\n")], {"continue_final_message": True}),
    ("trimmed", [user("a"), assistant("   ")], {"continue_final_message": True}),
    ("blocks", [user([{"text": "a"}]), assistant([{"text": "b "}, {"text": "c "}])], {"continue_final_message": True}),
    ("blocks", [user([{"text": "a"}]), assistant([{"x": "b"}])], {"continue_final_message": True}),
    ("blocks", [assistant([{"text": "b"}, {"x": 1}])], {"continue_final_message": True}),
    ("forgets", [user("abcdef"), assistant("abcdef")], {"continue_final_message": True}),
]
