"""What transformers renders, as cases that the tests of moft/chat/ read."""

import datetime

from transformers.utils import chat_template_utils

NOW = datetime.datetime(2026, 7, 4, 15, 6, 7)
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


class FixedTime(datetime.datetime):
    """datetime.now() of a fixed day."""

    @classmethod
    def now(cls, tz=None):
        return NOW


chat_template_utils.datetime = FixedTime


def apply(template, messages, options, tokens=TOKENS):
    """The rendered text and the spans of {% generation %} in characters.

    As tokenizer.apply_chat_template(.., tokenize=False), which needs a
    tokenizer only for its special tokens.
    """
    if not messages:
        raise ValueError("no messages")
    going_on = options.get("continue_final_message", False)
    prompt = options.get("add_generation_prompt", False)
    if going_on and prompt:
        raise ValueError("add_generation_prompt and continue_final_message")
    texts, spans = chat_template_utils.render_jinja_template(
        conversations=[messages],
        tools=options.get("tools"),
        documents=options.get("documents"),
        chat_template=template,
        return_assistant_tokens_mask=options.get("mask", False),
        continue_final_message=going_on,
        add_generation_prompt=prompt,
        **{**tokens, **options.get("variables", {})},
    )
    return texts[0], spans[0] if spans else []


def case(template, messages, options, tokens=TOKENS):
    """{messages, options, text, spans} or {messages, options, error}."""
    result = {"messages": messages, **options}
    try:
        text, spans = apply(template, messages, options, tokens)
        text.encode()  # half a surrogate pair is not text
    except Exception as error:  # jinja2 lets any kind through
        result["error"] = str(error)
        return result
    result["text"] = text
    if options.get("mask"):
        result["spans"] = [list(span) for span in spans]
    return result
