"""Ids of real lines, for the test RealTokenizer.EqualsHuggingFaceOnRealLines.

  python compare_lines.py --data DIR --out DIR [--lines 12000]
      [--gguf SMOLLM2.gguf] [--tokenizers DIR] [--minilm DIR]

Reads every *.jsonl.xz and *.jsonl of --data, takes all strings that are
fields of its rows (files in turn, so that each kind of text is there), writes
OUT/<tokenizer>.jsonl and prints Hugging Face's speed per CPU second.
Then: MOFT_DATA_DIR=OUT MOFT_TOKENIZER_DIR=.. tokenizers_test
"""
import argparse
import itertools
import json
import lzma
import os
import pathlib
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import make_fixtures  # noqa: E402  (the variables above come first)
import make_t5  # noqa: E402


def texts_of(path):
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        for line in file:
            for value in json.loads(line).values():
                if isinstance(value, str) and len(value) > 20:
                    yield value


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--lines", type=int, default=12000)
    parser.add_argument("--gguf", type=pathlib.Path)
    parser.add_argument("--tokenizers", type=pathlib.Path)
    parser.add_argument("--minilm", type=pathlib.Path)
    options = parser.parse_args()
    files = sorted(options.data.glob("*.jsonl.xz"))
    files += sorted(options.data.glob("*.jsonl"))
    turns = itertools.chain.from_iterable(
        itertools.zip_longest(*map(texts_of, files)))
    texts = list(itertools.islice(
        (text for text in turns if text), options.lines))
    size = sum(len(text.encode("utf-8")) for text in texts)
    options.out.mkdir(parents=True, exist_ok=True)
    real = {}
    if options.gguf:
        real["smollm2"] = make_fixtures.smollm2(options.gguf)
    if options.tokenizers:
        real["real_gpt2"] = make_fixtures.gpt2(options.tokenizers / "gpt2")
        real["real_qwen3"] = make_fixtures.load(
            options.tokenizers / "qwen3/tokenizer.json")
        real["real_t5"] = make_t5.real(options.tokenizers / "t5")
    if options.minilm:
        real["minilm"] = make_fixtures.load(options.minilm / "tokenizer.json")
    for name, tokenizer in real.items():
        begin = time.process_time()
        ids = [tokenizer.encode(text).ids for text in texts]
        single = time.process_time() - begin
        begin = time.process_time()
        tokenizer.encode_batch_fast(texts)
        batch = time.process_time() - begin
        with open(options.out / (name + ".jsonl"), "w") as file:
            for text, row in zip(texts, ids):
                file.write(json.dumps({"text": text, "ids": row}) + "\n")
        print(f"{name}: {len(texts)} lines, {size / 1e6:.1f} MB, Hugging Face "
              f"{size / 1e6 / single:.2f} MB/s one by one, "
              f"{size / 1e6 / batch:.2f} MB/s in a batch (CPU time)")


if __name__ == "__main__":
    main()
