"""Fixtures of tokenizers that write a space as U+2581, and of the ways in which
GGUF files cut text.

  python make_spm.py            with transformers 4.57.6 (tokenizers 0.22.2)
  python make_spm.py --t5       with transformers 5.17.0 (tokenizers 0.23.3)

The first writes
  spm_legacy  tokenizer.json as transformers converts Llama 2's: Prepend and
              Replace; pieces.json, the same pieces with score and kind
  spm_first   the other form: Metaspace before the first piece only
  spm_always, spm_never   Metaspace as in old files, with its own cuts
  spm_model   tokenizer.model alone; ids of LlamaTokenizerFast
  spm_added   tokenizer.model, legacy: false, end token, added_tokens.json
  cut_*       expected ids of one byte-level model (uncut/tokenizer.json) under
              the pre-tokenizers of GGUF files
The second writes t5_json: what transformers 5 saves for fixtures/t5.
"""
import argparse
import json
import logging
import os
import pathlib
import shutil
import tempfile

import sentencepiece
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models,
                        normalizers, pre_tokenizers, processors, trainers)

import cases
import make_fixtures

HERE = make_fixtures.HERE
SPACE = "\u2581"
MORE = ["<s>", "a<s>b", "<s> a </s>b</s>", "x<ud>y <ud> z", "<unk> <0x0A>",
        " leading", "  two", "trailing ", "\n", "\u65e5\u672c", "\U0001f600 x",
        "\uff1c/s\uff1e", "Hello\u2581world", "caf\u00e9 \ufb01n"]


def train(path):
    """A byte-pair model like Llama 2's: identity, bytes, all white space."""
    home = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pathlib.Path("text").write_text("\n".join(
            line.replace("\n", " ") for line in cases.training_text()))
        sentencepiece.SentencePieceTrainer.train(
            input="text", model_prefix="tiny", model_type="bpe",
            vocab_size=520, byte_fallback=True, character_coverage=0.98,
            normalization_rule_name="identity", split_digits=True,
            remove_extra_whitespaces=False, allow_whitespace_only_pieces=True,
            user_defined_symbols=["<ud>"], num_threads=1, minloglevel=2)
        path.write_bytes(pathlib.Path("tiny.model").read_bytes())
        os.chdir(home)


def pieces_of(path):
    sp = sentencepiece.SentencePieceProcessor(str(path))
    kind = lambda i: (2 if sp.is_unknown(i) else 3 if sp.is_control(i) else
                      6 if sp.is_byte(i) else 5 if sp.is_unused(i) else
                      4 if sp.id_to_piece(i) == "<ud>" else 1)
    return [[sp.id_to_piece(i), sp.get_score(i), kind(i)]
            for i in range(sp.get_piece_size())]


def merges_of(pieces):
    known = {text for text, _, kind in pieces if kind == 1}
    merges = []
    for text, score, kind in pieces:
        if kind != 1:
            continue
        for at in range(1, len(text)):
            if text[:at] in known and text[at:] in known:
                merges.append((-score, text[:at], text[at:]))
    order = {piece[0]: i for i, piece in enumerate(pieces)}
    merges.sort(key=lambda m: (m[0], order[m[1]], order[m[2]]))
    return [(left, right) for _, left, right in merges]


