"""Reference values for tests/models/llama_variants_test.cpp.

One set of weights under many configurations (kinds of rotary scaling, Mistral).
Writes into llama_variants/, beside this script,
  model.safetensors        the weights, in half precision
  expected.safetensors     per variant the logits of one text at some places,
                           in float32 and float64; both versions give the same
  configs_<major>.json     config.json as this version of transformers saves it
  <variant>.gguf           with the package gguf: the same weights and rotary
                           scaling as llama.cpp stores them
  split-0000?-of-00002.gguf  linear.gguf in two parts

Made with transformers 4.57.6 and 5.17.0, torch 2.13, gguf 0.19, one thread; run
once with each:
  python llama_variants.py
"""

import json
import math
import pathlib

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from llama import gguf_name, permute, randomise

FOLDER = pathlib.Path(__file__).parent / "llama_variants"
MAJOR = transformers.__version__.split(".")[0]
PLACES = [0, 3, 9, 17, 26, 40, 55, 62]
COMMON = dict(
    vocab_size=32,
    hidden_size=32,
    head_dim=16,
    num_hidden_layers=1,
    num_attention_heads=4,
    num_key_value_heads=2,
    intermediate_size=48,
    max_position_embeddings=64,
    rope_theta=1000.0,
    rms_norm_eps=1e-5,
    bos_token_id=None,
    eos_token_id=31,
)
ROPE = {
    "plain": None,
    "linear": {"rope_type": "linear", "factor": 4.0},
    "linear_one": {"rope_type": "linear", "factor": 1.0},
    "dynamic": {"rope_type": "dynamic", "factor": 2.0},
    "llama3": {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    },
    "yarn": {
        "rope_type": "yarn",
        "factor": 4.0,
        "original_max_position_embeddings": 16,
    },
    "yarn_attention": {
        "rope_type": "yarn",
        "factor": 4.0,
        "original_max_position_embeddings": 16,
        "attention_factor": 1.3,
        "beta_fast": 4.0,
        "beta_slow": 0.5,
    },
    "yarn_mscale": {
        "rope_type": "yarn",
        "factor": 4.0,
        "original_max_position_embeddings": 16,
        "mscale": 0.7,
        "mscale_all_dim": 1.4,
        "truncate": False,
    },
    "longrope": {
        "rope_type": "longrope",
        "factor": 1.0,
        "attention_factor": 1.0,
        "short_factor": [1.0, 1.1, 1.3, 1.9, 2.4, 4.0, 8.0, 8.0],
        "long_factor": [1.0, 1.1, 1.3, 1.9, 2.4, 4.0, 8.0, 8.0],
        "original_max_position_embeddings": 64,
    },
}
MISTRAL = {"mistral": None, "mistral_wide": 64}


def variants():
    for name, scaling in ROPE.items():
        # A copy: transformers 5 writes into the dictionary.
        scaling = dict(scaling) if scaling else None
        yield name, LlamaForCausalLM, LlamaConfig(
            **COMMON, rope_scaling=scaling)
    for name, window in MISTRAL.items():
        yield name, MistralForCausalLM, MistralConfig(
            **COMMON, sliding_window=window)


def weights():
    path = FOLDER / "model.safetensors"
    if not path.exists():
        model = LlamaForCausalLM(LlamaConfig(**COMMON))
        randomise(model, 7)
        # Spread as after training: some tokens far likelier than others.
        model.lm_head.weight.data *= 3
        save_file(
            {name: value.half().contiguous()
             for name, value in model.state_dict().items()},
            path, {"format": "pt"})
    return {name: value.float() for name, value in load_file(path).items()}


@torch.no_grad()
def logits_of(model, ids):
    places = torch.tensor(PLACES)
    single = model.float()(ids).logits[0][places].contiguous()
    return single, model.double()(ids).logits[0][places].contiguous()


