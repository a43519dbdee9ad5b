#!/usr/bin/env python3
"""Makes training examples of Debian package descriptions.

    examples/import_debian.py FOLDER [--lists PATH ..] [--validation SHARE]

A machine with apt has the package lists already (deb822 paragraphs; Debian
Policy, chapter 5). The long description becomes the `post`, the one-line
synopsis its `summary`, the package name the `id`. Writes train.jsonl and
validation.jsonl into FOLDER. Needs Python only.

Descriptions with the same text are kept once; those that begin with the same
paragraph (a library, its headers, its documentation) go to the same file. The
split depends on the seed and the texts, not on their order: it draws the
groups, sorted, in the order that `moft` would shuffle them in.
"""

import argparse
import json
import os
import sys
from collections import Counter
from pathlib import Path

MAX_TEXT_BYTES = 65536  # far longer than any real description
MAX_LINE_BYTES = 1024  # names and synopses
BLANKS = b" \t\n\v\f\r"
UINT32 = 0xFFFFFFFF
SHUFFLE = 2  # the purpose that moft/core/random.h gives its shuffles


class Refused(Exception):
    """What to print for a command that cannot be carried out."""


# ---- Reading ----------------------------------------------------------------


def join_description(lines):
    """A description's continuation lines as text, or None if it is too long.

    Paragraphs become one line each; indented lines (lists) keep theirs."""
    text = b""
    ended = after_kept = False
    for line in lines:
        if line.strip(BLANKS) == b".":
            ended = True
            continue
        kept = line[:1] in (b" ", b"\t")
        if text:
            text += b"\n" if ended or kept or after_kept else b" "
        text += line.strip(BLANKS)
        ended, after_kept = False, kept
        if len(text) > MAX_TEXT_BYTES:
            return None
    return text


def read_stanza(lines):
    """(package, synopsis, text) in bytes; None for what is absent.

    Of several names or descriptions the first counts."""
    package = synopsis = None
    described = []
    inside = False
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            if inside:
                described.append(line[1:])
            continue
        inside = False
        key, colon, value = line.partition(b":")
        if not colon:
            continue
        key, value = key.lower(), value.strip(BLANKS)
        if key == b"package" and package is None:
            package = value
        elif key in (b"description", b"description-en") and synopsis is None:
            synopsis, inside = value, True
    return package, synopsis, join_description(described)


def stanzas(content):
    lines = []
    for line in content.split(b"\n"):
        line = line.removesuffix(b"\r")
        if line.strip(BLANKS):
            lines.append(line)
        elif lines:
            yield lines
            lines = []
    if lines:
        yield lines


def parse_list(content, counts):
    """The (package, synopsis, text) of one list, as str. Counts the others:
    `bare` has a synopsis only; `refused` is not UTF-8, too long or has no
    name."""
    found = []
    for lines in stanzas(content):
        package, synopsis, text = read_stanza(lines)
        if synopsis is None:
            continue
        good = package and synopsis and text is not None
        good = good and len(package) <= MAX_LINE_BYTES
        good = good and len(synopsis) <= MAX_LINE_BYTES
        try:
            entry = good and tuple(
                part.decode() for part in (package, synopsis, text)
            )
        except UnicodeDecodeError:
            entry = None
        if not entry:
            counts["refused"] += 1
        elif not text.strip(BLANKS):
            counts["bare"] += 1
        else:
            found.append(entry)
    return found


def find_lists(path):
    """The package lists in a folder, sorted; `path` itself if it is a file."""
    if not path.exists():
        raise Refused(
            f"--lists {path}: does not exist; give a package list or a folder "
            "of them"
        )
    if not path.is_dir():
        return [path]
    ends = ("_Packages", "_Translation-en")
    lists = sorted(file for file in path.iterdir() if file.name.endswith(ends))
    packed = sorted(file for file in path.iterdir() if file.stem.endswith(ends))
    if lists:
        return lists
    if packed:
        raise Refused(
            f"--lists {path}: the lists are compressed; unpack each into "
            "another folder, '/usr/lib/apt/apt-helper cat-file "
            f"{packed[0]} > FOLDER/{packed[0].stem}', and give that folder"
        )
    raise Refused(
        f"--lists {path}: no package lists (files that end in _Packages or "
        "_Translation-en); fetch them with 'apt-get update'"
    )


