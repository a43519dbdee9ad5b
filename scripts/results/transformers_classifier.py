#!/usr/bin/env python3
"""What docs/results/rewards.md compares `moft reward train` with.

  transformers_classifier.py start MODEL TO --seed 1
      writes MODEL with a new classification head over three labels
  transformers_classifier.py train START TRAIN.jsonl TO [--steps N]
      trains START on rows of premise, hypothesis and label, one epoch
      in the file's order
  transformers_classifier.py judge DIR ROWS.jsonl ..
      accuracy, loss and calibration of any such directory, moft's too

A plain PyTorch loop over transformers' AutoModelForSequenceClassification:
float32, no dropout, AdamW, linear warm-up and decay, batches padded to their
longest row. Texts are tokenised before the clock starts. Prints one JSON line.
Needs transformers and torch; no test runs it.
"""

import argparse
import json
import math
import os
import time
from pathlib import Path

LABELS = ("entailment", "neutral", "contradiction")
BINS = 10  # of the calibration error


def read(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def libraries():
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    return torch, transformers


def load(transformers, directory):
    """Model without dropout, and tokenizer."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        directory,
        dtype="float32",
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return model, transformers.AutoTokenizer.from_pretrained(directory)


def encode(tokenizer, rows, model):
    longest = model.config.max_position_embeddings
    texts = tokenizer(
        [row["premise"] for row in rows],
        [row["hypothesis"] for row in rows],
        truncation="only_first",
        max_length=longest,
    )
    labels = [model.config.label2id[row["label"]] for row in rows]
    keys = [key for key in texts if key != "attention_mask"]
    return [
        {key: texts[key][i] for key in keys} | {"label": labels[i]}
        for i in range(len(rows))
    ]


def batch_of(torch, rows, pad):
    """Padded to the longest of the rows."""
    width = max(len(row["input_ids"]) for row in rows)
    fill = {"input_ids": pad, "token_type_ids": 0}
    batch = {
        key: torch.tensor(
            [row[key] + [value] * (width - len(row[key])) for row in rows]
        )
        for key, value in fill.items()
        if key in rows[0]
    }
    batch["attention_mask"] = torch.tensor(
        [
            [1] * len(row["input_ids"]) + [0] * (width - len(row["input_ids"]))
            for row in rows
        ]
    )
    return batch, torch.tensor([row["label"] for row in rows])


def start(given):
    torch, transformers = libraries()
    torch.manual_seed(given.seed)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        given.model,
        dtype="float32",
        num_labels=len(LABELS),
        id2label=dict(enumerate(LABELS)),
        label2id={name: i for i, name in enumerate(LABELS)},
    )
    model.save_pretrained(given.to)
    tokenizer = transformers.AutoTokenizer.from_pretrained(given.model)
    tokenizer.save_pretrained(given.to)


def learning_rate(given, step, steps):
    """As moft/algorithms/schedule.h: linear up, then linear down to 0."""
    warm_up = given.warmup_steps
    if step < warm_up:
        return given.learning_rate * (step + 1) / warm_up
    return given.learning_rate * (steps - step) / max(1, steps - warm_up)


def train(given):
    torch, transformers = libraries()
    torch.set_num_threads(given.threads)
    model, tokenizer = load(transformers, given.start)
    rows = encode(tokenizer, read(given.rows), model)
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=given.learning_rate,
        weight_decay=given.weight_decay,
        fused=given.fused,
    )
    steps = math.ceil(len(rows) / given.batch)
    last = min(steps, given.steps or steps)
    model.train()
    losses, seconds = [], []
    processor = time.process_time()
    for step in range(last):
        began = time.perf_counter()
        chosen = rows[step * given.batch : (step + 1) * given.batch]
        inputs, labels = batch_of(torch, chosen, tokenizer.pad_token_id)
        loss = torch.nn.functional.cross_entropy(
            model(**inputs).logits, labels
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), given.clip)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(given, step, steps)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        seconds.append(time.perf_counter() - began)
    if given.to:
        model.save_pretrained(given.to)
        tokenizer.save_pretrained(given.to)
    tail = losses[-100:]
    print(
        json.dumps(
            {
                "steps": last,
                "of": steps,
                "seconds": round(sum(seconds), 2),
                "processor_seconds": round(time.process_time() - processor, 2),
                "seconds_per_step": round(sum(seconds) / last, 4),
                "median_seconds_per_step": round(sorted(seconds)[last // 2], 4),
                "rows_per_second": round(last * given.batch / sum(seconds), 1),
                "loss_of_last_100_steps": round(sum(tail) / len(tail), 4),
            }
            | ({"losses": losses} if given.steps else {})
        )
    )


def calibration_error(confidences, correct):
    """Expected calibration error over equal bins of the confidence."""
    bins = [[] for _ in range(BINS)]
    for confidence, right in zip(confidences, correct):
        bins[min(int(confidence * BINS), BINS - 1)].append((confidence, right))
    gaps = [
        abs(sum(c for c, _ in found) - sum(r for _, r in found))
        for found in bins
    ]
    return sum(gaps) / len(correct)


def judge(given):
    torch, transformers = libraries()
    torch.set_num_threads(given.threads)
    model, tokenizer = load(transformers, given.directory)
    model.eval()
    for path in given.rows:
        rows = read(path)
        texts = encode(tokenizer, rows, model)
        order = sorted(
            range(len(rows)), key=lambda i: len(texts[i]["input_ids"])
        )
        confidences, correct, loss = [0.0] * len(rows), [False] * len(rows), 0.0
        for begin in range(0, len(order), 64):
            chosen = order[begin : begin + 64]
            inputs, labels = batch_of(
                torch, [texts[i] for i in chosen], tokenizer.pad_token_id
            )
            with torch.no_grad():
                log_probs = model(**inputs).logits.double().log_softmax(-1)
            loss -= log_probs.gather(1, labels[:, None]).sum().item()
            best, guess = log_probs.max(-1)
            for i, row in enumerate(chosen):
                confidences[row] = best[i].exp().item()
                correct[row] = guess[i].item() == labels[i].item()
        sources = sorted({row["source"] for row in rows})
        print(
            json.dumps(
                {
                    "directory": given.directory,
                    "rows": path,
                    "count": len(rows),
                    "accuracy": round(sum(correct) / len(rows), 5),
                    "loss": round(loss / len(rows), 4),
                    "calibration_error": round(
                        calibration_error(confidences, correct), 4
                    ),
                    "by_source": {
                        source: round(
                            sum(
                                c
                                for c, row in zip(correct, rows)
                                if row["source"] == source
                            )
                            / sum(row["source"] == source for row in rows),
                            4,
                        )
                        for source in sources
                    },
                }
            ),
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("start")
    command.add_argument("model")
    command.add_argument("to")
    command.add_argument("--seed", type=int, default=1)
    command.set_defaults(run=start)

    command = commands.add_parser("train")
    command.add_argument("start")
    command.add_argument("rows", type=Path)
    command.add_argument("to", nargs="?")
    command.add_argument("--steps", type=int, help="stop after this many")
    command.add_argument("--batch", type=int, default=32)
    command.add_argument("--learning-rate", type=float, default=1e-4)
    command.add_argument("--warmup-steps", type=int, default=77)
    command.add_argument("--weight-decay", type=float, default=0.0)
    command.add_argument("--clip", type=float, default=1.0)
    command.add_argument("--threads", type=int, default=2)
    command.add_argument(
        "--fused", action="store_true", help="PyTorch's fused AdamW"
    )
    command.set_defaults(run=train)

    command = commands.add_parser("judge")
    command.add_argument("directory")
    command.add_argument("rows", nargs="+")
    command.add_argument("--threads", type=int, default=2)
    command.set_defaults(run=judge)

    given = parser.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
