#!/usr/bin/env python3
"""Makes labelled pairs, for a reward that says whether an answer is true to a
post, of posts with their summaries.

    examples/make_faithful.py FOLDER [--posts FOLDER] [--seed N]

Reads train.jsonl and heldout.jsonl of --posts (default: examples/posts), JSON
lines with `post` and `summary`, and writes FOLDER/train.jsonl and
FOLDER/heldout.jsonl with the fields `post`, `claim`, `label` and `made`. The
label is `entailed` for

    the post's own summary,
    this summary and one of the post's sentences in other words: contractions
    written out, numbers as digits, words for their synonyms; no sentence of a
    post is copied as it is,

and `not_entailed` for

    the summary of another post, the most similar one of a few drawn,
    a sentence of another post,
    the post's own summary and one of its sentences, corrupted: a number, a day,
    a name or a word for its opposite changed, or a negation added or taken
    out; half of them in other words, too.

Half of all claims are written as the end of a sentence ("a jury acquits the
accused"), as a model's answers are. Texts in which nothing can be changed give
fewer rows. The rows depend on the seed and the texts alone. Needs Python only.
"""

import argparse
import json
import pathlib
import random
import re
import sys

# "One" is more often a pronoun than a number.
NUMBERS = dict(
    zip(
        (
            "two three four five six seven eight nine ten eleven twelve twenty "
            "thirty forty fifty"
        ).split(),
        [*range(2, 13), 20, 30, 40, 50],
    )
)
NUMBER_WORDS = r"\b(?<!-)(?:" + "|".join(NUMBERS) + r")\b(?!-)"
# Not a part of 9:30, 1.5, 3rd or A4.
DIGITS = r"(?<![\w.:/£$€-])\d+(?![\w:/%-]|[.,]\d)"
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
CALENDAR = [
    DAYS,
    [day + "s" for day in DAYS],
    "January February March April June July August September October "
    "November December".split(),
]
CALENDAR_WORDS = set(sum(CALENDAR, []))


def pairs(text):
    return [pair.split("/") for pair in text.split()]


