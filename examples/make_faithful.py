#!/usr/bin/env python3
"""Makes labelled pairs, for a reward that says whether an answer is true to a
post, of posts with their summaries.

    examples/make_faithful.py FOLDER [--posts FOLDER] [--seed N]

Reads train.jsonl and heldout.jsonl of --posts (default: examples/posts), JSON
lines with `post` and `summary`, and writes FOLDER/train.jsonl and
FOLDER/heldout.jsonl with the fields `post`, `claim`, `label` and `made`. The
label is `entailed` for

    the post's own summary, and one of its own sentences,

and `not_entailed` for

    the summary of another post, the most similar one of a few drawn,
    a sentence of another post,
    the post's own summary and one of its sentences, corrupted: a number, a
    name or a word for its opposite changed, or a negation added or taken out.

The rows depend on the seed and the texts alone. Needs Python only.
"""

import argparse
import json
import pathlib
import random
import re
import sys

NUMBERS = (
    "one two three four five six seven eight nine ten eleven twelve twenty "
    "thirty forty fifty"
).split()
CALENDAR = [
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(),
    "January February March April June July August September October "
    "November December".split(),
]
OPPOSITES = [
    pair.split("/")
    for pair in (
        "before/after first/last opens/closes new/old always/never early/late "
        "inside/outside morning/evening cheap/expensive north/south east/west "
        "summer/winter with/without hot/cold small/large mother/father "
        "brother/sister bought/sold asks/answers warns/promises "
        "praises/criticises regrets/enjoys removed/added safe/dangerous "
        "broken/repaired best/worst arrives/leaves accept/refuse quiet/loud"
    ).split()
]
OPPOSITE = {a: b for pair in OPPOSITES for a, b in (pair, pair[::-1])}
VERBS = "is are was were has have had can could will would should may does".split()


def words_of(text):
    return set(re.findall(r"[a-z]{3,}", text.lower()))


def sentences_of(text):
    return [s for s in re.split(r"(?<=[.!?])\s+", text) if len(s.split()) > 3]


def names_of(text):
    """Capitalised words that do not begin a sentence."""
    return re.findall(r"(?<=[a-z,] )[A-Z][a-z]{2,}", text)


def replace(text, match, word):
    return text[: match.start()] + word + text[match.end() :]


def change_number(text, draw, _):
    found = list(re.finditer(r"\d+|\b(?:" + "|".join(NUMBERS) + r")\b", text))
    if not found:
        return None
    match = draw.choice(found)
    if match.group().isdigit():
        number = int(match.group())
        other = number + draw.choice([-1, 1]) * draw.randint(1, number + 3)
        return replace(text, match, str(abs(other) if other != 0 else number + 7))
    others = [word for word in NUMBERS if word != match.group()]
    return replace(text, match, draw.choice(others))


def change_name(text, draw, names):
    found = list(re.finditer(r"(?<=[a-z,] )[A-Z][a-z]{2,}", text))
    if not found:
        return None
    match = draw.choice(found)
    calendar = sum(CALENDAR, [])
    kind = [word for word in names if word not in calendar]
    for entries in CALENDAR:
        if match.group() in entries:
            kind = entries
    others = [word for word in kind if word not in text]
    return replace(text, match, draw.choice(others)) if others else None


def change_word(text, draw, _):
    found = [
        match
        for match in re.finditer(r"\b[a-z]+\b", text)
        if match.group() in OPPOSITE
    ]
    if not found:
        return None
    match = draw.choice(found)
    return replace(text, match, OPPOSITE[match.group()])


def change_negation(text, draw, _):
    negation = re.search(r"\b(?:not|never|no longer) |n't\b", text)
    if negation:
        return replace(text, negation, "")
    found = list(re.finditer(r"\b(?:" + "|".join(VERBS) + r")\b", text))
    if not found:
        return None
    match = draw.choice(found)
    return replace(text, match, match.group() + " not")


def corrupted(text, draw, names):
    """None where nothing in the text can be changed."""
    changes = [change_number, change_name, change_word, change_negation]
    draw.shuffle(changes)
    for change in changes:
        changed = change(text, draw, names)
        if changed and changed != text:
            return changed
    return None


def most_similar(post, others, draw):
    own = words_of(post["summary"] + " " + post["post"])
    drawn = draw.sample(others, min(8, len(others)))
    return max(drawn, key=lambda other: len(own & words_of(other["summary"])))


def pairs_of(posts, draw):
    names = sorted({name for post in posts for name in names_of(post["post"])})
    for post in posts:
        others = [other for other in posts if other is not post]
        sentences = sentences_of(post["post"])
        own = draw.choice(sentences)
        stranger = draw.choice(others)
        rows = [
            ("entailed", "summary", post["summary"]),
            ("entailed", "sentence", own),
            (
                "not_entailed",
                "other summary",
                most_similar(post, others, draw)["summary"],
            ),
            (
                "not_entailed",
                "other sentence",
                draw.choice(sentences_of(stranger["post"])),
            ),
            (
                "not_entailed",
                "corrupted summary",
                corrupted(post["summary"], draw, names),
            ),
            (
                "not_entailed",
                "corrupted sentence",
                corrupted(draw.choice(sentences), draw, names),
            ),
        ]
        for label, made, claim in rows:
            if claim:
                yield {
                    "post": post["post"],
                    "claim": claim,
                    "label": label,
                    "made": made,
                }


def read_posts(path):
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        posts = [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        sys.exit(f"make_faithful.py: {path}: {error}")
    for number, post in enumerate(posts, 1):
        if not post.get("post") or not post.get("summary"):
            sys.exit(f"make_faithful.py: {path}:{number}: no post or summary")
    return posts


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument(
        "--posts",
        type=pathlib.Path,
        default=pathlib.Path(__file__).parent / "posts",
    )
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in ("train.jsonl", "heldout.jsonl"):
        draw = random.Random(f"{arguments.seed} {name}")
        rows = list(pairs_of(read_posts(arguments.posts / name), draw))
        path = arguments.folder / name
        with path.open("w", encoding="utf-8") as out:
            for row in rows:
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
        print(f"{path}: {len(rows)} rows")


if __name__ == "__main__":
    main()
