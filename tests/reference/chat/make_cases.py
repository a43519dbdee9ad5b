#!/usr/bin/env python3
"""Writes cases.json: what transformers 5.17.0 (jinja2 3.1.6) renders.

    make_cases.py           needs transformers and jinja2
"""

import json
import pathlib

from conversation_cases import CONVERSATIONS, TEMPLATES
from expression_cases import DATA, ERRORS, FILTERS, JSON, PRINT, SYNTAX, TESTS
from render import case
from statement_cases import STATEMENTS, UNSUPPORTED

HERE = pathlib.Path(__file__).parent
MESSAGES = [{"role": "user", "content": "Hi"}]


def rendered(template):
    """[template, text], or [template] where jinja2 has an error."""
    options = {"variables": DATA}
    if "{% generation" in template or "{%- generation" in template:
        options["mask"] = True
    result = case(template, MESSAGES, options)
    if "error" in result:
        return [template]
    if "spans" in result:
        return [template, result["text"], result["spans"]]
    return [template, result["text"]]


def expressions():
    for block in (PRINT, FILTERS, JSON, TESTS, ERRORS):
        for line in block.strip("\n").split("\n"):
            for expression in line.split(" ;; "):
                yield "{{ " + expression + " }}"
    for expression in SYNTAX:
        yield "{{ " + expression + " }}"


def main():
    templates = [*expressions(), *STATEMENTS]
    rows = [rendered(template) for template in dict.fromkeys(templates)]
    errors = sum(len(row) == 1 for row in rows)
    print(f"{len(rows)} templates, {errors} of them with errors")
    for template, _ in UNSUPPORTED:
        case_of = case(template, MESSAGES, {"variables": DATA})
        if "error" in case_of:
            print("no longer rendered by jinja2:", template)
    conversations = [
        {"template": name, **case(TEMPLATES[name], messages, options)}
        for name, messages, options in CONVERSATIONS
    ]
    content = {
        "data": DATA,
        "rows": rows,
        "unsupported": [list(pair) for pair in UNSUPPORTED],
        "templates": TEMPLATES,
        "conversations": conversations,
    }
    lines = []
    for key, value in content.items():
        if isinstance(value, list):
            inner = ",\n".join(json.dumps(v, ensure_ascii=False) for v in value)
            lines.append(f"{json.dumps(key)}: [\n{inner}\n]")
        else:
            text = json.dumps(value, ensure_ascii=False)
            lines.append(f"{json.dumps(key)}: {text}")
    (HERE / "cases.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
