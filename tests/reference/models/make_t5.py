"""Reference values for tests/models/t5_test.cpp.

Writes, beside this script,
  t5_*/                  tiny random models: config.json, model.safetensors
  t5_*/expected.safetensors
                         prompt, completion; float32 and float64 logits of the
                         completion; its log-probability's gradient; greedy
                         tokens
  t5_buckets.json        buckets of relative positions

With --shape small|base and a folder: a randomly initialised model of that
size (v1.1) with its expected values, for MOFT_T5_DIR.

Made with transformers 4.57.6, torch 2.13, one thread:
  python make_t5.py [--shape small DIR]
"""

import argparse
import json
import pathlib

import torch
from safetensors.torch import save_file
from transformers import T5Config, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention

HERE = pathlib.Path(__file__).parent
PROMPT = 50  # tokens; further apart than every bucket border of the models
COMPLETION = 30
COMMON = dict(
    vocab_size=48,
    d_model=16,
    d_kv=5,
    num_heads=4,
    d_ff=18,
    relative_attention_num_buckets=8,
    relative_attention_max_distance=20,
    pad_token_id=0,
    eos_token_id=1,
    decoder_start_token_id=0,
)

TINY = {
    "t5_v10": T5Config(
        **COMMON,
        num_layers=2,
        num_decoder_layers=2,
        feed_forward_proj="relu",
        tie_word_embeddings=True,
    ),
    "t5_v11": T5Config(
        **{**COMMON, "decoder_start_token_id": 3},
        num_layers=1,
        num_decoder_layers=3,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    ),
    "t5_silu": T5Config(
        **{
            **COMMON,
            "relative_attention_num_buckets": 12,
            "relative_attention_max_distance": 30,
        },
        num_layers=3,
        num_decoder_layers=1,
        feed_forward_proj="gated-silu",
        tie_word_embeddings=True,
        layer_norm_epsilon=1e-3,
    ),
}
# Which names of the embedding table a file holds.
ALIASES = {
    "t5_v10": ("shared", "encoder.embed_tokens", "decoder.embed_tokens"),
    "t5_v11": ("encoder.embed_tokens",),
    "t5_silu": ("shared",),
}
SHAPES = {
    "small": dict(d_model=512, d_kv=64, num_heads=6, d_ff=1024, layers=8),
    "base": dict(d_model=768, d_kv=64, num_heads=12, d_ff=2048, layers=12),
}


def randomise(model, seed):
    """Weights of every kind away from 0 and 1, so that none can be ignored."""
    generator = torch.Generator().manual_seed(seed)
    config = model.config
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name:
            parameter.data = 1 + 0.3 * noise
        elif "shared" in name or "relative" in name:
            parameter.data = noise
        elif ".q." in name:
            parameter.data = noise * 1.5 / (config.d_model * config.d_kv) ** 0.5
        else:
            parameter.data = noise * 1.5 / parameter.shape[1] ** 0.5
    model.tie_weights()


def logits_of(model, prompt, completion):
    return model(
        input_ids=prompt[None],
        decoder_input_ids=torch.cat(
            [
                torch.tensor([model.config.decoder_start_token_id]),
                completion[:-1],
            ]
        )[None],
    ).logits[0]


def gradients_of(model, prompt, completion):
    """Gradient of the completion's log-probability, for every parameter."""
    logits = logits_of(model, prompt, completion)
    chosen = logits.log_softmax(-1).gather(1, completion[:, None]).sum()
    chosen.backward()
    return {
        "gradient/" + name: parameter.grad.float().contiguous()
        for name, parameter in model.named_parameters()
    }


def greedy_of(model, prompt, count):
    """None when rounding could choose, or when there is little to choose."""
    tokens = [model.config.decoder_start_token_id]
    with torch.no_grad():
        for _ in range(count):
            logits = model(
                input_ids=prompt[None],
                decoder_input_ids=torch.tensor([tokens]),
            ).logits[0, -1]
            best = logits.topk(2).values
            if best[0] - best[1] < 1e-3:
                return None
            tokens.append(int(logits.argmax()))
    if len(set(tokens)) < 6:
        return None
    return torch.tensor(tokens[1:], dtype=torch.int32)


