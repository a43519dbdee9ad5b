"""Writes chat_ids.json: what transformers' apply_chat_template makes of
dialogues with the tiny tokenizers of ../tokenizers/fixtures and templates of
our own: the ids of prompts and of whole dialogues, and the assistant's mask.

  python make_chat_ids.py

Made with transformers 4.57.6; 5.17.0 gives the same file. Each template is
there twice: with {% generation %} marks, and without them. The text is the
same, so the mask of the first is what the second has to come to.
"""
import json
import pathlib

import transformers

HERE = pathlib.Path(__file__).parent
FIXTURES = HERE.parent / "tokenizers" / "fixtures"

# {G} and {E}: where the marks are. An answer that begins with a blank is left
# out: transformers finds no token at its first character and marks nothing.
TEMPLATES = {
    "chatml": """\
{%- if messages[0].role != 'system' %}
{{- '<|im_start|>system\\nBe brief.<|im_end|>\\n' }}
{%- endif %}
{%- for m in messages %}
{{- '<|im_start|>' + m.role + '\\n' }}
{%- if m.role == 'assistant' %}
{G}{{- m.content + '<|im_end|>' }}{E}{{- '\\n' }}
{%- else %}
{{- m.content + '<|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- endif %}
""",
    "headers": """\
{{- bos_token }}
{%- for m in messages %}
{{- m.role + ':\\n\\n' }}
{%- if m.role == 'assistant' %}
{G}{{- m.content | trim + '<|eot_id|>' }}{E}
{%- else %}
{{- m.content | trim + '<|eot_id|>' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
{{- 'assistant:\\n\\n' }}
{%- endif %}
""",
    "inst": """\
{{- bos_token }}
{%- for m in messages %}
{%- if m.role == 'assistant' %}
{G}{{- ' ' + m.content | trim + eos_token }}{E}
{%- elif m.role == 'user' %}
{{- '[INST] ' + m.content + ' [/INST]' }}
{%- else %}
{{- m.content + '\\n' }}
{%- endif %}
{%- endfor %}
""",
}

TOKENIZERS = {
    "qwen": ("chatml", {"eos_token": "<|im_end|>"}),
    "llama3": ("headers", {"bos_token": "<|begin_of_text|>",
                           "eos_token": "<|eot_id|>"}),
    "spm_first": ("inst", {"bos_token": "<s>", "eos_token": "</s>"}),
    "spm_legacy": ("inst", {"bos_token": "<s>", "eos_token": "</s>"}),
}


def turns(*contents, system=None):
    roles = ["user", "assistant"]
    found = [] if system is None else [{"role": "system", "content": system}]
    return found + [{"role": roles[i % 2], "content": text}
                    for i, text in enumerate(contents)]


DIALOGUES = [
    turns("Where is the post office?", "Left of the church."),
    turns("hello", "hi", "and again  twice\n", "yes:\n\n1. one\n2. two"),
    turns("what?", "no", "why", "because", "fine", "good",
          system="You answer in one word."),
    turns("cafe\u0301 \u65e5\u672c \U0001f600", "na\u00efve cafe\u0301!",
          " x ", "leading and trailing "),
    turns("a", "b"),
    turns("It's 12.5% of {x}.", "{}", "\t tab", "\u00e9"),
]


def write_marks(template, marks):
    begin, end = ("{%- generation %}", "{%- endgeneration %}")
    return (template.replace("{G}", begin if marks else "")
            .replace("{E}", end if marks else ""))


def cases():
    for folder, (name, special) in TOKENIZERS.items():
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_file=str(FIXTURES / folder / "tokenizer.json"),
            clean_up_tokenization_spaces=False, **special)
        marked = write_marks(TEMPLATES[name], True)
        for messages in DIALOGUES:
            prompt = messages[:-1]
            ids = tokenizer.apply_chat_template(
                prompt, chat_template=marked, add_generation_prompt=True,
                tokenize=True, return_dict=True)["input_ids"]
            whole = tokenizer.apply_chat_template(
                messages, chat_template=marked, tokenize=True,
                return_dict=True, return_assistant_tokens_mask=True)
            yield {"tokenizer": folder, "template": name,
                   "special_tokens": special, "messages": messages,
                   "prompt_ids": ids, "ids": whole["input_ids"],
                   "mask": whole["assistant_masks"]}


def main():
    found = {"templates": {name: {"marked": write_marks(text, True),
                                  "plain": write_marks(text, False)}
                           for name, text in TEMPLATES.items()},
             "cases": list(cases())}
    lines = ["{", '"templates": ' + json.dumps(found["templates"]) + ",",
             '"cases": [']
    lines.append(",\n".join(json.dumps(case) for case in found["cases"]))
    lines += ["]}", ""]
    (HERE / "chat_ids.json").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
