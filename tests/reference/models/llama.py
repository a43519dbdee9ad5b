"""Reference values for tests/models/llama_*_test.cpp.

Writes, beside this script,
  llama_*/               tiny random models: config.json, model.safetensors
  llama_*/expected.safetensors
                         ids, float32 logits and float64 logits of one text
  llama_sharded/         llama_untied in three shards with an index
  llama_gguf_{f32,q8_0}.gguf
                         llama_untied's sister as llama.cpp would store it
                         (q and k permuted), with llama_gguf/ the same model
                         for transformers
  llama_smollm2.safetensors
                         with PATH: transformers' logits of one text

Made with transformers 4.57.6, torch 2.13, gguf 0.17, one thread:
  python llama.py [PATH_TO_SMOLLM2_GGUF]
"""

import json
import pathlib
import re
import sys

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

HERE = pathlib.Path(__file__).parent
TOKENS = 12
COMMON = dict(
    vocab_size=64,
    hidden_size=24,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    intermediate_size=28,
    max_position_embeddings=32,
    bos_token_id=None,
    eos_token_id=63,
)

TINY = {
    "llama_tied": (
        LlamaForCausalLM,
        LlamaConfig(
            **{**COMMON, "num_key_value_heads": 4, "num_hidden_layers": 3},
            tie_word_embeddings=True,
            rms_norm_eps=1e-5,
        ),
    ),
    "llama_untied": (
        LlamaForCausalLM,
        LlamaConfig(**COMMON, attention_bias=True, mlp_bias=True),
    ),
    "llama_theta": (
        LlamaForCausalLM,
        LlamaConfig(**COMMON, rope_theta=300.0),
    ),
    "llama_qwen2": (
        Qwen2ForCausalLM,
        Qwen2Config(**COMMON, rope_theta=1000000.0, tie_word_embeddings=True),
    ),
    "llama_qwen3": (
        Qwen3ForCausalLM,
        Qwen3Config(**COMMON, head_dim=10, rope_theta=1000000.0),
    ),
    # widths that are whole Q8_0 blocks
    "llama_gguf": (
        LlamaForCausalLM,
        LlamaConfig(
            **{
                **COMMON,
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_hidden_layers": 1,
            },
            rope_theta=5000.0,
            rms_norm_eps=1e-5,
        ),
    ),
}


