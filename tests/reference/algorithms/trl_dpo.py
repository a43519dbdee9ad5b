"""DPO losses of trl for tests/algorithms/preferences_test.cpp.

Run with torch 2.13 and trl 1.16.0: python trl_dpo.py > trl_dpo.json
TRL's own DPOTrainer._compute_loss runs on log-probabilities given to it: the
model is a stand-in that returns them. Each answer is one token long, so that
its log-probability is the sequence's. Numbers are small fractions.
"""
import collections
import json
import types

import torch
from trl.trainer.dpo_trainer import DPOTrainer

PAIRS = 6
CASES = [("sigmoid", 0.1, 0.0), ("sigmoid", 0.5, 0.0), ("robust", 0.1, 0.1),
         ("robust", 0.25, 0.3)]


def fraction(index, salt):
    return ((index * 7919 + salt * 104729) % 1009 - 504) / 64.0


def log_probs(salt):
    values = [fraction(i ** (salt + 1), salt) - 16.0 for i in range(2 * PAIRS)]
    return torch.tensor(values, dtype=torch.float64)


def run(loss_type, beta, label_smoothing):
    policy = log_probs(1).requires_grad_()  # the chosen answers, the rejected
    reference = log_probs(2)
    column = torch.zeros(2 * PAIRS, 1, dtype=torch.float64)

    def model(**_):
        return types.SimpleNamespace(
            log_probs=policy.unsqueeze(1), entropy=column, mean_logits=column,
            is_top1=column.bool())

    model.training = True
    accelerator = types.SimpleNamespace(
        device="cpu", gather=lambda x: x, gather_for_metrics=lambda x: x)
    trainer = types.SimpleNamespace(
        model=model, accelerator=accelerator, aux_loss_enabled=False,
        ld_alpha=None, precompute_ref_logps=True, use_weighting=False,
        f_divergence_type="reverse_kl", loss_types=[loss_type],
        loss_weights=[1.0], beta=beta, label_smoothing=label_smoothing,
        _total_train_tokens=0, _tp_size=1,
        _metrics={"train": collections.defaultdict(list)})
    mask = torch.tensor([[0, 1]] * (2 * PAIRS))
    inputs = {
        "input_ids": torch.ones(2 * PAIRS, 2, dtype=torch.long),
        "attention_mask": torch.ones(2 * PAIRS, 2, dtype=torch.long),
        "completion_mask": mask,
        "ref_chosen_logps": reference[:PAIRS],
        "ref_rejected_logps": reference[PAIRS:],
    }
    loss = DPOTrainer._compute_loss(trainer, model, inputs, False)
    loss.backward()
    names = ["chosen", "rejected", "margins", "accuracies"]
    names = ["rewards/" + n for n in names] + ["logps/chosen", "logps/rejected"]
    metrics = trainer._metrics["train"]
    return {
        "loss_type": loss_type,
        "beta": beta,
        "label_smoothing": label_smoothing,
        "loss": loss.item(),
        "gradient": policy.grad.tolist(),
        "metrics": {name: metrics[name][0] for name in names},
    }


print(json.dumps({
    "policy": log_probs(1).tolist(),
    "reference": log_probs(2).tolist(),
    "cases": [run(*case) for case in CASES],
}, indent=1))