def write_model(directory, model, aliases):
    directory.mkdir(exist_ok=True, parents=True)
    config = model.config.to_diff_dict()
    config.pop("transformers_version", None)
    config["model_type"] = "t5"
    config["architectures"] = ["T5ForConditionalGeneration"]
    config["dtype"] = "float32"
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    (directory / "config.json").write_text(text)
    state = {
        name: value.detach().float().contiguous()
        for name, value in model.named_parameters()
    }
    shared = state.pop("shared.weight")
    for name in aliases:
        state[name + ".weight"] = shared.clone()
    save_file(state, directory / "model.safetensors", {"format": "pt"})


def write_tiny():
    for number, (name, config) in enumerate(TINY.items()):
        config._attn_implementation = "eager"
        generator = torch.Generator().manual_seed(number)
        prompt = torch.randint(2, 48, (PROMPT,), generator=generator)
        completion = torch.randint(1, 48, (COMPLETION,), generator=generator)
        model = T5ForConditionalGeneration(config).eval()
        greedy = None
        seed = 10 * number
        while greedy is None:
            randomise(model, seed)
            greedy = greedy_of(model, prompt, COMPLETION)
            seed += 1
        write_model(HERE / name, model, ALIASES[name])
        with torch.no_grad():
            single = logits_of(model, prompt, completion).contiguous()
        model = model.double()
        with torch.no_grad():
            double = logits_of(model, prompt, completion).contiguous()
        save_file(
            {
                "prompt": prompt.to(torch.int32),
                "completion": completion.to(torch.int32),
                "float32": single,
                "float64": double,
                "greedy": greedy,
                **gradients_of(model, prompt, completion),
            },
            HERE / name / "expected.safetensors",
        )


def write_buckets():
    rows = []
    for count, distance in ((32, 128), (8, 20), (12, 30), (64, 1000), (6, 5)):
        for both in (True, False):
            place = torch.arange(-1200, 1201)
            buckets = T5Attention._relative_position_bucket(
                place, both, count, distance
            )
            # [first distance, bucket] wherever the bucket changes
            changes = [
                [int(p), int(b)]
                for i, (p, b) in enumerate(zip(place, buckets))
                if i == 0 or b != buckets[i - 1]
            ]
            rows.append(
                {
                    "count": count,
                    "max_distance": distance,
                    "both_ways": both,
                    "changes": changes,
                }
            )
    lines = ",\n".join(json.dumps(row) for row in rows)
    (HERE / "t5_buckets.json").write_text("[\n" + lines + "\n]\n")


def write_shape(shape, directory):
    sizes = dict(SHAPES[shape])
    layers = sizes.pop("layers")
    config = T5Config(
        vocab_size=32128,
        **sizes,
        num_layers=layers,
        num_decoder_layers=layers,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        decoder_start_token_id=0,
    )
    config._attn_implementation = "eager"
    model = T5ForConditionalGeneration(config).eval()
    randomise(model, 1)
    write_model(directory, model, ("shared",))
    generator = torch.Generator().manual_seed(1)
    prompt = torch.randint(2, 32000, (200,), generator=generator)
    completion = torch.randint(2, 32000, (24,), generator=generator)
    with torch.no_grad():
        single = logits_of(model, prompt, completion)
        double = logits_of(model.double(), prompt, completion)
    save_file(
        {
            "prompt": prompt.to(torch.int32),
            "completion": completion.to(torch.int32),
            "float32": single.contiguous(),
            "float64": double.contiguous(),
        },
        directory / "expected.safetensors",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=sorted(SHAPES))
    parser.add_argument("directory", type=pathlib.Path, nargs="?")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.shape:
        write_shape(options.shape, options.directory)
        return
    write_tiny()
    write_buckets()


if __name__ == "__main__":
    main()