def randomise(model, seed):
    """Weights of every kind away from 0 and 1, so that none can be ignored."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name:
            parameter.data = 1 + 0.3 * noise
        elif name.endswith("bias"):
            parameter.data = 0.3 * noise
        elif "embed" in name:
            parameter.data = noise
        else:
            parameter.data = noise * 1.2 / parameter.shape[1] ** 0.5
    model.tie_weights()


@torch.no_grad()
def logits_of(model, ids):
    single = model.float()(ids).logits[0].contiguous()
    return single, model.double()(ids).logits[0].contiguous()


def write_model(name, model):
    directory = HERE / name
    directory.mkdir(exist_ok=True)
    config = model.config.to_diff_dict()
    config.pop("transformers_version", None)
    config.setdefault("model_type", model.config.model_type)
    config["architectures"] = [type(model).__name__]
    config["dtype"] = "float32"
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    (directory / "config.json").write_text(text)
    state = {
        key: value.float().contiguous()
        for key, value in model.state_dict().items()
    }
    if model.config.tie_word_embeddings:
        del state["lm_head.weight"]
    save_file(state, directory / "model.safetensors", {"format": "pt"})
    return directory


def write_tiny():
    for seed, (name, (kind, config)) in enumerate(TINY.items()):
        config._attn_implementation = "eager"
        model = kind(config).eval()
        randomise(model, seed)
        directory = write_model(name, model)
        ids = torch.randint(
            0, 64, (1, TOKENS), generator=torch.Generator().manual_seed(seed)
        )
        single, double = logits_of(model, ids)
        save_file(
            {
                "ids": ids[0].to(torch.int32),
                "float32": single,
                "float64": double,
            },
            directory / "expected.safetensors",
        )


def write_sharded():
    source = HERE / "llama_untied"
    state = load_file(source / "model.safetensors")
    directory = HERE / "llama_sharded"
    directory.mkdir(exist_ok=True)
    (directory / "config.json").write_text(
        (source / "config.json").read_text()
    )
    names = sorted(state)
    places = {}
    for part in range(3):
        file = f"model-{part + 1:05}-of-00003.safetensors"
        save_file({n: state[n] for n in names[part::3]}, directory / file)
        places.update({n: file for n in names[part::3]})
    index = {"metadata": {}, "weight_map": places}
    (directory / "model.safetensors.index.json").write_text(
        json.dumps(index, indent=1) + "\n"
    )


# The rotary pairs of a head, which llama.cpp wants side by side.
def permute(weight, heads):
    rows = weight.shape[0]
    halves = weight.reshape(heads, 2, rows // heads // 2, -1)
    return halves.swapaxes(1, 2).reshape(weight.shape)


def unpermute(weight, heads):
    rows = weight.shape[0]
    pairs = weight.reshape(heads, rows // heads // 2, 2, -1)
    return pairs.swapaxes(1, 2).reshape(weight.shape)


GGUF_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_name(name):
    stem, suffix = name.rsplit(".", 1)
    layer = re.fullmatch(r"model\.layers\.(\d+)\.(.*)", stem)
    if layer:
        return f"blk.{layer[1]}.{GGUF_NAMES[layer[2]]}.{suffix}"
    return f"{GGUF_NAMES[stem]}.{suffix}"


def write_gguf():
    import gguf

    state = load_file(HERE / "llama_gguf" / "model.safetensors")
    config = TINY["llama_gguf"][1]
    heads = {
        "q_proj": config.num_attention_heads,
        "k_proj": config.num_key_value_heads,
    }
    for suffix, kind in (
        ("f32", gguf.GGMLQuantizationType.F32),
        ("q8_0", gguf.GGMLQuantizationType.Q8_0),
    ):
        path = HERE / f"llama_gguf_{suffix}.gguf"
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_context_length(config.max_position_embeddings)
        writer.add_embedding_length(config.hidden_size)
        writer.add_block_count(config.num_hidden_layers)
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_head_count(config.num_attention_heads)
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_rope_freq_base(config.rope_theta)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        tokens = [f"t{i}" for i in range(config.vocab_size)]
        tokens[-1] = "<end>"
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_list(tokens)
        writer.add_token_types([1] * 63 + [3])
        writer.add_token_merges([])
        writer.add_eos_token_id(config.eos_token_id)
        for name, value in state.items():
            array = value.numpy()
            for projection, count in heads.items():
                if projection in name:
                    array = permute(array, count)
            if array.ndim == 1 or suffix == "f32":
                writer.add_tensor(gguf_name(name), array)
                continue
            packed = gguf.quants.quantize(array, kind)
            writer.add_tensor(gguf_name(name), packed, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


# Any 24 ids do: the test is of the numbers, not of the text.
SMOLLM2_IDS = [1, 504, 2353, 3160, 335, 260, 4179, 6376, 1029, 42, 19, 7,
               12021, 338, 253, 1123, 30, 198, 44001, 905, 17, 29000, 511, 28]
SMOLLM2_SAMPLED = 20


@torch.no_grad()
def write_smollm2(path):
    import gguf

    reader = gguf.GGUFReader(path)
    tensors = {
        t.name: gguf.quants.dequantize(t.data, t.tensor_type)
        for t in reader.tensors
    }
    field = lambda key: reader.fields[f"llama.{key}"].contents()
    config = LlamaConfig(
        vocab_size=tensors["token_embd.weight"].shape[0],
        hidden_size=field("embedding_length"),
        num_hidden_layers=field("block_count"),
        num_attention_heads=field("attention.head_count"),
        num_key_value_heads=field("attention.head_count_kv"),
        intermediate_size=field("feed_forward_length"),
        max_position_embeddings=field("context_length"),
        rope_theta=field("rope.freq_base"),
        rms_norm_eps=field("attention.layer_norm_rms_epsilon"),
        tie_word_embeddings="output.weight" not in tensors,
    )
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    model = model.to_empty(device="cpu").eval()
    rotary = type(model.model.rotary_emb)(config)
    model.model.rotary_emb = rotary
    for name, parameter in model.named_parameters():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        array = tensors[gguf_name(name)]
        if "q_proj" in name:
            array = unpermute(array, config.num_attention_heads)
        if "k_proj" in name:
            array = unpermute(array, config.num_key_value_heads)
        parameter.data = torch.from_numpy(np.array(array, np.float32))
    model.tie_weights()
    ids = torch.tensor([SMOLLM2_IDS])
    single, double = logits_of(model, ids)
    top = double.topk(SMOLLM2_SAMPLED).indices
    sampled = torch.randint(
        0,
        config.vocab_size,
        top.shape,
        generator=torch.Generator().manual_seed(1),
    )
    chosen = torch.cat([top, sampled], 1)
    save_file(
        {
            "ids": ids[0].to(torch.int32),
            "chosen": chosen.to(torch.int32),
            "float32": single.gather(1, chosen).contiguous(),
            "float64": double.gather(1, chosen).contiguous(),
            "largest": double.abs().amax(1).float(),
            "error": (single.double() - double).abs().amax(1).float(),
        },
        HERE / "llama_smollm2.safetensors",
    )


def main():
    torch.set_num_threads(1)
    write_tiny()
    write_sharded()
    write_gguf()
    if len(sys.argv) > 1:
        write_smollm2(sys.argv[1])


if __name__ == "__main__":
    main()
