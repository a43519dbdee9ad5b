#!/usr/bin/env python3
"""Checks a finished run of `moft reward train` against transformers.

  moft reward train RECIPE
  scripts/check_reward_model.py RUN

AutoModelForSequenceClassification (transformers 4.5x or 5) reads RUN/model and
measures the loss and the accuracy of the run's held-out rows, in padded batches
and row by row; both have to be those in the last line of RUN/metrics.jsonl that
has them, the loss to --tolerance (default 1e-5) times max(1, loss). Runs with
early stopping write the model of the lowest loss, so that line counts there.

Rows are read as the recipe says: premise and hypothesis, text, or user, chosen
and rejected, which may be messages (through the chat template). Runs that leave
out or cut rows (data.too_long) differ. Not part of the test suite: it needs
Python packages that moft does not.
"""

import argparse
import json
import pathlib
import sys

BATCH = 16


def fail(message):
    sys.exit(f"check_reward_model.py: {message}")


def fill(template, row):
    """A template of moft: {name} is a field, {{ and }} are braces."""
    text, i = "", 0
    while i < len(template):
        if template[i : i + 2] in ("{{", "}}"):
            text += template[i]
            i += 2
        elif template[i] == "{":
            end = template.index("}", i)
            text += row[template[i + 1 : end]]
            i = end + 1
        else:
            text += template[i]
            i += 1
    return text


def read_rows(paths):
    rows = []
    for path in [paths] if isinstance(paths, str) else paths:
        text = pathlib.Path(path).read_text(encoding="utf-8")
        rows += [json.loads(line) for line in text.splitlines() if line.strip()]
    return rows


def as_messages(answer):
    if isinstance(answer, str):
        return [{"role": "assistant", "content": answer}]
    return answer


def answer_text(data, tokenizer, row, field):
    """(text, second text or None, whether the template wrote the frame)."""
    answer = row[data[field]]
    if data["text"]:
        return fill(data["text"], {**row, "completion": answer}), None, False
    if tokenizer.chat_template:
        if data["user"]:
            prompt = [{"role": "user", "content": fill(data["user"], row)}]
        else:
            prompt = row.get("prompt", [])
            if isinstance(prompt, str):
                prompt = [{"role": "user", "content": prompt}]
        messages = prompt + as_messages(answer)
        if data["system"] and messages[0]["role"] != "system":
            messages = [{"role": "system", "content": data["system"]}] + messages
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        return text, None, True
    if not isinstance(answer, str):
        return answer[-2]["content"], answer[-1]["content"], False
    if not data["user"] and "prompt" not in row:
        return answer, None, False
    user = fill(data["user"] or "{prompt}", row)
    return user, answer, False


def texts_of(data, kind, tokenizer, row):
    if kind == "preference":
        return [
            answer_text(data, tokenizer, row, field)
            for field in ("chosen", "rejected")
        ]
    if data["premise"]:
        second = fill(data["hypothesis"] or "{hypothesis}", row)
        return [(fill(data["premise"], row), second, False)]
    return [(fill(data["text"] or "{text}", row), None, False)]


def logits_of(torch, model, tokenizer, texts, batch):
    encoder = not hasattr(model, "score")
    found = []
    for begin in range(0, len(texts), batch):
        part = texts[begin : begin + batch]
        first = [text for text, _, _ in part]
        second = [other for _, other, _ in part]
        if second[0] is not None and not encoder:
            first = [one + two for one, two in zip(first, second)]
            second = [None]
        framed = part[0][2]
        given = tokenizer(
            first,
            second if second[0] is not None else None,
            padding=batch > 1,
            truncation=False,
            add_special_tokens=not framed,
            return_tensors="pt",
        )
        if not encoder:
            # GPT-2 would add them as words; plain tokenizers return them.
            given.pop("token_type_ids", None)
        with torch.no_grad():
            found.append(model(**given).logits.double())
    return torch.cat(found)


def figures(torch, kind, logits, rows, data, config, centring):
    if kind == "regression":
        wanted = torch.tensor([float(row[data["label"]]) for row in rows])
        return ((logits[:, 0] - wanted.double()) ** 2).mean().item(), None
    if kind == "classification":
        labels = torch.tensor(
            [config.label2id.get(str(row[data["label"]]), -1) for row in rows]
        )
        loss = torch.nn.functional.cross_entropy(logits, labels).item()
        right = (logits.argmax(1) == labels).double().mean().item()
        return loss, right
    chosen, rejected = logits[0::2, 0], logits[1::2, 0]
    margin = 0.0
    if data["margin"]:
        margin = torch.tensor([float(row[data["margin"]]) for row in rows])
    loss = -torch.nn.functional.logsigmoid(chosen - rejected - margin)
    loss = loss + centring * (chosen + rejected) ** 2
    return loss.mean().item(), (chosen > rejected).double().mean().item()


def last_figures(run, stops_early):
    lines = (run / "metrics.jsonl").read_text().splitlines()
    measured = [json.loads(line) for line in lines if "held_out/loss" in line]
    if not measured:
        fail(f"{run}: metrics.jsonl has no held_out/loss")
    if stops_early:
        return min(measured, key=lambda line: line["held_out/loss"])
    return measured[-1]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--tolerance", type=float, default=1e-5)
    arguments = parser.parse_args()

    import torch
    import transformers
    import yaml

    recipe = yaml.safe_load((arguments.run / "recipe.yaml").read_text())
    data, reward = recipe["data"], recipe["reward"]
    kind = reward["kind"]
    if data["too_long"] not in ("error", "skip"):
        print("note: rows that the run cut are read whole here")
    folder = arguments.run / "model"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        folder
    ).eval()
    rows = read_rows(data["evaluation"])
    limit = reward["evaluation"]["rows"]
    rows = rows[:limit] if limit else rows
    texts = [
        text for row in rows for text in texts_of(data, kind, tokenizer, row)
    ]
    expected = last_figures(arguments.run, reward["early_stopping"])
    worst = 0.0
    for name, batch in (("padded batches", BATCH), ("row by row", 1)):
        logits = logits_of(torch, model, tokenizer, texts, batch)
        loss, right = figures(
            torch, kind, logits, rows, data, model.config, reward["centring"]
        )
        difference = abs(loss - expected["held_out/loss"]) / max(1.0, loss)
        worst = max(worst, difference)
        print(
            f"{name}: loss {loss:.7f}, moft {expected['held_out/loss']:.7f}, "
            f"accuracy {right}, moft {expected.get('held_out/accuracy')}"
        )
        if right is not None and right != expected["held_out/accuracy"]:
            fail("the accuracies differ")
    print(f"largest difference of the loss, relative: {worst:.2e}")
    if worst > arguments.tolerance:
        fail(f"that is more than {arguments.tolerance}")


if __name__ == "__main__":
    main()
