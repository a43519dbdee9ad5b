"""Reference values for tests/training/sft_test.cpp.

Writes, beside this script,
  sft_t5.safetensors, sft_llama.safetensors
      a batch of three pairs of different lengths (prompt_0, completion_0, ..),
      the loss that transformers computes from padded inputs with labels of
      -100 where nothing is to be learnt, and its gradient for every parameter
      (float64 arithmetic, stored as float32); models ../models/t5_v10 and
      ../models/llama_tied
  initialisation.json
      standard deviation of every parameter as transformers initialises it

Made with transformers 4.57.6, torch 2.13, one thread:
  python make_sft.py
"""

import json
import pathlib

import torch
from safetensors.torch import load_file, save_file
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

HERE = pathlib.Path(__file__).parent
MODELS = HERE.parent / "models"
IGNORED = -100
LENGTHS = ((7, 5), (11, 3), (4, 8))  # of prompt and completion


def pairs_of(vocabulary, end, prompt_end):
    generator = torch.Generator().manual_seed(4)
    pairs = []
    for prompt, completion in LENGTHS:
        draw = lambda n: torch.randint(
            2, vocabulary - 1, (n,), generator=generator
        )
        x, y = draw(prompt), draw(completion)
        y[-1] = end
        if prompt_end is not None:
            x[-1] = prompt_end
        pairs.append((x, y))
    return pairs


def padded(rows, value):
    return torch.nn.utils.rnn.pad_sequence(
        rows, batch_first=True, padding_value=value
    )


def t5_loss(model, pairs):
    mask = padded([torch.ones_like(x) for x, _ in pairs], 0)
    return model(
        input_ids=padded([x for x, _ in pairs], 0),
        attention_mask=mask,
        labels=padded([y for _, y in pairs], IGNORED),
    ).loss


def llama_loss(model, pairs):
    whole = [torch.cat(pair) for pair in pairs]
    labels = [
        torch.cat([torch.full_like(x, IGNORED), y]) for x, y in pairs
    ]
    return model(
        input_ids=padded(whole, 0),
        attention_mask=padded([torch.ones_like(x) for x in whole], 0),
        labels=padded(labels, IGNORED),
    ).loss


def write(name, model, pairs, loss):
    loss.backward()
    tensors = {"loss": loss.detach().reshape(1)}
    for number, (x, y) in enumerate(pairs):
        tensors[f"prompt_{number}"] = x.to(torch.int32)
        tensors[f"completion_{number}"] = y.to(torch.int32)
    for parameter_name, parameter in model.named_parameters():
        tensors["gradient/" + parameter_name] = (
            parameter.grad.float().contiguous()
        )
    save_file(tensors, HERE / f"{name}.safetensors")
    print(name, loss.item())


def load(kind, folder):
    config = json.loads((MODELS / folder / "config.json").read_text())
    config["_attn_implementation"] = "eager"
    model = kind[1](kind[0](**config)).eval()
    state = load_file(MODELS / folder / "model.safetensors")
    missing = model.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys, missing
    model.tie_weights()
    return model.double()


def write_losses():
    t5 = load((T5Config, T5ForConditionalGeneration), "t5_v10")
    pairs = pairs_of(t5.config.vocab_size, 1, 1)
    write("sft_t5", t5, pairs, t5_loss(t5, pairs))
    llama = load((LlamaConfig, LlamaForCausalLM), "llama_tied")
    pairs = pairs_of(llama.config.vocab_size, 63, None)
    write("sft_llama", llama, pairs, llama_loss(llama, pairs))


def deviations(model):
    return {
        name: parameter.double().std(unbiased=False).item()
        for name, parameter in model.named_parameters()
    }


def write_initialisation():
    t5 = dict(
        vocab_size=512,
        d_model=96,
        d_kv=20,
        d_ff=160,
        num_layers=1,
        num_decoder_layers=2,
        num_heads=6,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
    )
    llama = dict(
        vocab_size=512,
        hidden_size=96,
        num_hidden_layers=2,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=20,
        intermediate_size=160,
    )
    kinds = {
        "t5_v10": (T5Config, T5ForConditionalGeneration, t5),
        "t5_v11": (
            T5Config,
            T5ForConditionalGeneration,
            dict(
                t5,
                feed_forward_proj="gated-gelu",
                tie_word_embeddings=False,
            ),
        ),
        "llama": (
            LlamaConfig,
            LlamaForCausalLM,
            dict(llama, tie_word_embeddings=False),
        ),
    }
    result = {}
    for name, (config, kind, options) in kinds.items():
        torch.manual_seed(3)
        model = kind(config(**options))
        result[name] = {
            "config": dict(options, model_type=model.config.model_type),
            "deviations": deviations(model),
        }
    text = json.dumps(result, indent=1, sort_keys=True) + "\n"
    (HERE / "initialisation.json").write_text(text)


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_losses()
    write_initialisation()
