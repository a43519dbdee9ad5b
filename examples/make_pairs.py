#!/usr/bin/env python3
"""Pairs of answers with one score per objective, for `moft dpo`.

    make_pairs.py helpsteer2 train.jsonl > pairs.jsonl
    make_pairs.py ultrafeedback ultrafeedback.jsonl > pairs.jsonl

helpsteer2: rows {"prompt", "response", "helpfulness", ..}; rows that follow one
another with the same prompt become a pair.
ultrafeedback: rows {"instruction", "completions": [{"response", "annotations":
{"helpfulness": {"Rating": "4"}, ..}}, ..]}; every two completions with all
ratings become a pair.
"""
import itertools
import json
import sys


def helpsteer2(rows):
    names = ["helpfulness", "correctness", "coherence", "complexity",
             "verbosity"]
    for prompt, group in itertools.groupby(rows, lambda row: row["prompt"]):
        group = list(group)
        for first, second in itertools.combinations(group, 2):
            yield (prompt, first["response"], second["response"],
                   {name: [first[name], second[name]] for name in names})


def ratings(completion):
    found = {}
    for name, annotation in completion["annotations"].items():
        try:
            found[name] = float(annotation["Rating"])
        except (KeyError, TypeError, ValueError):
            pass  # "N/A"
    return found


def ultrafeedback(rows):
    names = ["helpfulness", "honesty", "instruction_following",
             "truthfulness"]
    for row in rows:
        rated = [(c["response"], ratings(c)) for c in row["completions"]]
        rated = [(r, s) for r, s in rated if all(n in s for n in names)]
        for (first, a), (second, b) in itertools.combinations(rated, 2):
            yield (row["instruction"], first, second,
                   {name: [a[name], b[name]] for name in names})


FORMATS = {"helpsteer2": helpsteer2, "ultrafeedback": ultrafeedback}


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in FORMATS:
        sys.exit(__doc__)
    with open(sys.argv[2], encoding="utf-8") as file:
        rows = (json.loads(line) for line in file if line.strip())
        for prompt, first, second, scores in FORMATS[sys.argv[1]](rows):
            if not first.strip() or not second.strip():
                continue
            print(json.dumps({"prompt": prompt, "chosen": first,
                              "rejected": second, "scores": scores},
                             ensure_ascii=False))


if __name__ == "__main__":
    main()
