#!/usr/bin/env python3
"""Judges rewards by labels or by human scores.

  judge_rewards.py auc ROWS.jsonl REWARDS.jsonl NAME ..
      area under the ROC curve of each named reward for `label` 1 against 0
  judge_rewards.py pairs PAIRS.jsonl TEXTS.jsonl REWARDS.jsonl NAME ..
      share of pairs whose `chosen` gets the higher reward

REWARDS.jsonl is what `moft reward score` printed for ROWS.jsonl or TEXTS.jsonl.
The data are those of make_reward_data.py. Of pairs, the number of words and
ROUGE-1 F1 with the document's lead and with the reference are judged, too.
Intervals (95%) are from 1,000 bootstrap draws of documents. Needs Python only.
"""

import argparse
import json
import random
import re
from collections import Counter, defaultdict

DRAWS = 1000


def read(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def area(values):
    """Area under the ROC curve of pairs (reward, label); a tie counts one half."""
    ordered = sorted(values)
    positive = sum(label for _, label in ordered)
    negative = len(ordered) - positive
    if not positive or not negative:
        return None
    below = twice = 0
    at = 0
    while at < len(ordered):
        end = at
        while end < len(ordered) and ordered[end][0] == ordered[at][0]:
            end += 1
        here = sum(label for _, label in ordered[at:end])
        twice += here * (2 * below + (end - at - here))
        below += end - at - here
        at = end
    return twice / (2 * positive * negative)


def mean(values):
    return sum(values) / len(values) if values else None


def interval(by_document, figure):
    """`figure` of all values, and its bootstrap interval over documents."""
    groups = list(by_document.values())
    drawn = random.Random(1)
    figures = []
    for _ in range(DRAWS):
        chosen = drawn.choices(groups, k=len(groups))
        found = figure([value for group in chosen for value in group])
        if found is not None:
            figures.append(found)
    figures.sort()
    low, high = (figures[int(q * (len(figures) - 1))] for q in (0.025, 0.975))
    whole = figure([value for group in groups for value in group])
    return f"{whole:.3f} [{low:.3f}, {high:.3f}]"


def report(name, rows, figure):
    """`rows`: (source, document, value)."""
    parts = ["all"] + sorted({source for source, _, _ in rows})
    if len(parts) == 2:
        parts = parts[1:]
    found = []
    for part in parts:
        by_document = defaultdict(list)
        for source, document, value in rows:
            if part in ("all", source):
                by_document[document].append(value)
        found.append(f"{part} {interval(by_document, figure)}")
    print(f"{name}: " + "; ".join(found), flush=True)


def auc(given):
    rows, rewards = read(given.rows), read(given.rewards)
    for name in given.names:
        report(
            name,
            [
                (row["source"], row["document"], (reward[name], row["label"]))
                for row, reward in zip(rows, rewards, strict=True)
            ],
            area,
        )


def rouge_1(one, two):
    one, two = (Counter(re.findall("[a-z0-9]+", t.lower())) for t in (one, two))
    shared = sum((one & two).values())
    return 2 * shared / max(1, sum(one.values()) + sum(two.values()))


def pairs(given):
    texts, rewards = read(given.texts), read(given.rewards)
    judges = defaultdict(dict)
    for text, reward in zip(texts, rewards, strict=True):
        key = (text["prompt"], text["completion"])
        for name in given.names:
            judges[name][key] = reward[name]
        judges["words"][key] = len(text["completion"].split())
        judges["rouge1 with the lead"][key] = rouge_1(*key)
        judges["rouge1 with the reference"][key] = rouge_1(
            text["reference"], text["completion"]
        )
    rows = read(given.pairs)
    for name, values in judges.items():
        judged = []
        for row in rows:
            better = values[row["prompt"], row["chosen"]]
            worse = values[row["prompt"], row["rejected"]]
            value = (better > worse) + (better == worse) / 2
            judged.append((row["source"], row["prompt"], value))
        report(name, judged, mean)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("auc")
    command.add_argument("rows")
    command.add_argument("rewards")
    command.add_argument("names", nargs="+")
    command.set_defaults(run=auc)
    command = commands.add_parser("pairs")
    command.add_argument("pairs")
    command.add_argument("texts")
    command.add_argument("rewards")
    command.add_argument("names", nargs="*")
    command.set_defaults(run=pairs)
    given = parser.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
