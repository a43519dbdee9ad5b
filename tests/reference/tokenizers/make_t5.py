"""Fixtures of T5's tokenizer: what transformers' slow T5Tokenizer gives.

  python make_t5.py [--tokenizers DIR]

Writes fixtures/t5 (a tiny spiece.model trained on own text, no configuration),
fixtures/t5_config (the same with a tokenizer_config.json) and, from
DIR/t5/spiece.model and its tokenizer_config.json, fixtures/real_t5; in each
expected.json for cases.py and sentinels.json for texts with special tokens.
Made with transformers 4.57.6, sentencepiece 0.2.1. (0.1.97 to 0.2.1 agree on
12,000 real lines; 0.2.3 chooses otherwise on 18 of them, between segmentations
whose scores are equal: "D DD" for "DD D".)
"""
import argparse
import json
import logging
import os
import pathlib
import tempfile

import sentencepiece
from transformers import T5Tokenizer

import cases
import make_fixtures

HERE = make_fixtures.HERE

# Texts and ids with special tokens among them.
SENTINELS = [
    "<extra_id_0>",
    "a <extra_id_0> b",
    "The <extra_id_0> walks in <extra_id_1> park",
    "words<extra_id_1>touch<extra_id_2>",
    " <extra_id_3>  <extra_id_4> \t x\n<extra_id_5>\n\ny",
    "<extra_id_99><extra_id_98> <extra_id_100> <extra_id_01>",
    "<extra_id_1 <extra_id_> <EXTRA_ID_1>",
    "the end</s> is not the end</s></s>",
    "</s>",
    "<pad> pad <pad><pad>",
    "what is <unk> here<unk>?",
    "<s> is not a token of it",
    "do n't you , he 's ' here ' ! I 'm , we 've ?",
    "\u2581 written \u2581spaces\u2581",
    "\u65e5\u672c <extra_id_0> \u65e5\u672c\u8a9e",
]
RUNS = [
    [], [0], [1], [2], [1, 1], [0, 0, 5, 1], [5, 2, 6], [2, 5, 2], [5, 1, 6, 1],
]


class Slow:
    """The slow tokenizer with the words of `tokenizers`."""

    encode_special_tokens = False

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def encode(self, text, add_special_tokens=True):
        self.tokenizer.split_special_tokens = self.encode_special_tokens
        ids = self.tokenizer(
            text, add_special_tokens=add_special_tokens).input_ids
        return type("Encoding", (), {"ids": ids})

    def encode_batch_fast(self, texts):
        return [self.encode(text) for text in texts]

    def decode(self, ids, skip_special_tokens):
        return self.tokenizer.decode(
            ids, skip_special_tokens=skip_special_tokens)


def real(directory):
    return Slow(T5Tokenizer.from_pretrained(str(directory)))


# A few rules of each kind: full-width letters, composition, marks that go.
def normaliser_rules():
    rules = {chr(0xFF21 + i): chr(0x41 + i) for i in range(26)}
    rules |= {"\ufb01": "fi", "\u2026": "...", "e\u0301": "\u00e9"}
    rules |= {space: " " for space in "\t\n\r\u00a0\u3000\u2003"}
    rules |= {"\u200b": "", "\u00ad": ""}
    return "".join(
        " ".join(f"{ord(c):X}" for c in source)
        + "\t" + " ".join(f"{ord(c):X}" for c in target) + "\n"
        for source, target in rules.items())


def train(path):
    """The file keeps the names it was made with: plain ones."""
    home = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pathlib.Path("rules.tsv").write_text(normaliser_rules())
        pathlib.Path("text").write_text("\n".join(
            line.replace("\n", " ") for line in cases.training_text()))
        sentencepiece.SentencePieceTrainer.train(
            input="text", model_prefix="tiny", vocab_size=220,
            character_coverage=0.995, normalization_rule_tsv="rules.tsv",
            pad_id=0, eos_id=1, unk_id=2, bos_id=-1, num_threads=1,
            hard_vocab_limit=False, minloglevel=2)
        path.write_bytes(pathlib.Path("tiny.model").read_bytes())
        os.chdir(home)


CONFIG = {
    "tokenizer_class": "T5Tokenizer",
    "extra_ids": 5,
    "additional_special_tokens": [f"<extra_id_{i}>" for i in range(5)],
    "clean_up_tokenization_spaces": True,
    "eos_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": {"content": "<unk>", "__type": "AddedToken", "lstrip": False,
                  "rstrip": False, "normalized": False, "single_word": False},
    "legacy": True,
}


def added(content, **flags):
    return {"content": content, "lstrip": False, "normalized": False,
            "rstrip": False, "single_word": False, "special": True, **flags}


def with_config(directory, pieces):
    config = dict(CONFIG)
    config["added_tokens_decoder"] = {
        "0": added("<pad>"), "1": added("</s>", rstrip=True),
        "2": added("<unk>"),
        **{str(pieces + 4 - i): added(f"<extra_id_{i}>", lstrip=i == 1)
           for i in range(5)}}
    text = json.dumps(config, indent=1) + "\n"
    (directory / "tokenizer_config.json").write_text(text)


def sentinel_rows(tokenizer):
    rows = []
    size = len(tokenizer.tokenizer)
    runs = RUNS + [
        [size - 1], [5, size - 1, 6], [size - 1, size - 2, 7, 1],
        [2, size - 1, 2], [9, 1, size - 3, 8],
    ]
    for text in SENTINELS:
        row = {"text": text, "ids": tokenizer.encode(text).ids}
        tokenizer.encode_special_tokens = True
        row["plain"] = tokenizer.encode(text).ids
        tokenizer.encode_special_tokens = False
        rows.append(row)
        runs.append(row["ids"])
    for ids in runs:
        rows.append({"decode": ids, "kept": tokenizer.decode(ids, False),
                     "skipped": tokenizer.decode(ids, True)})
    return rows


def write(name, tokenizer):
    directory = HERE / name
    make_fixtures.write_rows(
        directory / "expected.json", make_fixtures.expected(tokenizer))
    make_fixtures.write_rows(
        directory / "sentinels.json", sentinel_rows(tokenizer))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizers", type=pathlib.Path)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    for name in ("t5", "t5_config"):
        (HERE / name).mkdir(exist_ok=True)
    model = HERE / "t5/spiece.model"
    if not model.exists():
        train(model)
    (HERE / "t5_config/spiece.model").write_bytes(model.read_bytes())
    write("t5", Slow(T5Tokenizer(str(model))))
    pieces = sentencepiece.SentencePieceProcessor(str(model)).get_piece_size()
    with_config(HERE / "t5_config", pieces)
    write("t5_config", real(HERE / "t5_config"))
    if options.tokenizers:
        write("real_t5", real(options.tokenizers / "t5"))


if __name__ == "__main__":
    main()
