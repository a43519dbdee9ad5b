"""Losses, advantages and gradients of TRL for tests/algorithms/trl_test.cpp.

GRPO is that of trl 1.16.0, PPO that of trl 1.10.0 (experimental). Their own
source is run on small tensors: functions and statements are cut out of the
installed files, so that neither accelerate nor datasets is needed.

    pip install --no-deps --target trl-1.16 trl==1.16.0
    pip install --no-deps --target trl-1.10 trl==1.10.0
    python trl_losses.py trl-1.16 trl-1.10 > trl_losses.json    # with torch 2.13
"""
import ast
import collections
import json
import pathlib
import sys
import textwrap
import types

import torch

torch.set_default_dtype(torch.float64)
LENGTHS = [3, 5, 1, 4]  # rows 0, 1 and rows 2, 3 answer one prompt each
LONGEST = 6  # max_completion_length


def fraction(index, salt):
    return ((index * 7919 + salt * 104729) % 1009 - 504) / 512.0


def padded(salt, scale=1.0, shift=0.0):
    rows = [[fraction(8 * b + t, salt) * scale + shift
             for t in range(max(LENGTHS))] for b in range(len(LENGTHS))]
    return torch.tensor(rows)


MASK = torch.tensor([[int(t < n) for t in range(max(LENGTHS))]
                     for n in LENGTHS])


def packed(values):
    return values.detach()[MASK.bool()].tolist()


class Source:
    """A Python file whose parts can be run."""

    def __init__(self, folder, path):
        self.text = (pathlib.Path(folder) / path).read_text()
        self.tree = ast.parse(self.text)

    def function(self, name):
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef) and node.name == name:
                node.decorator_list = []
                node.returns = None
                return ast.unparse(node)
        raise KeyError(name)

    def between(self, first, last):
        """Lines from the one with `first` up to, not including, `last`."""
        lines = self.text.splitlines()
        begin = next(i for i, line in enumerate(lines) if first in line)
        end = next(i for i in range(begin, len(lines)) if last in lines[i])
        return textwrap.dedent("\n".join(lines[begin:end]))


def run_source(text, names):
    exec(compile("from __future__ import annotations\n" + text, "trl", "exec"),
         names)
    return names


def grpo_cases(folder):
    trainer = Source(folder, "trl/trainer/grpo_trainer.py")
    utils = Source(folder, "trl/trainer/utils.py")
    names = {"torch": torch}
    for name in ("nanmin", "nanmax", "nanstd"):
        run_source(utils.function(name), names)
    run_source(trainer.function("_compute_loss"), names)
    old = padded(1, 0.5, -1.5)
    now = old + padded(2, 0.6)
    reference = old + padded(3, 0.3)
    advantages = torch.tensor([1.25, -0.5, -1.0, 0.75])

    def case(loss_type, epsilon_high, beta, corrected, masked, on_policy):
        log_probs = now.clone().requires_grad_()
        mask = MASK * torch.tensor(
            [[0] if masked and b == 1 else [1] for b in range(len(LENGTHS))])
        metrics = {"train": collections.defaultdict(list)}
        plain = types.SimpleNamespace
        trainer = plain(
            _get_per_token_logps_and_entropies=lambda *a, **k: (
                log_probs, torch.zeros_like(now), None),
            aux_loss_enabled=False, top_entropy_quantile=1.0,
            off_policy_mask_threshold=None, importance_sampling_level="token",
            beta=beta, loss_type=loss_type, epsilon_low=0.2,
            epsilon_high=epsilon_high, use_vllm=False,
            vllm_importance_sampling_correction=False,
            args=plain(delta=None, use_bias_correction_kl=corrected,
                       steps_per_generation=1),
            model=plain(training=True), current_gradient_accumulation_steps=1,
            max_completion_length=LONGEST, _entropy_bonus_enabled=False,
            _metrics=metrics,
            accelerator=plain(num_processes=1, gather=lambda x: x,
                              reduce=lambda x, reduction: x))
        inputs = dict(
            prompt_ids=torch.zeros(4, 1), prompt_mask=torch.ones(4, 1),
            completion_ids=torch.zeros_like(MASK), completion_mask=mask,
            advantages=advantages, num_items_in_batch=mask.sum(),
            ref_per_token_logps=reference)
        if not on_policy:
            inputs["old_per_token_logps"] = old
        loss = names["_compute_loss"](trainer, None, inputs)
        loss.backward()
        found = metrics["train"]
        return dict(
            loss_type=loss_type, epsilon_high=epsilon_high, beta=beta,
            corrected=corrected, masked=masked, on_policy=on_policy,
            loss=loss.item(), gradient=packed(log_probs.grad),
            low=found["clip_ratio/low_mean"][0],
            high=found["clip_ratio/high_mean"][0],
            region=found["clip_ratio/region_mean"][0])

    losses = [case(t, high, beta, corrected, masked, on_policy)
              for t in ("grpo", "dr_grpo", "dapo", "bnpo")
              for high, beta, corrected, masked, on_policy in (
                  (0.2, 0.0, True, False, False),
                  (0.28, 0.0, True, True, False),
                  (0.2, 0.04, True, False, False),
                  (0.2, 0.04, False, False, False),
                  (0.2, 0.0, True, False, True))]

    rewards = torch.tensor([[0.5, 1.0], [0.25, 0.0], [0.75, 0.5], [1.0, 0.125],
                            [0.0, 0.25], [0.5, 0.625]])
    # The branch of sum_then_normalize alone.
    text = trainer.between(
        'if self.multi_objective_aggregation == "sum_then_normalize":',
        'elif self.multi_objective_aggregation == "normalize_then_sum":')
    scaled = {}
    for scale in ("group", "batch", "none"):
        local = dict(names)
        local.update(
            rewards_per_func=rewards, num_generations=3, device="cpu",
            unscorable_mask=torch.zeros(6, dtype=torch.bool),
            self=types.SimpleNamespace(
                multi_objective_aggregation="sum_then_normalize",
                reward_weights=torch.tensor([0.25, 0.75]),
                scale_rewards=scale))
        scaled[scale] = run_source(text, local)["advantages"].tolist()
    return dict(
        lengths=LENGTHS, longest=LONGEST, old=packed(old), now=packed(now),
        reference=packed(reference), advantages=advantages.tolist(),
        losses=losses,
        scale_rewards=dict(rewards=rewards.tolist(), weights=[0.25, 0.75],
                           samples=3, advantages=scaled))


