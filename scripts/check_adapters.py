#!/usr/bin/env python3
"""Checks adapters against PEFT, and GGUF files against the package gguf.

  scripts/check_adapters.py MOFT [--folder DIR] [--tolerance 1e-5]

MOFT is the program. On tiny random models of several families (Llama, Llama
with an untied head, Qwen2, Qwen3, T5) two adapters are made with PEFT, mixed by
`moft soup`, and exported in every format. Compared are the log-probabilities of
every token after several prompts:

  in       --adapter DIR on the base          with PEFT's own adapter
           the policy at each objective       with PEFT's adapters
           mixtures                           with add_weighted_adapter(.., "cat")
  out      --format peft, one per objective   loaded by PEFT
           --format peft of a weighting       loaded by PEFT
           --format hf, whole and in shards   loaded by transformers
           --format gguf-adapter              read by gguf: the same updates
           --format gguf, f32 f16 bf16 q8_0   read by gguf: the bytes that it
                                              would write itself
           the same                           read back by moft

A difference is given relative to the largest logit. Exits with 1 when one
exceeds the tolerance. Needs torch, transformers, peft, safetensors and gguf; not
part of the test suite.
"""

import argparse
import json
import math
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy
import torch
import transformers
import peft
import gguf

LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]
END = "<end>"
PROMPTS = ["hello.", "a b c", "zyx wvu tsr", "moft"]
worst = 0.0


def byte_tokens():
    return ["\u0120"] + LETTERS + ["."] + [END]


def write_tokenizer(folder, end_at_prompt):
    """Byte-level BPE without merges, or T5's kind of Unigram."""
    if end_at_prompt:
        pieces = ["<pad>", "</s>", "<unk>", "\u2581"] + LETTERS + ["."]
        special = [
            dict(id=i, content=pieces[i], single_word=False, lstrip=False,
                 rstrip=False, normalized=False, special=True)
            for i in range(3)
        ]
        space = dict(type="Metaspace", replacement="\u2581",
                     prepend_scheme="always", split=True)
        tokenizer = dict(
            version="1.0", truncation=None, padding=None,
            added_tokens=special, normalizer=None, pre_tokenizer=space,
            post_processor=dict(
                type="TemplateProcessing",
                single=[{"Sequence": {"id": "A", "type_id": 0}},
                        {"SpecialToken": {"id": "</s>", "type_id": 0}}],
                pair=[{"Sequence": {"id": "A", "type_id": 0}},
                      {"SpecialToken": {"id": "</s>", "type_id": 0}}],
                special_tokens={"</s>": dict(id="</s>", ids=[1],
                                             tokens=["</s>"])}),
            decoder=space,
            model=dict(type="Unigram", unk_id=2, byte_fallback=False,
                       vocab=[[piece, -1.0] for piece in pieces]))
        config = dict(tokenizer_class="T5Tokenizer", eos_token="</s>",
                      pad_token="<pad>", unk_token="<unk>")
    else:
        pieces = byte_tokens()
        level = dict(type="ByteLevel", add_prefix_space=False,
                     trim_offsets=True, use_regex=True)
        tokenizer = dict(
            version="1.0", truncation=None, padding=None,
            added_tokens=[dict(id=len(pieces) - 1, content=END,
                               single_word=False, lstrip=False, rstrip=False,
                               normalized=False, special=True)],
            normalizer=None, pre_tokenizer=level, post_processor=None,
            decoder=level,
            model=dict(type="BPE", vocab={p: i for i, p in enumerate(pieces)},
                       merges=[]))
        config = dict(tokenizer_class="PreTrainedTokenizerFast",
                      eos_token=END,
                      chat_template="{{ messages[0]['content'] }}")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return pieces


def configurations():
    size = len(byte_tokens())
    common = dict(
        vocab_size=size, hidden_size=64, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, intermediate_size=96,
        max_position_embeddings=128, eos_token_id=size - 1, bos_token_id=None,
        pad_token_id=None)
    yield "llama", transformers.LlamaConfig(
        **common, tie_word_embeddings=True)
    yield "llama_untied", transformers.LlamaConfig(
        **common, tie_word_embeddings=False, attention_bias=True,
        rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0,
                          high_freq_factor=4.0,
                          original_max_position_embeddings=32))
    yield "qwen2", transformers.Qwen2Config(
        **common, tie_word_embeddings=False)
    yield "qwen3", transformers.Qwen3Config(
        **common, head_dim=16, tie_word_embeddings=True)
    yield "t5", transformers.T5Config(
        vocab_size=31, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=1)


