#!/usr/bin/env python3
"""Writes adapters of several kinds and the logits that PEFT computes with them.

  tests/reference/adapters/make_fixtures.py      needs torch, transformers, peft

`base` is a tiny random Llama with an untied head and biases; every other folder
an adapter on it; `logits.safetensors` holds, by folder, the logits of the ids
below, float32 [7, 32] ("base": without an adapter).
"""

import json
import pathlib
import shutil

import peft
import safetensors.torch
import torch
import transformers

HERE = pathlib.Path(__file__).parent
IDS = torch.tensor([[3, 9, 0, 14, 5, 1, 28]])


def fresh():
    return transformers.LlamaForCausalLM.from_pretrained(
        HERE / "base", torch_dtype=torch.float32).eval()


def randomise(parameters, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(parameters):
            draw = torch.randn(parameter.shape, generator=generator)
            if "magnitude" in name:
                parameter.mul_(1 + 0.2 * draw)
            elif "norm" in name:
                parameter.copy_(1 + 0.2 * draw)
            else:
                parameter.copy_(0.3 * draw)


def make_base():
    config = transformers.LlamaConfig(
        vocab_size=32, hidden_size=16, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, intermediate_size=24,
        max_position_embeddings=64, attention_bias=True,
        tie_word_embeddings=False, bos_token_id=None, eos_token_id=31,
        pad_token_id=None)
    model = transformers.LlamaForCausalLM(config)
    randomise(model.named_parameters(), 1)
    model.save_pretrained(HERE / "base")
    (HERE / "base" / "generation_config.json").unlink(missing_ok=True)


ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj",
       "down_proj"]
KINDS = {
    "plain": dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"]),
    "patterns": dict(
        r=4, lora_alpha=6, target_modules="all-linear", use_rslora=True,
        rank_pattern={"o_proj": 2, r"layers\.1\.mlp\.up_proj": 3},
        alpha_pattern={"down_proj": 9, r".*\.0\.self_attn\.k_proj": 1}),
    "dora": dict(r=2, lora_alpha=4, target_modules=ALL, use_dora=True),
    "layers": dict(r=2, lora_alpha=3, target_modules=["k_proj", "up_proj"],
                   layers_to_transform=[1], layers_pattern="layers"),
    "regex": dict(r=2, lora_alpha=2,
                  target_modules=r"model\.layers\.\d+\.(self_attn\.q|mlp\.down"
                                 r")_proj", exclude_modules=None),
    "excluded": dict(r=2, lora_alpha=2, target_modules=["o_proj", "gate_proj"],
                     exclude_modules=["model.layers.0.self_attn.o_proj"]),
    "tables": dict(r=2, lora_alpha=4,
                   target_modules=["embed_tokens", "lm_head", "q_proj"],
                   modules_to_save=["norm"]),
    "biases": dict(r=2, lora_alpha=4, target_modules=["q_proj", "o_proj"],
                   bias="all"),
}


def make(name, settings, seed, logits):
    config = peft.LoraConfig(task_type="CAUSAL_LM", **settings)
    model = peft.get_peft_model(fresh(), config)
    randomise(
        [(n, p) for n, p in model.named_parameters() if p.requires_grad], seed)
    model.save_pretrained(HERE / name)
    (HERE / name / "README.md").unlink(missing_ok=True)
    again = peft.PeftModel.from_pretrained(fresh(), HERE / name).eval()
    with torch.no_grad():
        logits[name] = again(IDS).logits[0].contiguous()
    file = HERE / name / "adapter_config.json"
    written = json.loads(file.read_text())
    written["base_model_name_or_path"] = "base"
    file.write_text(json.dumps(written, indent=2) + "\n")


def make_old(logits):
    """As PEFT 0.2 wrote it: the adapter's name in every key, few settings."""
    folder = HERE / "old"
    folder.mkdir()
    tensors = safetensors.torch.load_file(
        HERE / "plain" / "adapter_model.safetensors")
    safetensors.torch.save_file(
        {name.replace(".weight", ".default.weight"): value
         for name, value in tensors.items()},
        folder / "adapter_model.safetensors", {"format": "pt"})
    (folder / "adapter_config.json").write_text(json.dumps(
        dict(base_model_name_or_path="base", bias="none", fan_in_fan_out=False,
             inference_mode=True, lora_alpha=8, lora_dropout=0.05,
             modules_to_save=None, peft_type="LORA", r=4,
             target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"),
        indent=2) + "\n")
    logits["old"] = logits["plain"].clone()


def main():
    for name in ["base", "old", *KINDS]:
        shutil.rmtree(HERE / name, ignore_errors=True)
    make_base()
    logits = {}
    with torch.no_grad():
        logits["base"] = fresh()(IDS).logits[0].contiguous()
    for seed, (name, settings) in enumerate(KINDS.items(), 2):
        make(name, settings, seed, logits)
    make_old(logits)
    safetensors.torch.save_file(
        logits, HERE / "logits.safetensors", {"format": "pt"})


if __name__ == "__main__":
    main()