def llama(pieces, normalizer, pre_tokenizer, decoder=None):
    tokenizer = Tokenizer(models.BPE(
        {piece[0]: i for i, piece in enumerate(pieces)}, merges_of(pieces),
        unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoder or decoders.Sequence([
        decoders.Replace(SPACE, " "), decoders.ByteFallback(),
        decoders.Fuse(), decoders.Strip(content=" ", left=1)])
    tokenizer.add_special_tokens(
        [make_fixtures.special(t) for t in ("<unk>", "<s>", "</s>")])
    tokenizer.add_tokens([AddedToken("<ud>", normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def forms(pieces):
    sequence = normalizers.Sequence
    metaspace = pre_tokenizers.Metaspace
    return {
        "spm_legacy": llama(pieces, sequence([
            normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)]), None),
        "spm_first": llama(pieces, None, metaspace(
            prepend_scheme="first", split=False)),
        "spm_always": llama(
            pieces, sequence([normalizers.NFKC(), normalizers.Strip(),
                              normalizers.Replace(Regex(" {2,}"), " ")]),
            metaspace(prepend_scheme="always", split=True),
            decoders.Metaspace(prepend_scheme="always", split=True)),
        "spm_never": llama(
            pieces, None, metaspace(prepend_scheme="never", split=True),
            decoders.Sequence([
                decoders.ByteFallback(),
                decoders.Metaspace(prepend_scheme="never", split=True)])),
    }


class Fast:
    """A fast tokenizer of transformers with the words of `tokenizers`."""

    encode_special_tokens = False

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def encode(self, text, add_special_tokens=True):
        self.tokenizer.backend_tokenizer.encode_special_tokens = (
            self.encode_special_tokens)
        ids = self.tokenizer(
            text, add_special_tokens=add_special_tokens).input_ids
        return type("Encoding", (), {"ids": ids})

    def decode(self, ids, skip_special_tokens):
        return self.tokenizer.decode(
            ids, skip_special_tokens=skip_special_tokens)


def more_rows(tokenizer):
    rows = []
    for text in MORE:
        ids = tokenizer.encode(text).ids
        rows.append({"text": text, "ids": ids,
                     "kept": tokenizer.decode(ids, False),
                     "skipped": tokenizer.decode(ids, True)})
    return rows


def write(name, tokenizer):
    make_fixtures.write_rows(
        HERE / name / "expected.json", make_fixtures.expected(tokenizer))
    make_fixtures.write_rows(HERE / name / "more.json", more_rows(tokenizer))


def write_models(model):
    from transformers import LlamaTokenizerFast
    for name in ("spm_model", "spm_added"):
        (HERE / name).mkdir(exist_ok=True)
    path = HERE / "spm_model/tokenizer.model"
    if path != model:
        shutil.copy(model, path)
    folder = HERE / "spm_added"
    shutil.copy(model, folder)
    (folder / "added_tokens.json").write_text('{"<plus>": 520}\n')
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "LlamaTokenizer", "legacy": False,
        "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
        "add_bos_token": True, "add_eos_token": True,
        "clean_up_tokenization_spaces": False}, indent=1) + "\n")
    for name, legacy in (("spm_model", True), ("spm_added", False)):
        arguments = {"legacy": True} if legacy else {}
        write(name, Fast(
            LlamaTokenizerFast.from_pretrained(str(HERE / name), **arguments)))


# As the families' tokenizer.json write them.
CUTS = {
    "cut_qwen35": (normalizers.NFC(), [Regex(
        make_fixtures.QWEN.replace(r"]?\p{L}+", r"]?[\p{L}\p{M}]+")
        .replace(r"[^\s\p{L}\p{N}]", r"[^\s\p{L}\p{M}\p{N}]"))]),
    "cut_tekken": (None, [Regex(
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*"
        r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?"
        r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")]),
    "cut_gpt4o": (None, [Regex(
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*"
        r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
        r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")]),
    "cut_deepseek_coder": (None, [
        Regex("[\r\n]"), Regex(r"\s?\p{L}+"), Regex(r"\s?\p{P}+"),
        Regex("[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"), "digits"]),
    "cut_deepseek_v3": (None, [
        Regex(r"\p{N}{1,3}"), Regex("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"),
        Regex(r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"""
              r"""|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"""
              r"""|\s*[\r\n]+|\s+(?!\S)|\s+""")]),
    "cut_llama3": (None, [Regex(make_fixtures.LLAMA3)]),
    "cut_qwen2": (normalizers.NFC(), [Regex(make_fixtures.QWEN)]),
}
IGNORE_MERGES = {"cut_tekken", "cut_llama3"}


def uncut():
    """Merges across words and digits, so that every cut shows."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = make_fixtures.byte_level(False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=900, show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    lines = ["".join(p if isinstance(p, str) else "" for p in parts)
             for parts in cases.CASES]
    tokenizer.train_from_iterator(lines * 3 + cases.training_text(), trainer)
    return tokenizer


def write_cuts():
    path = HERE / "uncut/tokenizer.json"
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        uncut().save(str(path), pretty=False)
    for name, (normalizer, cuts) in CUTS.items():
        data = json.loads(path.read_text())
        data["model"]["ignore_merges"] = name in IGNORE_MERGES
        tokenizer = Tokenizer.from_str(json.dumps(data))
        if normalizer is not None:
            tokenizer.normalizer = normalizer
        steps = [pre_tokenizers.Digits(individual_digits=True)
                 if cut == "digits" else pre_tokenizers.Split(cut, "isolated")
                 for cut in cuts]
        tokenizer.pre_tokenizer = make_fixtures.sequence(
            *steps, make_fixtures.byte_level(False))
        rows = [{key: row[key] for key in ("ids", "plain") if key in row}
                for row in make_fixtures.expected(tokenizer)]
        make_fixtures.write_rows(HERE / name / "expected.json", rows)


def write_t5():
    from transformers import AutoTokenizer, T5Tokenizer
    folder = HERE / "t5_json"
    if not (folder / "tokenizer.json").exists():
        T5Tokenizer.from_pretrained(str(HERE / "t5")).save_pretrained(
            str(folder))
    tokenizer = Fast(AutoTokenizer.from_pretrained(str(folder)))
    write("t5_json", tokenizer)
    plain = Tokenizer.from_file(str(folder / "tokenizer.json"))
    for parts in cases.CASES:
        text = cases.case_bytes(parts).decode("utf-8", "replace")
        assert plain.encode(text).ids == tokenizer.encode(text).ids, text


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--t5", action="store_true")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    if options.t5:
        write_t5()
        return
    model = HERE / "spm_model/tokenizer.model"
    model.parent.mkdir(exist_ok=True)
    if not model.exists():
        train(model)
    pieces = pieces_of(model)
    for name, tokenizer in forms(pieces).items():
        (HERE / name).mkdir(exist_ok=True)
        tokenizer.save(str(HERE / name / "tokenizer.json"), pretty=False)
        write(name, tokenizer)
    (HERE / "spm_legacy/pieces.json").write_text(
        json.dumps(pieces, separators=(",", ":")) + "\n")
    write_models(model)
    write_cuts()


if __name__ == "__main__":
    main()