# ---- Splitting --------------------------------------------------------------


def philox4x32(counter, key):
    """Philox4x32-10 (Salmon et al., SC 2011)."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        a, b = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (
            (b >> 32) ^ c1 ^ k0,
            b & UINT32,
            (a >> 32) ^ c3 ^ k1,
            a & UINT32,
        )
        k0, k1 = (k0 + 0x9E3779B9) & UINT32, (k1 + 0xBB67AE85) & UINT32
    return c0, c1, c2, c3


def random_words(seed):
    """64-bit words of the stream (seed, shuffle, 0, 0) of moft/core/random.h."""
    block = 0
    while True:
        words = philox4x32(
            (block, 0, 0, SHUFFLE), (seed & UINT32, seed >> 32 & UINT32)
        )
        yield words[0] | words[1] << 32
        yield words[2] | words[3] << 32
        block += 1


def shuffled(items, seed):
    """Fisher and Yates, as moft/data/shuffler.h orders its first epoch."""
    items = list(items)
    words = random_words(seed)
    for i in range(len(items), 1, -1):
        word = next(words)
        while word < 2**64 % i:
            word = next(words)
        j = word % i
        items[i - 1], items[j] = items[j], items[i - 1]
    return items


def first_paragraph(entry):
    return entry[2].partition("\n")[0]


def without_repeats(entries):
    first = {}
    for entry in entries:
        first.setdefault(entry[2], entry)
    return list(first.values())


def split(entries, share, seed):
    """(train, validation), each in the order given."""
    sizes = Counter(map(first_paragraph, entries))
    chosen, taken = set(), 0
    for group in shuffled(sorted(sizes, key=str.encode), seed):
        if taken >= share * len(entries):
            break
        chosen.add(group)
        taken += sizes[group]
    sides = [], []
    for entry in entries:
        sides[first_paragraph(entry) in chosen].append(entry)
    return sides


# ---- Writing ----------------------------------------------------------------


def as_line(entry):
    package, synopsis, text = entry
    return json.dumps(
        {"id": package, "post": text, "summary": synopsis},
        ensure_ascii=False,
        separators=(",", ":"),
    )


def write(path, entries):
    """Whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    with open(partial, "w", encoding="utf-8", newline="") as file:
        file.writelines(as_line(entry) + "\n" for entry in entries)
    os.replace(partial, path)
    print(f"{path}  {len(entries)} examples")


def run(options):
    if not 0 <= options.validation < 1:
        raise Refused(
            f"--validation {options.validation}: give at least 0 and less than 1"
        )
    files = [options.folder / name for name in ("train.jsonl", "validation.jsonl")]
    for file in files:
        if file.exists() and not options.overwrite:
            raise Refused(
                f"{file}: exists already; give another folder, or --overwrite "
                "to replace it"
            )
    counts = Counter()
    found = []
    for path in options.lists:
        for file in find_lists(path):
            found += parse_list(file.read_bytes(), counts)
    if not found:
        raise Refused(
            f"no package has a long description ({counts['bare']} have only a "
            "synopsis); Debian keeps them in the Translation-en lists: fetch "
            "those with 'apt-get -o Acquire::Languages=en update'"
        )
    kept = without_repeats(found)
    print(
        f"{len(found)} descriptions, {len(found) - len(kept)} of them repeats; "
        f"{counts['bare']} with only a synopsis, {counts['refused']} refused",
        file=sys.stderr,
    )
    options.folder.mkdir(parents=True, exist_ok=True)
    for file, side in zip(files, split(kept, options.validation, options.seed)):
        write(file, side)


def main():
    parser = argparse.ArgumentParser(
        description="Makes training examples of Debian package descriptions."
    )
    parser.add_argument("folder", type=Path, help="where to write the examples")
    parser.add_argument(
        "--lists",
        type=Path,
        nargs="+",
        default=[Path("/var/lib/apt/lists")],
        help="package lists (Packages, Translation-en) or folders of them",
    )
    parser.add_argument(
        "--validation",
        type=float,
        default=0.05,
        help="share of the examples that goes to validation.jsonl",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the split")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace existing files"
    )
    try:
        run(parser.parse_args())
    except (Refused, OSError) as error:
        print(f"import_debian: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