def model_class(config):
    return (transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder
            else transformers.AutoModelForCausalLM)


def randomise(module, seed, spread):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(module.named_parameters()):
            if "norm" in name:
                continue
            parameter.copy_(
                torch.randn(parameter.shape, generator=generator) * spread)


def make_base(folder, config):
    folder.mkdir(parents=True)
    model = model_class(config).from_config(config)
    randomise(model, 1, 0.2)
    model.save_pretrained(folder)
    return write_tokenizer(folder, config.is_encoder_decoder)


def adapter_configs(config):
    """Two adapters, with what the version of PEFT knows."""
    t5 = config.is_encoder_decoder
    task = "SEQ_2_SEQ_LM" if t5 else "CAUSAL_LM"
    yield "helpful", peft.LoraConfig(
        r=4, lora_alpha=8, task_type=task,
        target_modules=["q", "v", "wo"] if t5 else ["q_proj", "v_proj"])
    new = "use_rslora" in peft.LoraConfig.__dataclass_fields__
    all_linear = (
        ["q", "k", "v", "o", "wi_0", "wi_1", "wo"] if t5
        else ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj",
              "down_proj"])
    yield "harmless", peft.LoraConfig(
        r=3, lora_alpha=5, task_type=task,
        target_modules="all-linear" if new else all_linear,
        rank_pattern={"o" if t5 else "o_proj": 2},
        alpha_pattern={"k" if t5 else "down_proj": 7},
        **({"use_rslora": True} if new else {}))


def fresh(base):
    config = transformers.AutoConfig.from_pretrained(base)
    return model_class(config).from_pretrained(
        base, torch_dtype=torch.float32).eval()


