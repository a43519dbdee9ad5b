#!/usr/bin/env python3
"""The tables of docs/scale.md: T5-XL and a 7B Llama on 1, 8 and 64 GPUs.

  plan_scale.py [--moft build/release/bin/moft] [--device h100-80g]

Makes folders with a config.json alone and prints a Markdown table of what
`moft plan` says of them with 4 objectives, 64 prompts a step.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

MODELS = {
    "T5-XL": {
        "model_type": "t5", "vocab_size": 32128, "d_model": 2048, "d_kv": 64,
        "d_ff": 5120, "num_layers": 24, "num_decoder_layers": 24,
        "num_heads": 32, "feed_forward_proj": "gated-gelu",
        "relative_attention_num_buckets": 32, "tie_word_embeddings": False,
        "decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0,
        "layer_norm_epsilon": 1e-6},
    "Llama 7B": {
        "model_type": "llama", "vocab_size": 32000, "hidden_size": 4096,
        "intermediate_size": 11008, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 32,
        "max_position_embeddings": 4096, "rms_norm_eps": 1e-5,
        "hidden_act": "silu", "tie_word_embeddings": False,
        "bos_token_id": 1, "eos_token_id": 2},
}
KEYS = [
    "precision=bf16", "training.prompts_per_step=64",
    "training.weighting_per=batch", "training.max_new_tokens=128",
    "conditioning.lora.layers=all", "training.memory_budget=16",
    "objectives.short={length: {unit: words, full_at: 4, zero_at: 20}}",
    "objectives.letter={regex: {pattern: a}}",
]


def plan(flags, folder, steered, ranks):
    words = [flags.moft, "plan", "quickstart", f"policy.model={folder}",
             f"conditioning.steered_set={steered}", *KEYS,
             "--device", flags.device, "--ranks", str(ranks), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moft", default="build/release/bin/moft")
    parser.add_argument("--device", default="h100-80g")
    flags = parser.parse_args()
    print("| model | steered | GPUs | peak of each, GB | sent, GB | step, s |"
          "\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for name, config in MODELS.items():
            folder = Path(scratch) / name.replace(" ", "-")
            folder.mkdir()
            (folder / "config.json").write_text(json.dumps(config))
            for steered in ("full", "lora"):
                for ranks in (1, 8, 64):
                    found = plan(flags, folder, steered, ranks)
                    memory = found["memory"]["peak"]
                    print(f"| {name} | {steered} | {ranks} "
                          f"| {memory / 1e9:.1f} "
                          f"| {found['sent_bytes_per_rank'] / 1e9:.3g} "
                          f"| {found['step']['seconds']['total']:.2f} |")


if __name__ == "__main__":
    main()
