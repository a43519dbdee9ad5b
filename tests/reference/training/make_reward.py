"""Reference values for tests/training/reward_test.cpp.

Trains the tiny classifiers of tests/reference/models/classifiers with torch,
from their weights, for three steps of AdamW without dropout, on the texts of
their expected.json, and writes reward/<family>.json beside this script: for
each kind of loss the loss before every step and, of every parameter after the
last one, two sums of its numbers times fixed factors (cos i and sin i).

Families with one label learn a preference (with a margin and a centring term)
and a regression, the others a classification. All is computed in float64, text
by text, without padding.

Made with transformers 5.17.0, torch 2.13:
  python make_reward.py
"""

import json
import pathlib

import torch
import transformers

torch.set_num_threads(1)
HERE = pathlib.Path(__file__).parent
CLASSIFIERS = HERE.parent / "models" / "classifiers"
STEPS = 3
RATE = 3e-3
# Large: where a gradient is 0 but for rounding, AdamW would else magnify that.
EPSILON = 1e-3
WEIGHT_DECAY = 0.1
CENTRING = 0.05


def logits(model, rows):
    outputs = []
    for row in rows:
        given = {"input_ids": torch.tensor([row["ids"]])}
        if getattr(model.config, "type_vocab_size", 0) > 1:
            segment = row["segment"]
            types = [int(i >= segment) for i in range(len(row["ids"]))]
            given["token_type_ids"] = torch.tensor([types])
        outputs.append(model(**given).logits[0])
    return torch.stack(outputs)


def loss_of(kind, model, rows):
    all_logits = logits(model, rows)
    numbers = torch.tensor([row_number(i) for i in range(len(rows))])
    numbers = numbers.to(all_logits.dtype)
    if kind == "classification":
        labels = torch.tensor(
            [i % all_logits.shape[1] for i in range(len(rows))]
        )
        return torch.nn.functional.cross_entropy(all_logits, labels)
    if kind == "regression":
        return ((all_logits[:, 0] - numbers) ** 2).mean()
    count = len(rows) // 2
    chosen = all_logits[: 2 * count : 2, 0]
    rejected = all_logits[1 : 2 * count : 2, 0]
    difference = chosen - rejected - numbers[:count]
    centred = CENTRING * (chosen + rejected) ** 2
    return (-torch.nn.functional.logsigmoid(difference) + centred).mean()


def row_number(i):
    return (i % 5) / 4 - 0.25


def fingerprint(tensor):
    numbers = tensor.detach().double().flatten()
    places = torch.arange(len(numbers), dtype=torch.float64)
    return [
        (numbers * places.cos()).sum().item(),
        (numbers * places.sin()).sum().item(),
    ]


def train(directory, kind):
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        directory, dtype=torch.float64, attn_implementation="eager"
    )
    model.eval()  # no dropout
    rows = json.loads((directory / "expected.json").read_text())
    decayed = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() != 2]
    optimizer = torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": WEIGHT_DECAY},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=RATE,
        betas=(0.9, 0.999),
        eps=EPSILON,
    )
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(kind, model, rows)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {
        "losses": losses,
        "parameters": {
            name: fingerprint(value)
            for name, value in model.named_parameters()
        },
    }


def main():
    (HERE / "reward").mkdir(exist_ok=True)
    for directory in sorted(CLASSIFIERS.iterdir()):
        if directory.name == "t5" or not directory.is_dir():
            continue
        rows = json.loads((directory / "expected.json").read_text())
        labels = len(rows[0]["logits"])
        kinds = ["preference", "regression"] if labels == 1 else ["classification"]
        result = {kind: train(directory, kind) for kind in kinds}
        path = HERE / "reward" / (directory.name + ".json")
        path.write_text(json.dumps(result, indent=1) + "\n")
        print(directory.name, {k: v["losses"] for k, v in result.items()})


if __name__ == "__main__":
    main()