def write_expected(state, ids):
    expected, configs = {"ids": ids[0].to(torch.int32)}, {}
    for name, kind, config in variants():
        config._attn_implementation = "eager"
        model = kind(config).eval()
        model.load_state_dict(state)
        single, double = logits_of(model, ids)
        expected[f"{name}.float32"] = single
        expected[f"{name}.float64"] = double
        saved = json.loads(config.to_json_string())
        saved.pop("transformers_version", None)
        configs[name] = saved
    path = FOLDER / "expected.safetensors"
    if path.exists():
        other = load_file(path)
        for key, value in expected.items():
            assert torch.equal(value, other[key]) or "32" in key, key
    else:
        save_file(expected, path)
    (FOLDER / f"configs_{MAJOR}.json").write_text(
        json.dumps(configs, indent=1, sort_keys=True) + "\n")


# What llama.cpp's converter stores as rope_freqs.weight for llama3.
def llama3_factors(scaling, theta, size):
    context = scaling["original_max_position_embeddings"]
    low = context / scaling["low_freq_factor"]
    high = context / scaling["high_freq_factor"]
    span = scaling["high_freq_factor"] - scaling["low_freq_factor"]
    factors = []
    for i in range(0, size, 2):
        length = 2 * math.pi * theta ** (i / size)
        if length < high:
            factors.append(1.0)
        elif length > low:
            factors.append(scaling["factor"])
        else:
            smooth = (context / length - scaling["low_freq_factor"]) / span
            factors.append(1 / ((1 - smooth) / scaling["factor"] + smooth))
    return np.array(factors, np.float32)


def write_gguf(name, state, file=None, **split):
    import gguf

    scaling = ROPE[name]
    file = FOLDER / (file or f"{name}.gguf")
    writer = gguf.GGUFWriter(file, "llama", **split)
    writer.add_context_length(COMMON["max_position_embeddings"])
    writer.add_embedding_length(COMMON["hidden_size"])
    writer.add_block_count(COMMON["num_hidden_layers"])
    writer.add_feed_forward_length(COMMON["intermediate_size"])
    writer.add_head_count(COMMON["num_attention_heads"])
    writer.add_head_count_kv(COMMON["num_key_value_heads"])
    writer.add_key_length(COMMON["head_dim"])
    writer.add_value_length(COMMON["head_dim"])
    writer.add_rope_dimension_count(COMMON["head_dim"])
    writer.add_rope_freq_base(COMMON["rope_theta"])
    writer.add_layer_norm_rms_eps(COMMON["rms_norm_eps"])
    writer.add_vocab_size(COMMON["vocab_size"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([f"t{i}" for i in range(31)] + ["<end>"])
    writer.add_token_types([1] * 31 + [3])
    writer.add_token_merges([])
    writer.add_eos_token_id(31)
    writer.add_eot_token_id(30)
    if name == "llama3":
        factors = llama3_factors(
            scaling, COMMON["rope_theta"], COMMON["head_dim"])
        writer.add_tensor("rope_freqs.weight", factors)
    else:
        kinds = gguf.RopeScalingType
        writer.add_rope_scaling_type(
            kinds.LINEAR if name == "linear" else kinds.YARN)
        writer.add_rope_scaling_factor(scaling["factor"])
        if name == "yarn":
            writer.add_rope_scaling_orig_ctx_len(
                scaling["original_max_position_embeddings"])
    for key, value in state.items():
        array = value.numpy()
        for part, count in (("q_proj", "num_attention_heads"),
                            ("k_proj", "num_key_value_heads")):
            if part in key:
                array = permute(array, COMMON[count])
        if array.ndim > 1:
            array = array.astype(np.float16)
        writer.add_tensor(gguf_name(key), np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    state = weights()
    ids = torch.randint(
        0, 32, (1, 63), generator=torch.Generator().manual_seed(5))
    write_expected(state, ids)
    for name in ("llama3", "linear", "yarn"):
        write_gguf(name, state)
    write_gguf("linear", state, "split.gguf", split_max_tensors=7)


if __name__ == "__main__":
    main()
