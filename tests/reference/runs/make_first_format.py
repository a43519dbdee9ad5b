"""Makes `first_format/`: a base, a run that is two steps long, and a score of
its policy, as the version of moft wrote them whose checkpoints had format 1
and whose run folders had no moft_run.json.

    python make_first_format.py MOFT

MOFT: the program of that version (git revision c03d63b). Newer versions have
to open, resume and score the same.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

HERE = Path(__file__).parent / "first_format"
WIDTH, FEED_FORWARD = 8, 12
END = "<end>"
RECIPE = """format_version: 1
name: first-format
output: run
device: cpu
threads: 1
policy:
  model: base
data:
  train: train.jsonl
  evaluation: heldout.jsonl
  prompt_template: "{word} is "
objectives:
  a:
    regex:
      pattern: a
  b:
    regex:
      pattern: b
conditioning:
  steered_set: lora
  lora:
    rank: 1
training:
  steps: 2
  prompts_per_step: 2
  samples_per_prompt: 2
  max_new_tokens: 4
  optimizer:
    learning_rate: 0.05
  guards:
    kl_ceiling: null
    distinct_floor: null
  checkpoint:
    every: 1
    keep: 1
"""


def write_base(folder):
    folder.mkdir()
    pieces = ["\u0120", *"abcdefghijklmnopqrstuvwxyz", ".", END]
    count = len(pieces)
    config = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": count,
        "hidden_size": WIDTH,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "intermediate_size": FEED_FORWARD,
        "max_position_embeddings": 64,
        "tie_word_embeddings": False,
        "eos_token_id": count - 1,
    }
    (folder / "config.json").write_text(json.dumps(config))
    level = {"type": "ByteLevel", "add_prefix_space": False,
             "trim_offsets": True, "use_regex": True}
    added = {"id": count - 1, "content": END, "single_word": False,
             "lstrip": False, "rstrip": False, "normalized": False,
             "special": True}
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "added_tokens": [added], "normalizer": None,
        "pre_tokenizer": level, "post_processor": None, "decoder": level,
        "model": {"type": "BPE", "merges": [],
                  "vocab": {p: i for i, p in enumerate(pieces)}}}))
    torch.manual_seed(7)
    half = WIDTH // 2

    def draw(*shape):
        return torch.randn(*shape) / shape[-1] ** 0.5

    layer = "model.layers.0."
    save_file({
        "model.embed_tokens.weight": torch.randn(count, WIDTH),
        layer + "input_layernorm.weight": torch.ones(WIDTH),
        layer + "post_attention_layernorm.weight": torch.ones(WIDTH),
        layer + "self_attn.q_proj.weight": draw(WIDTH, WIDTH),
        layer + "self_attn.k_proj.weight": draw(half, WIDTH),
        layer + "self_attn.v_proj.weight": draw(half, WIDTH),
        layer + "self_attn.o_proj.weight": draw(WIDTH, WIDTH),
        layer + "mlp.gate_proj.weight": draw(FEED_FORWARD, WIDTH),
        layer + "mlp.up_proj.weight": draw(FEED_FORWARD, WIDTH),
        layer + "mlp.down_proj.weight": draw(WIDTH, FEED_FORWARD),
        "model.norm.weight": torch.ones(WIDTH),
        "lm_head.weight": draw(count, WIDTH),
    }, folder / "model.safetensors")


def main():
    moft = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_base(folder / "base")
        words = ["one", "two", "three", "four"]
        (folder / "train.jsonl").write_text(
            "".join(json.dumps({"word": w}) + "\n" for w in words))
        (folder / "heldout.jsonl").write_text(
            json.dumps({"word": "nine"}) + "\n")
        (folder / "pairs.jsonl").write_text(
            json.dumps({"prompt": "ten is ", "completion": "ab."}) + "\n")
        (folder / "recipe.yaml").write_text(RECIPE)

        def run(*words):
            return subprocess.run([moft, *words], cwd=folder, check=True,
                                  capture_output=True, text=True).stdout

        run("train", "recipe.yaml")
        score = run("score", "run", "--weights", "a=0.25,b=0.75",
                    "--input", "pairs.jsonl")
        (folder / "score.json").write_text(score)
        # The policy's own copy is the base that the test uses too.
        shutil.rmtree(folder / "base")
        (folder / "run/.lock").unlink(missing_ok=True)
        shutil.rmtree(HERE, ignore_errors=True)
        shutil.copytree(folder, HERE)


if __name__ == "__main__":
    main()