def make_adapter(base, folder, config, seed):
    model = peft.get_peft_model(fresh(base), config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if "lora_" in name:
                parameter.copy_(
                    torch.randn(parameter.shape, generator=generator) * 0.1)
    model.save_pretrained(folder, safe_serialization=True)


class Pairs:
    """Every prompt with every token that can be written."""

    def __init__(self, folder, pieces, encoder_decoder):
        self.encoder_decoder = encoder_decoder
        self.ids = {piece: i for i, piece in enumerate(pieces)}
        self.targets = [i for i, p in enumerate(pieces) if p in LETTERS]
        self.file = folder / "pairs.jsonl"
        with self.file.open("w") as out:
            for prompt in PROMPTS:
                for i in self.targets:
                    line = dict(prompt=prompt, completion=pieces[i])
                    out.write(json.dumps(line) + "\n")

    def prompt_ids(self, text):
        if not self.encoder_decoder:
            return [self.ids["\u0120" if c == " " else c] for c in text]
        ids = []
        for word in text.split(" "):
            ids += [self.ids["\u2581"]] + [self.ids[c] for c in word]
        return ids + [1]

    def theirs(self, model):
        """Log-probabilities [prompts, targets] and the largest logit."""
        rows, largest = [], 0.0
        for prompt in PROMPTS:
            ids = torch.tensor([self.prompt_ids(prompt)])
            with torch.no_grad():
                if self.encoder_decoder:
                    # After T5's mark of a word's beginning.
                    start = torch.tensor([[0, self.ids["\u2581"]]])
                    logits = model(
                        input_ids=ids, decoder_input_ids=start).logits
                else:
                    logits = model(input_ids=ids).logits
            row = logits[0, -1].double()
            largest = max(largest, row.abs().max().item())
            rows.append(row.log_softmax(-1)[self.targets])
        return torch.stack(rows), largest


class Checker:
    def __init__(self, moft, folder, pairs):
        self.moft, self.folder, self.pairs = moft, folder, pairs

    def run(self, *words):
        done = subprocess.run(
            [self.moft, *map(str, words)], cwd=self.folder,
            capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"moft {' '.join(map(str, words))}:\n{done.stderr}")
        return done.stdout

    def ours(self, *words):
        lines = self.run("score", *words, "--input", self.pairs.file)
        place = 1 if self.pairs.encoder_decoder else 0
        values = [json.loads(line)["token_log_probs"][place]
                  for line in lines.splitlines()]
        return torch.tensor(values, dtype=torch.float64).reshape(
            len(PROMPTS), -1)

    def compare(self, what, ours, model, tolerance=None):
        global worst
        theirs, largest = self.pairs.theirs(model)
        report(what, (ours - theirs).abs().max().item() / largest, tolerance)


def report(what, gap, tolerance=None):
    global worst
    if tolerance is None:
        worst = max(worst, gap)
    note = "" if tolerance is None else f" (allowed {tolerance:.0e})"
    print(f"  {what:<52} {gap:.1e}{note}")
    if tolerance is not None and gap > tolerance:
        worst = math.inf


def quantised(array, kind):
    if kind == gguf.GGMLQuantizationType.F32:
        return array
    return gguf.quants.quantize(array, kind)


KINDS = {
    "f32": gguf.GGMLQuantizationType.F32,
    "f16": gguf.GGMLQuantizationType.F16,
    "bf16": gguf.GGMLQuantizationType.BF16,
    "q8_0": gguf.GGMLQuantizationType.Q8_0,
}


def permuted(array, heads):
    """llama.cpp's conversion/llama.py: permute()."""
    shape = array.shape
    return (array.reshape(heads, 2, shape[0] // heads // 2, *shape[1:])
            .swapaxes(1, 2).reshape(shape))


def expected_rows(config, name, array):
    if config.model_type != "llama":
        return array
    if ".q_proj." in name:
        return permuted(array, config.num_attention_heads)
    if ".k_proj." in name:
        return permuted(array, config.num_key_value_heads)
    return array


def check_gguf_adapter(file, config, updates):
    reader = gguf.GGUFReader(file)
    field = lambda key: reader.get_field(key).contents()
    assert field("general.type") == "adapter"
    assert field("adapter.type") == "lora"
    assert field("general.architecture") == config.model_type
    scale = field("adapter.lora.alpha")
    tensors = {tensor.name: tensor.data for tensor in reader.tensors}
    names = gguf.get_tensor_name_map(
        gguf.MODEL_ARCH_NAMES and {
            value: key for key, value in gguf.MODEL_ARCH_NAMES.items()
        }[config.model_type], config.num_hidden_layers)
    gap, seen = 0.0, 0
    for module, delta in updates.items():
        name = names.get_name(module, try_suffixes=()) + ".weight"
        a, b = tensors[name + ".lora_a"], tensors[name + ".lora_b"]
        ours = scale / a.shape[0] * (b.astype("f8") @ a.astype("f8"))
        theirs = expected_rows(config, module + ".weight", delta)
        gap = max(gap, abs(ours - theirs).max() / abs(theirs).max())
        seen += 2
    assert seen == len(tensors), (seen, len(tensors))
    return gap


def check_gguf(file, config, state, kind):
    """Bytes equal to what gguf writes from the merged weights."""
    reader = gguf.GGUFReader(file)
    field = lambda key: reader.get_field(key).contents()
    assert field("general.architecture") == config.model_type
    assert field("tokenizer.ggml.tokens") == byte_tokens()
    assert field("tokenizer.ggml.eos_token_id") == len(byte_tokens()) - 1
    assert "content" in field("tokenizer.chat_template")
    arch = {v: k for k, v in gguf.MODEL_ARCH_NAMES.items()}[config.model_type]
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    for name, value in state.items():
        stem, suffix = name.rsplit(".", 1)
        theirs = names.get_name(stem, try_suffixes=()) + "." + suffix
        array = expected_rows(config, name, value.numpy().copy())
        want = kind if array.ndim > 1 else gguf.GGMLQuantizationType.F32
        tensor = tensors.pop(theirs)
        assert tensor.tensor_type == want, (theirs, tensor.tensor_type)
        wanted = quantised(array, want)
        data = tensor.data.view(wanted.dtype).reshape(wanted.shape)
        assert numpy.array_equal(data, wanted), theirs
    left = set(tensors) - {"rope_freqs.weight"}
    assert not left, left


def check_family(moft, folder, name, config):
    print(name)
    base = folder / "base"
    pieces = make_base(base, config)
    pairs = Pairs(folder, pieces, config.is_encoder_decoder)
    check = Checker(moft, folder, pairs)
    check.compare("base", check.ours("base"), fresh(base))
    adapters = []
    for seed, (objective, lora) in enumerate(adapter_configs(config), 7):
        make_adapter(base, folder / objective, lora, seed)
        adapters.append(objective)
        theirs = peft.PeftModel.from_pretrained(
            fresh(base), folder / objective)
        check.compare(
            f"--adapter {objective}",
            check.ours("base", "--adapter", objective), theirs)
    check.run("soup", "--model", "base", "--adapter", "helpful=helpful",
              "--adapter", "harmless=harmless", "--to", "run")
    both = peft.PeftModel.from_pretrained(
        fresh(base), folder / "helpful", adapter_name="helpful")
    both.load_adapter(folder / "harmless", adapter_name="harmless")
    for a, b in [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5), (0.3, 0.7)]:
        weights = f"helpful={a},harmless={b}"
        ours = check.ours("run", "--weights", weights)
        if a in (0.0, 1.0):
            both.set_adapter("helpful" if a else "harmless")
            model = both
        else:
            model = mixture(base, folder, a, b)
        check.compare(f"soup at {weights}", ours, model)
    check_exports(check, folder, base, config)


def mixture(base, folder, a, b):
    """add_weighted_adapter needs target_modules of one type."""
    model = peft.PeftModel.from_pretrained(
        fresh(base), folder / "helpful", adapter_name="helpful")
    model.load_adapter(folder / "harmless", adapter_name="harmless")
    for own in model.peft_config.values():
        own.target_modules = set(own.target_modules)
    model.add_weighted_adapter(
        ["helpful", "harmless"], [a, b], "mixed", combination_type="cat")
    model.set_adapter("mixed")
    return model


def check_exports(check, folder, base, config):
    weights = "helpful=0.3,harmless=0.7"
    ours = check.ours("run", "--weights", weights)
    check.run("export", "run", "--format", "peft", "--to", "each",
              "--base-name", base)
    for objective in ("helpful", "harmless"):
        model = peft.PeftModel.from_pretrained(
            fresh(base), folder / "each" / objective)
        other = 1.0 if objective == "helpful" else 0.0
        alone = check.ours(
            "run", "--weights", f"helpful={other},harmless={1 - other}")
        check.compare(f"peft: {objective}", alone, model)
    check.run("export", "run", "--format", "peft", "--weights", weights,
              "--to", "mixed")
    model = peft.PeftModel.from_pretrained(fresh(base), folder / "mixed")
    check.compare("peft: mixed", ours, model)
    check.compare("peft: mixed, read back",
                  check.ours("base", "--adapter", "mixed"), model)
    both = peft.PeftModel.from_pretrained(
        fresh(base), folder / "each" / "helpful", adapter_name="helpful")
    both.load_adapter(folder / "each" / "harmless", adapter_name="harmless")
    both.add_weighted_adapter(
        ["helpful", "harmless"], [0.3, 0.7], "cat", combination_type="cat")
    both.set_adapter("cat")
    check.compare("peft: exported adapters by cat", ours, both)
    check.run("export", "run", "--weights", weights, "--to", "hf")
    merged = fresh(folder / "hf")
    check.compare("hf", ours, merged)
    if config.is_encoder_decoder:
        return
    deltas = {}
    for name, module in model.base_model.model.named_modules():
        if hasattr(module, "get_delta_weight"):
            deltas[name] = module.get_delta_weight("default").double().detach(
            ).numpy()
    check.run("export", "run", "--format", "gguf-adapter", "--weights",
              weights, "--to", "mixed.gguf")
    report("gguf-adapter: updates",
           check_gguf_adapter(folder / "mixed.gguf", config, deltas))
    state = dict(merged.state_dict())
    if config.tie_word_embeddings:
        state.pop("lm_head.weight", None)
    for dtype, kind in KINDS.items():
        file = f"model-{dtype}.gguf"
        check.run("export", "run", "--format", "gguf", "--dtype", dtype,
                  "--weights", weights, "--to", file)
        check_gguf(folder / file, config, state, kind)
        allowed = {"f32": None, "f16": 1e-2, "bf16": 1e-1, "q8_0": 1e-1}
        theirs, largest = check.pairs.theirs(merged)
        gap = (check.ours(file) - theirs).abs().max().item() / largest
        report(f"gguf {dtype}: read back", gap, allowed[dtype])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("moft", type=pathlib.Path)
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--tolerance", type=float, default=1e-5)
    parser.add_argument("--only", help="one family")
    arguments = parser.parse_args()
    folder = arguments.folder or pathlib.Path(tempfile.mkdtemp())
    print(f"peft {peft.__version__}, transformers {transformers.__version__}")
    for name, config in configurations():
        if arguments.only in (None, name):
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / name).mkdir(parents=True)
            check_family(
                arguments.moft.resolve(), folder / name, name, config)
    if arguments.folder is None:
        shutil.rmtree(folder)
    print(f"largest difference {worst:.1e} of the largest logit")
    sys.exit(0 if worst <= arguments.tolerance else 1)


if __name__ == "__main__":
    main()
