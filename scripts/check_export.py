#!/usr/bin/env python3
"""Checks an exported directory against transformers.

  moft export POLICY --weights a=0.3,b=0.7 --to DIR
  moft score POLICY --weights a=0.3,b=0.7 --input PAIRS.jsonl > SCORES.jsonl
  scripts/check_export.py DIR PAIRS.jsonl SCORES.jsonl

PAIRS.jsonl holds {"prompt": .., "completion": ..} lines, the prompt a text or a
list of messages; SCORES.jsonl what `moft score` printed for them. transformers
(4.5x or 5) and torch score the same tokens with the exported model, divided by
the temperature of generation_config.json; the largest difference of a token's
log-probability is printed. Exits with 1 when it exceeds --tolerance (default
1e-4 nats).

Both take texts whole; messages go through the exported directory's chat
template, in transformers by apply_chat_template, with what moft_export.json
says of variables, system message and words. Not part of the test suite: it
needs Python packages that moft does not.
"""

import argparse
import json
import pathlib
import sys


def read_lines(path):
    text = pathlib.Path(path).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def token_log_probs(model, torch, prompt, completion, temperature):
    with torch.no_grad():
        if model.config.is_encoder_decoder:
            start = [model.config.decoder_start_token_id]
            logits = model(
                input_ids=torch.tensor([prompt]),
                decoder_input_ids=torch.tensor([start + completion[:-1]]),
            ).logits[0]
            first = 0
        else:
            logits = model(torch.tensor([prompt + completion])).logits[0]
            first = len(prompt) - 1
    log_probs = (logits.double() / temperature).log_softmax(-1)
    return [
        log_probs[first + place, token].item()
        for place, token in enumerate(completion)
    ]


def encode_chat(tokenizer, messages, chat, row):
    """The ids of a dialogue; `chat`: the note of moft_export.json."""
    messages = [dict(message) for message in messages]
    for message in messages:
        if message["role"] == "user":
            words = chat.get("words_before_first_user", "")
            message["content"] = words + message["content"]
            break
    system = chat.get("system")
    has_one = messages[0]["role"] in ("system", "developer")
    if system is not None and not has_one:
        messages.insert(0, {"role": "system", "content": system})
    variables = {
        **chat.get("kwargs", {}),
        **(row.get("chat_template_kwargs") or {}),
    }
    open_turn = messages[-1]["role"] == "assistant"
    return tokenizer.apply_chat_template(
        messages,
        tools=row.get("tools"),
        add_generation_prompt=not open_turn,
        continue_final_message=open_turn,
        return_dict=True,
        **variables,
    )["input_ids"]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("pairs")
    parser.add_argument("scores")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    arguments = parser.parse_args()

    import torch
    from transformers import (
        AutoConfig,
        AutoModelForCausalLM,
        AutoModelForSeq2SeqLM,
        AutoTokenizer,
    )

    directory = arguments.directory
    generation = json.loads((directory / "generation_config.json").read_text())
    # moft reads T5's spiece.model, as the slow tokenizer does.
    encoder_decoder = AutoConfig.from_pretrained(directory).is_encoder_decoder
    tokenizer = AutoTokenizer.from_pretrained(
        directory, use_fast=not encoder_decoder
    )
    kind = AutoModelForSeq2SeqLM if encoder_decoder else AutoModelForCausalLM
    model = kind.from_pretrained(directory, torch_dtype=torch.float32).eval()

    pairs, scores = read_lines(arguments.pairs), read_lines(arguments.scores)
    if len(pairs) != len(scores):
        sys.exit(f"{len(pairs)} pairs but {len(scores)} scores")
    encode = lambda text: tokenizer.encode(text, add_special_tokens=False)

    note = json.loads((directory / "moft_export.json").read_text())

    def encode_prompt(row):
        text = row["prompt"]
        if isinstance(text, list):
            return encode_chat(tokenizer, text, note.get("chat", {}), row)
        ids = encode(text)
        if encoder_decoder:
            return ids + [tokenizer.eos_token_id]
        # A begin token that the prompt writes is not put first twice.
        if ids and ids[0] == tokenizer.bos_token_id:
            return ids
        return tokenizer.encode(text)

    ends = generation.get("eos_token_id", [])
    worst = 0.0
    for number, (pair, score) in enumerate(zip(pairs, scores), 1):
        prompt = encode_prompt(pair)
        completion = encode(pair["completion"])
        ours = score["token_log_probs"]
        if len(ours) == len(completion) + 1 and ends:
            completion.append(ends[0])  # moft scored the end token as well
        if len(ours) != len(completion):
            sys.exit(
                f"line {number}: moft scored {len(ours)} tokens, "
                f"transformers' tokenizer gives {len(completion)}"
            )
        theirs = token_log_probs(
            model, torch, prompt, completion, generation["temperature"]
        )
        gap = max(abs(a - b) for a, b in zip(ours, theirs))
        worst = max(worst, gap)
    print(f"{len(pairs)} pairs, largest difference {worst:.2e} nats")
    sys.exit(0 if worst <= arguments.tolerance else 1)


if __name__ == "__main__":
    main()
