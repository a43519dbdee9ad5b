"""Writes the tokenizer fixtures: tiny tokenizers trained on own text, and the
ids that Hugging Face `tokenizers` gives for the texts of cases.py.

  python make_fixtures.py --gguf SMOLLM2.gguf --tokenizers DIR --minilm DIR

DIR of --tokenizers holds gpt2/{encoder.json,vocab.bpe} and
qwen3/tokenizer.json. Fixtures that are not named stay as they are on disk.
Made with tokenizers 0.22.2.
"""
import argparse
import json
import pathlib

import numpy
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models,
                        normalizers, pre_tokenizers, processors, trainers)

import cases

HERE = pathlib.Path(__file__).parent / "fixtures"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
LONGEST = 300  # ids listed one by one; longer answers are stored as a hash


def split(pattern):
    return pre_tokenizers.Split(Regex(pattern), "isolated")


def byte_level(use_regex):
    return pre_tokenizers.ByteLevel(add_prefix_space=False,
                                    use_regex=use_regex)


def sequence(*steps):
    return pre_tokenizers.Sequence(list(steps))


PRE_TOKENIZERS = {
    "gpt2": byte_level(True),
    "smollm": sequence(pre_tokenizers.Digits(individual_digits=True),
                       byte_level(True)),
    "llama3": sequence(split(LLAMA3), byte_level(False)),
    "qwen": sequence(split(QWEN), byte_level(False)),
    # llama.cpp's `default`, cut step by step.
    "default": sequence(
        split(r"[\p{P}\$\+<=>\^~\|]+"),
        split(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+"
              r"| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"),
        split(r"\p{N}+"), split("[0-9][0-9][0-9]"), byte_level(False)),
    # Options that the families leave alone.
    "odd": sequence(pre_tokenizers.Digits(individual_digits=False),
                    pre_tokenizers.Split(" ", "removed"),
                    pre_tokenizers.ByteLevel(add_prefix_space=True,
                                             use_regex=True)),
}


def special(text, **options):
    return AddedToken(text, special=True, normalized=False, **options)


def tiny_bpe(kind):
    tokenizer = Tokenizer(models.BPE(ignore_merges=kind == "llama3"))
    tokenizer.pre_tokenizer = PRE_TOKENIZERS[kind]
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    if kind in ("qwen", "odd"):
        tokenizer.normalizer = normalizers.NFC()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    if kind == "odd":
        alphabet.remove("\u0142")  # a byte without a token: it is left out
    trainer = trainers.BpeTrainer(
        vocab_size=700, show_progress=False, initial_alphabet=alphabet,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.train_from_iterator(cases.training_text(), trainer)
    if kind == "llama3":
        tokenizer.add_special_tokens([special("<|begin_of_text|>"),
                                      special("<|eot_id|>")])
        begin = tokenizer.token_to_id("<|begin_of_text|>")
        tokenizer.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=True),
            processors.TemplateProcessing(
                single="<|begin_of_text|> $A",
                special_tokens=[("<|begin_of_text|>", begin)])])
    if kind == "odd":
        tokenizer.add_special_tokens([
            special("<gap>", lstrip=True, rstrip=True)])
        tokenizer.add_tokens([
            AddedToken("word", single_word=True, normalized=False),
            AddedToken("caf\u00e9bar", normalized=True),
            AddedToken("cafe\u0301bar", normalized=False),
            AddedToken("long", normalized=False),
            AddedToken("longer", normalized=False),
            AddedToken("\u3002\u3001", normalized=True)])
    return tokenizer


def tiny_word_piece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(
        vocab_size=500, show_progress=False, special_tokens=names)
    # The trainer breaks ties by chance; sorting the text does not help, so
    # this fixture is made again only when it is deleted.
    tokenizer.train_from_iterator(cases.training_text(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return tokenizer


def smollm2(path):
    import gguf
    reader = gguf.GGUFReader(path)
    read = lambda key: reader.fields["tokenizer.ggml." + key].contents()
    tokens, types = read("tokens"), read("token_type")
    merges = [tuple(line.split(" ")) for line in read("merges")]
    tokenizer = Tokenizer(models.BPE(
        {token: i for i, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = PRE_TOKENIZERS["smollm"]
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [special(t) for t, kind in zip(tokens, types) if kind == 3])
    return tokenizer


def gpt2(directory):
    merges = [tuple(line.split(" ")) for line in
              (directory / "vocab.bpe").read_text("utf-8").split("\n")[1:]
              if line]
    vocabulary = json.loads((directory / "encoder.json").read_text("utf-8"))
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = PRE_TOKENIZERS["gpt2"]
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([special("<|endoftext|>")])
    return tokenizer


def load(path):
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def fnv(ids):
    """FNV-1a over the ids as little-endian 32-bit words."""
    value = 0xcbf29ce484222325
    for byte in numpy.asarray(ids, dtype="<u4").tobytes():
        value = ((value ^ byte) * 0x100000001b3) % (1 << 64)
    return f"{value:016x}"


def stored(ids):
    if len(ids) <= LONGEST:
        return ids
    return {"count": len(ids), "fnv": fnv(ids)}


def stored_text(text):
    if len(text) <= LONGEST:
        return text
    data = text.encode("utf-8")
    return {"count": len(data), "fnv": fnv(list(data))}


def expected(tokenizer):
    rows = []
    for parts in cases.CASES:
        data = cases.case_bytes(parts)
        text = data.decode("utf-8", "replace")
        tokenizer.encode_special_tokens = True
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = False
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        framed = tokenizer.encode(text, add_special_tokens=True).ids
        row = {"ids": stored(ids)}
        if plain != ids:
            row["plain"] = stored(plain)
        if framed != ids:
            row["framed"] = stored(framed)
        for key, skip in (("kept", False), ("skipped", True)):
            decoded = tokenizer.decode(framed, skip_special_tokens=skip)
            if decoded.encode("utf-8") != data:
                row[key] = stored_text(decoded)
        rows.append(row)
    return rows


def case_json(parts):
    out = []
    for part in parts:
        if isinstance(part, bytes):
            out.append({"hex": part.hex()})
        elif isinstance(part, tuple):
            out.append({"repeat": part[0], "count": part[1]})
        else:
            out.append(part)
    return out


def write_rows(path, rows):
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[\n" + lines + "\n]\n")
    print(path.name, len(rows), "rows,", path.stat().st_size, "bytes")


def tiny(kind):
    path = HERE / kind / "tokenizer.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        made = tiny_word_piece() if kind == "bert" else tiny_bpe(kind)
        made.save(str(path), pretty=False)
    return Tokenizer.from_file(str(path))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gguf", type=pathlib.Path)
    parser.add_argument("--tokenizers", type=pathlib.Path)
    parser.add_argument("--minilm", type=pathlib.Path)
    options = parser.parse_args()
    write_rows(HERE / "cases.json", [case_json(c) for c in cases.CASES])
    for kind in [*PRE_TOKENIZERS, "bert"]:
        write_rows(HERE / kind / "expected.json", expected(tiny(kind)))
    real = {}
    if options.gguf:
        real["smollm2"] = smollm2(options.gguf)
    if options.tokenizers:
        real["real_gpt2"] = gpt2(options.tokenizers / "gpt2")
        real["real_qwen3"] = load(options.tokenizers / "qwen3/tokenizer.json")
    if options.minilm:
        real["minilm"] = load(options.minilm / "tokenizer.json")
    for name, tokenizer in real.items():
        write_rows(HERE / name / "expected.json", expected(tokenizer))


if __name__ == "__main__":
    main()