# Words that take each other's place in a sentence. Both ways, but for those
# whose opposite may be another kind of word: "promises", "leaves".
OPPOSITE = {
    a: b
    for pair in pairs(
        "before/after first/last opens/closes new/old always/never early/late "
        "inside/outside morning/evening cheap/expensive north/south east/west "
        "northern/southern eastern/western summer/winter with/without hot/cold "
        "small/large mother/father brother/sister bought/sold "
        "praises/criticises removed/added safe/dangerous broken/repaired "
        "best/worst accept/refuse accepts/refuses wins/loses won/lost "
        "more/less longer/shorter higher/lower cheaper/dearer"
    )
    for a, b in (pair, pair[::-1])
}
OPPOSITE.update(pairs("warns/promises regrets/enjoys remembers/forgets quiet/loud"))
# "Last week" has no opposite, and "before eleven months" is not English.
UNCHANGED = re.compile(
    r"(?:last|first)\b (?:year|week|month|night|time|\w+day)|"
    r"(?:before|after) (?:\d|" + NUMBER_WORDS + r")|"
    r"(?:more|less) (?:than|or)\b|(?:at|as|no) (?:first|last|always|longer)"
)
SYNONYM = dict(
    pairs(
        "begins/starts begin/start began/started buys/purchases "
        "bought/purchased needs/requires helps/assists shows/reveals "
        "children/kids fixes/repairs whole/entire almost/nearly "
        "maybe/perhaps everyone/everybody until/till shop/store often/frequently "
        "finished/completed large/big tiny/minuscule "
        "wrong/incorrect nobody/no-one explains/describes "
        "whether/if however/still quickly/fast allowed/permitted "
        "because/since trousers/pants enough/sufficient rubbish/trash "
        "teenagers/adolescents unexpectedly/surprisingly"
    )
)
CONTRACTIONS = [
    (r"\b([Cc])an't\b", r"\1annot"),
    (r"\b([Ww])on't\b", r"\1ill not"),
    (r"\b(\w+)n't\b", r"\1 not"),
    (r"\b(I|[Yy]ou|[Ww]e|[Tt]hey)'ve\b", r"\1 have"),
    (r"\b(I|[Yy]ou|[Ww]e|[Tt]hey|[Hh]e|[Ss]he|[Ii]t)'ll\b", r"\1 will"),
    (r"\b([Yy]ou|[Ww]e|[Tt]hey)'re\b", r"\1 are"),
    (r"\bI'm\b", "I am"),
    (r"\b([Ii]t|[Tt]hat)'s(?= (?:a|an|the|not)\b)", r"\1 is"),
]
POSITIVE = {"can't": "can", "won't": "will", "cannot": "can"}
BE = "is are was were can could will would should may must".split()
# What follows "have" in a perfect, and what "not" does not go before.
PARTICIPLE = r"(?:\w+ed|been|become|had|made|gone|seen|done|lost|found|put|taken)"
NO_NOT_BEFORE = (
    r"(?! (?:not|no|none|never|nothing|nobody|just|only|even|still|also|often|"
    r"sometimes|almost|probably|to)\b)"
)
NEGATABLE = re.compile(
    r"(?<=[a-z] )(?:(?:"
    + "|".join(BE)
    + r")\b(?= [a-z])"
    + NO_NOT_BEFORE
    + r"|(?:has|have|had)\b(?= "
    + PARTICIPLE
    + r"\b))"
)
NEGATION = re.compile(
    r"\b(?:(?P<verb>" + "|".join([*BE, "do", "does", "did"]) + r") not"
    r"|(?P<short>can't|won't|cannot|(?:is|are|was|were|do|does|did|has|have|had|"
    r"could|would|should)n't))(?= [a-z])"
)


def words_of(text):
    return set(re.findall(r"[a-z]{3,}", text.lower()))


def sentences_of(text):
    return [s for s in re.split(r"(?<=[.!?])\s+", text) if len(s.split()) > 3]


def names_of(text):
    """(word before, name): capitalised words inside a sentence. Names that
    follow the same preposition take each other's place."""
    found = re.finditer(
        r"\b(in|at|from|to|near|by|with) ([A-Z][a-z]{2,})\b(?! [A-Z])", text
    )
    return [m.groups() for m in found if m.group(2) not in {*CALENDAR_WORDS, "May"}]


def replace(text, match, word):
    """With the article that the new word takes."""
    before = text[: match.start()]
    article = re.search(r"\b([Aa])n? $", before)
    if article:
        vowel = re.match(r"[aeiou]|8|11\b|18\b", word) is not None
        before = before[: article.start()] + article.group(1) + "n " * vowel
        before += " " * (not vowel)
    return before + word + text[match.end() :]


