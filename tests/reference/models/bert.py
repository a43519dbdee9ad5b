"""Reference values for tests/models/bert_test.cpp.

Writes, beside this script,
  bert_tiny_*/            tiny random BERTs: config.json, model.safetensors
  bert_tiny_*/expected.safetensors
                          ids (all texts, one after the other), lengths, and
                          the last hidden states of every text
  bert_minilm.json        own sentences with the ids of the Hugging Face
                          tokenizer
  bert_minilm.safetensors their embeddings [texts, 384]: mean over the tokens,
                          length one

Made with transformers 4.57.6, torch 2.13, one thread, float32:
  python bert.py PATH_TO_ALL_MINILM_L6_V2
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertModel,
)

HERE = pathlib.Path(__file__).parent
MAX_TOKENS = 256

TINY = {
    # plain, exact gelu, with pooler
    "bert_tiny_gelu": (
        BertModel,
        dict(
            vocab_size=40,
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=24,
            max_position_embeddings=20,
        ),
    ),
    # names with the prefix "bert." and a head, tanh gelu, odd sizes
    "bert_tiny_prefixed": (
        BertForMaskedLM,
        dict(
            vocab_size=37,
            hidden_size=21,
            num_hidden_layers=3,
            num_attention_heads=3,
            intermediate_size=19,
            max_position_embeddings=13,
            type_vocab_size=1,
            hidden_act="gelu_new",
            layer_norm_eps=1e-5,
        ),
    ),
    # one head, one layer, relu
    "bert_tiny_relu": (
        BertModel,
        dict(
            vocab_size=11,
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
            intermediate_size=32,
            max_position_embeddings=16,
            hidden_act="relu",
        ),
    ),
}

SENTENCES = [
    "The bakery on our street opens before sunrise.",
    "Our street's bakery opens very early in the morning.",
    "My laptop fan has been rattling since the last update.",
    "",
    "Ünïcödé café naïve 日本語 🙂 e\u0301",
    "ok",
    "Where can I return a library book on a Sunday?",
    "[CLS] [SEP] <|im_end|> are only words here",
    "Two lines\nand\ta tab, 3.14% of $5!",
    "winter garden " * 200,
]


def randomise(model):
    """Weights large enough that every part of the formula shows."""
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            is_gain = name.endswith("LayerNorm.weight")
            parameter.copy_(1 + 0.3 * noise if is_gain else 0.4 * noise)


def make_tiny(name, kind, settings):
    config = BertConfig(**settings)
    config._attn_implementation = "eager"
    model = kind(config).eval()
    randomise(model)
    folder = HERE / name
    model.save_pretrained(folder)
    encoder = getattr(model, "bert", model)
    generator = torch.Generator().manual_seed(5)
    limit = settings["max_position_embeddings"]
    lengths = [3, 3, 7, 1, limit, 7, 3]
    texts = [
        torch.randint(0, settings["vocab_size"], (n,), generator=generator)
        for n in lengths
    ]
    with torch.no_grad():
        hidden = [
            encoder(input_ids=ids[None]).last_hidden_state[0] for ids in texts
        ]
    save_file(
        {
            "ids": torch.cat(texts).to(torch.int32),
            "lengths": torch.tensor(lengths, dtype=torch.int32),
            "hidden": torch.cat(hidden).contiguous(),
        },
        folder / "expected.safetensors",
    )


def make_minilm(path):
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModel.from_pretrained(path, dtype=torch.float32).eval()
    ids, rows = [], []
    for sentence in SENTENCES:
        row = tokenizer(
            sentence, truncation=True, max_length=MAX_TOKENS, padding=False
        )
        ids.append(tokenizer(sentence, truncation=False)["input_ids"])
        with torch.no_grad():
            hidden = model(
                input_ids=torch.tensor([row["input_ids"]])
            ).last_hidden_state[0]
        rows.append(torch.nn.functional.normalize(hidden.mean(0), dim=0))
    with open(HERE / "bert_minilm.json", "w") as file:
        json.dump({"sentences": SENTENCES, "ids": ids}, file)
        file.write("\n")
    save_file(
        {"embeddings": torch.stack(rows)}, HERE / "bert_minilm.safetensors"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    for tiny_name, (tiny_kind, tiny_settings) in TINY.items():
        make_tiny(tiny_name, tiny_kind, tiny_settings)
    make_minilm(sys.argv[1])
