"""Reference values for tests/models/gemma_test.cpp.

Writes, beside this script, tiny random Gemma models under gemma_*/:
  config_<major>.json    as this version of transformers saves it
  model.safetensors      the weights, in half precision
  expected.safetensors   of one text: ids, logits in float32 and float64,
                         gradients of its mean negative log-likelihood; and
                         the greedy continuation of its first tokens

Made with transformers 4.57.6 and 5.17.0, torch 2.13, one thread; run once with
each, which also compares the two:
  python gemma.py
"""

import json
import pathlib

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
)

HERE = pathlib.Path(__file__).parent
MAJOR = transformers.__version__.split(".")[0]
TOKENS = 14
PROMPT = 5
COMMON = dict(
    vocab_size=48,
    hidden_size=16,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=6,
    intermediate_size=20,
    max_position_embeddings=64,
    sliding_window=16,
    bos_token_id=2,
    eos_token_id=1,
    pad_token_id=0,
)
KINDS = ["sliding_attention", "sliding_attention", "full_attention"]
MODELS = {
    # Grouped queries, rotary embeddings of two rates, heads wider than
    # width / heads, a query scale apart from the head size.
    "gemma_3": (
        Gemma3ForCausalLM,
        Gemma3TextConfig(
            **COMMON,
            layer_types=KINDS,
            query_pre_attn_scalar=9,
            rope_theta=1000.0,
            rope_local_base_freq=100.0,
        ),
    ),
    # One head of keys, a stretched rotary embedding, a cap on logits, biases.
    "gemma_3_linear": (
        Gemma3ForCausalLM,
        Gemma3TextConfig(
            **{**COMMON, "num_key_value_heads": 1, "head_dim": 4},
            layer_types=KINDS,
            query_pre_attn_scalar=4,
            attention_bias=True,
            final_logit_softcapping=3.0,
            rope_theta=500.0,
            rope_scaling={"rope_type": "linear", "factor": 2.0},
        ),
    ),
    "gemma_2": (
        Gemma2ForCausalLM,
        Gemma2Config(
            **COMMON,
            query_pre_attn_scalar=6,
            attn_logit_softcapping=None,
            final_logit_softcapping=5.0,
            rope_theta=2000.0,
        ),
    ),
}
GRADIENTS = [
    "model.embed_tokens.weight",
    "model.layers.0.input_layernorm.weight",
    "model.layers.1.self_attn.k_proj.weight",
    "model.layers.1.mlp.gate_proj.weight",
    "model.layers.2.post_feedforward_layernorm.weight",
    "model.norm.weight",
]


def randomise(model, seed):
    """Weights of every kind away from 0, so that none can be ignored."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name or name.endswith("bias"):
            parameter.data = 0.3 * noise
        elif "embed" in name:
            parameter.data = noise / parameter.shape[1] ** 0.5
        else:
            parameter.data = noise * 1.2 / parameter.shape[1] ** 0.5
        parameter.data = parameter.data.half().float()
    model.tie_weights()


def expectations(model, ids):
    single = model.float()(ids[None]).logits[0].detach()
    exact = model.double()(ids[None]).logits[0].detach()
    model.zero_grad()
    model(ids[None], labels=ids[None]).loss.backward()
    gradients = dict(model.named_parameters())
    with torch.no_grad():
        text = ids[:PROMPT].tolist()
        for _ in range(TOKENS - PROMPT):
            logits = model(torch.tensor([text])).logits[0, -1]
            text.append(int(logits.argmax()))
    return {
        "ids": ids.int(),
        "float32": single.contiguous(),
        "float64": exact.contiguous(),
        "greedy": torch.tensor(text).int(),
        **{
            "gradient " + name: gradients[name].grad.float().contiguous()
            for name in GRADIENTS
        },
    }


def main():
    torch.set_num_threads(1)
    for seed, (name, (kind, config)) in enumerate(MODELS.items()):
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        config._attn_implementation = "eager"
        model = kind(config).eval()
        randomise(model, seed)
        text = model.config.to_dict()
        for key in ("transformers_version", "_name_or_path"):
            text.pop(key, None)
        text["architectures"] = [kind.__name__]
        (folder / f"config_{MAJOR}.json").write_text(
            json.dumps(text, indent=1, sort_keys=True) + "\n")
        state = {
            key: value.half().contiguous()
            for key, value in model.state_dict().items()
            if key != "lm_head.weight"
        }
        generator = torch.Generator().manual_seed(100 + seed)
        ids = torch.randint(3, 48, (TOKENS,), generator=generator)
        found = expectations(model, ids)
        path = folder / "expected.safetensors"
        if path.exists():
            for key, value in load_file(path).items():
                torch.testing.assert_close(found[key], value)
            print(name, "agrees")
            continue
        save_file(state, folder / "model.safetensors", {"format": "pt"})
        save_file(found, path)


main()
