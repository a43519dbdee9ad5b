#!/usr/bin/env python3
"""Makes the data that docs/results/rewards.md measures learned rewards on.

  scripts/results/make_reward_data.py DATA TO [--seed 1]

DATA is a folder with nli.snli-mnli-sick.jsonl.xz,
factuality.xsumfaith-bump-cliff.jsonl.xz and
summary-scores.rose-realsumm.jsonl.xz. Nothing in the repository needs them and
no row of them is in it. Written are JSON lines:

  nli/train, heldout, sick-test    premise, hypothesis, label
  factuality/validation, test, bump-train
                                   document, completion, label (1 faithful)
  scores/train, heldout            prompt, chosen, rejected, margin
  scores/texts                     prompt, completion, reference, score: the
                                   texts of scores/heldout once each

All have `source` and `id`. Every choice is by a hash of the seed and the text,
so it does not depend on the order of the rows; rows to train on are written in
a seeded order, which training may follow. Needs Python only.
"""

import argparse
import hashlib
import itertools
import json
import lzma
from collections import Counter
from pathlib import Path

TRAIN_SHARE = 0.8  # of the premises of SNLI and MNLI, each
DOCUMENT_WORDS = 96  # of a document that a preference model reads
PAIRS_TO_TRAIN = {"RoSE-xsum": 4, "REALSumm": 8}  # per document
PAIRS_TO_JUDGE = 28  # per document
# Systems' summaries in RoSE-samsum belong to other dialogues than the row's.
LEFT_OUT = {"RoSE-samsum"}
SCORES = ("normalized_acu", "litepyramid_recall")


def read(path):
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def rank(seed, *texts):
    """A number in [0, 2^64) that seed and texts decide."""
    digest = hashlib.sha256("\0".join([str(seed), *texts]).encode())
    return int.from_bytes(digest.digest()[:8], "big")


def identity(*texts):
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def in_seeded_order(rows, seed):
    return sorted(rows, key=lambda row: rank(seed, row["id"]))


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    sources = ", ".join(
        f"{name} {count}"
        for name, count in sorted(Counter(r["source"] for r in rows).items())
    )
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    print(f"{path}: {len(rows)} rows ({sources}), sha256 {digest}")


def training_premises(rows, seed):
    """The seeded share of each source's premises."""
    chosen = set()
    for source in {row["source"] for row in rows}:
        premises = {r["premise"] for r in rows if r["source"] == source}
        ordered = sorted(premises, key=lambda text: rank(seed, text))
        chosen |= set(ordered[: round(TRAIN_SHARE * len(ordered))])
    return chosen


def make_nli(data, to, seed):
    rows = read(data / "nli.snli-mnli-sick.jsonl.xz")
    sick = [row for row in rows if row["source"] == "SICK"]
    others = [row for row in rows if row["source"] != "SICK"]
    chosen = training_premises(others, seed)
    parts = {
        "train": [row for row in sick if row["split"] == "train"]
        + [row for row in others if row["premise"] in chosen],
        "heldout": [row for row in others if row["premise"] not in chosen],
        "sick-test": [row for row in sick if row["split"] == "test"],
    }
    seen = {row["premise"] for row in parts["train"]}
    for name, part in parts.items():
        if name != "train" and any(row["premise"] in seen for row in part):
            raise SystemExit(f"{name}: a premise is in train, too")
        fields = ("premise", "hypothesis", "label", "source")
        lines = [
            {"id": identity(row["premise"], row["hypothesis"], row["label"])}
            | {field: row[field] for field in fields}
            for row in part
        ]
        if name == "train":
            lines = in_seeded_order(lines, seed)
        write(to / "nli" / f"{name}.jsonl", lines)


def make_factuality(data, to):
    """Each (document, summary) once; left out where labels contradict."""
    rows = read(data / "factuality.xsumfaith-bump-cliff.jsonl.xz")
    labels = {}
    for row in rows:
        key = (row["document"], row["summary"])
        labels.setdefault(key, set()).add(row["label"])
    parts = {"validation": [], "test": [], "bump-train": []}
    seen = set()
    for row in rows:
        key = (row["document"], row["summary"])
        if key in seen or len(labels[key]) > 1:
            continue
        seen.add(key)
        name = "bump-train" if row["split"] == "train" else row["split"]
        parts[name].append(
            {
                "id": identity(*key),
                "document": row["document"],
                "completion": row["summary"],
                "label": row["label"],
                "source": row["source"],
            }
        )
    for name, part in parts.items():
        write(to / "factuality" / f"{name}.jsonl", part)


def score_of(system):
    return next(system[name] for name in SCORES if name in system)


def lead(document):
    return " ".join(document.split()[:DOCUMENT_WORDS])


def pairs_of(row, seed, most):
    """At most `most` pairs of different summaries with different scores."""
    summaries = {s["summary"]: score_of(s) for s in row["systems"]}
    pairs = []
    for one, two in itertools.combinations(sorted(summaries), 2):
        if summaries[one] == summaries[two]:
            continue
        better, worse = sorted((one, two), key=summaries.get, reverse=True)
        pairs.append(
            {
                "id": identity(row["document"], better, worse),
                "prompt": lead(row["document"]),
                "chosen": better,
                "rejected": worse,
                "margin": summaries[better] - summaries[worse],
                "source": row["source"],
            }
        )
    return in_seeded_order(pairs, seed)[:most]


def texts_of(row):
    summaries = {s["summary"]: score_of(s) for s in row["systems"]}
    return [
        {
            "id": identity(row["document"], summary),
            "document_id": identity(row["document"]),
            "prompt": lead(row["document"]),
            "completion": summary,
            "reference": row["reference"],
            "score": score,
            "source": row["source"],
        }
        for summary, score in summaries.items()
    ]


def make_scores(data, to, seed):
    rows = read(data / "summary-scores.rose-realsumm.jsonl.xz")
    train, heldout, texts = [], [], []
    for row in rows:
        if row["source"] in LEFT_OUT:
            continue
        if row["split"] == "train":
            train += pairs_of(row, seed, PAIRS_TO_TRAIN[row["source"]])
        else:
            heldout += pairs_of(row, seed, PAIRS_TO_JUDGE)
            texts += texts_of(row)
    write(to / "scores" / "train.jsonl", in_seeded_order(train, seed))
    write(to / "scores" / "heldout.jsonl", heldout)
    write(to / "scores" / "texts.jsonl", texts)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("to", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    make_nli(given.data, given.to, given.seed)
    make_factuality(given.data, given.to)
    make_scores(given.data, given.to, given.seed)


if __name__ == "__main__":
    main()