def change_number(text, draw, _):
    found = [*re.finditer(DIGITS, text), *re.finditer(NUMBER_WORDS, text)]
    found = [m for m in found if m.group() not in ("0", "1")]
    if not found:
        return None
    match = draw.choice(found)
    if match.group() in NUMBERS:
        others = [word for word in NUMBERS if word != match.group()]
        return replace(text, match, draw.choice(others))
    number = int(match.group())
    spread = 30 if number >= 1000 else max(3, number // 2)
    others = {number + d for d in range(-spread, spread + 1) if number + d >= 2}
    others -= {int(m.group()) for m in re.finditer(DIGITS, text)}
    return replace(text, match, str(draw.choice(sorted(others))))


def change_day(text, draw, _):
    found = [m for m in re.finditer(r"\w+", text) if m.group() in CALENDAR_WORDS]
    if not found:
        return None
    match = draw.choice(found)
    kind = next(entries for entries in CALENDAR if match.group() in entries)
    others = [word for word in kind if word not in text]
    return replace(text, match, draw.choice(others)) if others else None


def change_name(text, draw, names):
    own = names_of(text)
    if not own:
        return None
    before, name = draw.choice(own)
    others = sorted({n for b, n in names if b == before and n not in text})
    if not others:
        return None
    match = re.search(rf"(?<=\b{before} ){name}\b", text)
    return replace(text, match, draw.choice(others))


def change_word(text, draw, _):
    fixed = [m.span() for m in UNCHANGED.finditer(text)]
    found = [
        match
        for match in re.finditer(r"(?<!-)\b[a-z]+\b(?!-)", text)
        if match.group() in OPPOSITE
        and not any(a <= match.start() < b for a, b in fixed)
    ]
    if not found:
        return None
    match = draw.choice(found)
    return replace(text, match, OPPOSITE[match.group()])


def change_negation(text, draw, _):
    if text.endswith("?"):
        return None
    negation = NEGATION.search(text)
    if negation:
        short = negation.group("short")
        verb = negation.group("verb") or POSITIVE.get(short) or short[:-3]
        return replace(text, negation, verb)
    found = list(NEGATABLE.finditer(text))
    if not found:
        return None
    match = draw.choice(found)
    return replace(text, match, match.group() + " not")


def corrupted(text, draw, names):
    """None where nothing in the text can be changed."""
    changes = [change_number, change_day, change_name, change_word, change_negation]
    draw.shuffle(changes)
    for change in changes:
        changed = change(text, draw, names)
        if changed and changed != text:
            return changed
    return None


def reworded(text):
    """The same in other words; None where there are none."""
    changed = text
    for pattern, words in CONTRACTIONS:
        changed = re.sub(pattern, words, changed)
    changed = re.sub(NUMBER_WORDS, lambda m: str(NUMBERS[m.group()]), changed)
    for match in reversed(list(re.finditer(r"(?<!-)\b[a-z]+\b(?!-)", changed))):
        if match.group() in SYNONYM:
            changed = replace(changed, match, SYNONYM[match.group()])
    return changed if changed != text else None


def as_answer(claim):
    """As the end of a sentence that begins "This post is about"."""
    first = claim.split()[0]
    if first in ("A", "An", "The", "How", "Why", "What") or first.endswith("ing"):
        claim = claim[0].lower() + claim[1:]
    return claim.rstrip(".")


def most_similar(post, others, draw):
    own = words_of(post["summary"] + " " + post["post"])
    drawn = draw.sample(others, min(8, len(others)))
    return max(drawn, key=lambda other: len(own & words_of(other["summary"])))


def corrupted_in_words(text, draw, names):
    text = draw.choice([text, reworded(text) or text])
    return corrupted(text, draw, names)


def pairs_of(posts, draw):
    names = sorted({name for post in posts for name in names_of(post["post"])})
    for post in posts:
        others = [other for other in posts if other is not post]
        sentences = sentences_of(post["post"])
        summary = post["summary"]
        in_words = [s for s in map(reworded, sentences) if s and s[-1] != "?"]
        similar = most_similar(post, others, draw)["summary"]
        strangers = sentences_of(draw.choice(others)["post"])
        rows = [
            ("entailed", "summary", summary),
            ("entailed", "reworded summary", reworded(summary)),
            (
                "entailed",
                "reworded sentence",
                draw.choice(in_words) if in_words else None,
            ),
            ("not_entailed", "other summary", similar),
            ("not_entailed", "other sentence", draw.choice(strangers)),
            (
                "not_entailed",
                "corrupted summary",
                corrupted_in_words(summary, draw, names),
            ),
            (
                "not_entailed",
                "corrupted sentence",
                corrupted_in_words(draw.choice(sentences), draw, names),
            ),
        ]
        for label, made, claim in rows:
            if claim:
                yield {
                    "post": post["post"],
                    "claim": draw.choice([claim, as_answer(claim)]),
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
