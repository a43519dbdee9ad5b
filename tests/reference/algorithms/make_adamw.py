"""Reference run of torch.optim.AdamW for tests/algorithms/adamw_test.cpp.

Run with torch 2.13: python make_adamw.py > adamw.json
Two copies of one steered tensor share a gradient G and receive c_i G; a copy
with c_i = 0 has no gradient (grad = None) unless the case is dense. Numbers
are made from small fractions, so that C++ forms the same floats.
"""
import json

import torch

COPY_SHAPE, GAIN_SHAPE, STEPS = (5, 7), (13,), 12
WEIGHTS = [(1.0, 0.0), (0.3, 0.7), (0.0, 1.0), (0.5, 0.5)]
CASES = {
    "plain": dict(betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, dense=False),
    "decayed": dict(betas=(0.9, 0.95), eps=1e-6, weight_decay=0.1, dense=False),
    "dense": dict(betas=(0.8, 0.99), eps=1e-8, weight_decay=0.01, dense=True),
}


def fraction(index, salt):
    return ((index * 7919 + salt * 104729) % 1009 - 504) / 512.0


def tensor(shape, salt):
    count = torch.Size(shape).numel()
    values = [fraction(i, salt) for i in range(count)]
    return torch.tensor(values, dtype=torch.float32).reshape(shape)


def run(betas, eps, weight_decay, dense):
    copies = [tensor(COPY_SHAPE, s).requires_grad_() for s in (1, 2)]
    gain = tensor(GAIN_SHAPE, 3).requires_grad_()
    optimizer = torch.optim.AdamW(
        [dict(params=copies), dict(params=[gain], weight_decay=0.0)],
        lr=1.0, betas=betas, eps=eps, weight_decay=weight_decay, foreach=False)
    for step in range(STEPS):
        factor = 0.5 if step % 2 else 1.0
        shared = tensor(COPY_SHAPE, 10 + step)
        for copy, weight in zip(copies, WEIGHTS[step % len(WEIGHTS)]):
            zero = torch.zeros(COPY_SHAPE) if dense else None
            copy.grad = shared * (weight * factor) if weight else zero
        gain.grad = tensor(GAIN_SHAPE, 40 + step) * factor
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (1 + step % 3)
        optimizer.step()
    result = {}
    for name, p in (("copy1", copies[0]), ("copy2", copies[1]), ("gain", gain)):
        state = optimizer.state[p]
        result[name] = dict(
            theta=p.detach().flatten().tolist(),
            first_moment=state["exp_avg"].flatten().tolist(),
            second_moment=state["exp_avg_sq"].flatten().tolist(),
            steps=int(state["step"]))
    return result


print(json.dumps({
    name: dict(options=dict(beta1=c["betas"][0], beta2=c["betas"][1],
                            epsilon=c["eps"], weight_decay=c["weight_decay"],
                            dense=c["dense"]),
               after=run(**c))
    for name, c in CASES.items()}, indent=1))