def ppo_case(folder, gamma, lam):
    trainer = Source(folder, "trl/experimental/ppo/ppo_trainer.py")
    names = {"torch": torch}
    for name in ("masked_mean", "masked_var", "masked_whiten"):
        run_source(trainer.function(name), names)
    mask = MASK.bool()
    old = padded(1, 0.5, -1.5)
    rewards = (padded(4, 0.1) * MASK)
    values = padded(5, 0.5) * MASK
    local = dict(
        names, rewards=rewards, values=values, padding_mask=~mask,
        responses=torch.zeros_like(MASK), empty_cache=lambda: None,
        args=types.SimpleNamespace(gamma=gamma, lam=lam))
    text = trainer.between("lastgaelam = 0", "advantages = masked_whiten(")
    advantages = run_source(text, local)["advantages"]
    white = names["masked_whiten"](advantages, mask)

    log_probs = (old + padded(2, 0.6)).requires_grad_()
    predicted = (values + padded(6, 0.6)).requires_grad_()
    local = dict(
        names, new_logprobs=log_probs, mb_logprobs=old, mb_advantage=white,
        vpred=predicted, mb_values=values, mb_return=local["returns"],
        padding_mask=~mask, padding_mask_p1=~mask,
        micro_batch_inds=slice(None),
        args=types.SimpleNamespace(cliprange=0.2, cliprange_value=0.2))
    text = trainer.between("vpredclipped = torch.clamp(",
                           "loss = pg_loss + args.vf_coef")
    run_source(text, local)
    local["pg_loss"].backward()
    local["vf_loss"].backward()
    clipped = names["masked_mean"](
        (local["pg_losses2"] > local["pg_losses"]).double(), mask)
    return dict(
        gamma=gamma, lam=lam, old=packed(old), now=packed(log_probs),
        rewards=packed(rewards), values=packed(values),
        raw_advantages=packed(advantages), returns=packed(local["mb_return"]),
        advantages=packed(white), predicted=packed(predicted),
        policy_loss=local["pg_loss"].item(),
        policy_gradient=packed(log_probs.grad), clipped=clipped.item(),
        value_loss=local["vf_loss"].item(),
        value_gradient=packed(predicted.grad),
        value_clipped=local["vf_clipfrac"].item())


if __name__ == "__main__":
    grpo, ppo = sys.argv[1:]
    print(json.dumps(dict(
        grpo=grpo_cases(grpo),
        ppo=dict(lengths=LENGTHS,
                 cases=[ppo_case(ppo, 1.0, 0.95), ppo_case(ppo, 0.9, 0.5)]))))
