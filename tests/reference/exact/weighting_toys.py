"""What the weightings of training do to the front of toys with two rewards.

n outputs, softmax logits, KL-regularised values, exact gradients. Two copies
are trained together on 50 weightings: Dirichlet(1), Dirichlet(100), all even
ones, or the even ones without a band. Read at eleven weightings.
"""
import json
import os

import numpy as np

from common import SM64, lse, softmax

OUTPUTS = 20
KINDS = ("random", "concave", "convex")


def problem(kind, seed):
    random = SM64(seed)
    reference = np.log(softmax(0.5 * random.vec(OUTPUTS, "normal")))
    if kind == "random":
        return np.array([random.vec(OUTPUTS) for _ in range(2)]), reference
    directions = np.array([random.dirichlet1(2) for _ in range(OUTPUTS)])
    if kind == "concave":
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    else:
        directions = directions**2
    scale = np.array([0.7 + 0.3 * random.uniform() for _ in range(OUTPUTS)])
    return (directions * scale[:, None]).T, reference


def pairs(second):
    return np.stack([1 - second, second], 1)


def midpoints(count):
    return (np.arange(count) + 0.5) / count


def dirichlet(concentration, count):
    random = SM64(7)
    rows = []
    for _ in range(count):
        gammas = [sum(random.expo() for _ in range(concentration)) for _ in range(2)]
        rows.append(np.array(gammas) / sum(gammas))
    return np.array(rows)


def train(rewards, reference, alpha, steps, weightings):
    copies = np.tile(reference, (2, 1))
    mixed_rewards = weightings @ rewards
    for _ in range(steps):
        logits = weightings @ copies
        log_pi = logits - lse(logits)[:, None]
        pi = np.exp(log_pi)
        gain = (1 - alpha) * mixed_rewards - alpha * (log_pi - reference)
        gradient = pi * (gain - (pi * gain).sum(1, keepdims=True))
        copies = copies + weightings.T @ gradient / len(weightings)
    return copies


def score(copies, rewards, reference, weightings):
    logits = weightings @ copies
    log_pi = logits - lse(logits)[:, None]
    pi = np.exp(log_pi)
    return pi @ rewards.T, (pi * (log_pi - reference)).sum(1)


def figures(kind, seed, alpha, steps):
    rewards, reference = problem(kind, seed)
    eleven = pairs(np.linspace(0, 1, 11))
    extents = {}
    for concentration in (1, 100):
        copies = train(rewards, reference, alpha, steps, dirichlet(concentration, 50))
        points, _ = score(copies, rewards, reference, eleven)
        extents[concentration] = np.ptp(points, axis=0)

    copies = train(rewards, reference, alpha, steps, pairs(midpoints(50)))
    points, kl = score(copies, rewards, reference, eleven)
    scores = (1 - alpha) * eleven @ points.T - alpha * kl[None, :]
    diagonal = np.mean(np.diag(scores) >= scores.max(1) - 1e-12)

    second = midpoints(50)
    band = pairs(second[(second < 0.4) | (second > 0.6)])
    copies = train(rewards, reference, alpha, steps, band)
    second = midpoints(100)
    read = pairs(second)
    points, kl = score(copies, rewards, reference, read)
    best = alpha * lse((1 - alpha) * read @ rewards / alpha + reference)
    regret = best - (1 - alpha) * (read * points).sum(1) + alpha * kl
    inside = (second > 0.4) & (second < 0.6)
    return [
        *extents[1],
        *extents[100],
        diagonal,
        regret[inside].mean(),
        regret[~inside].mean(),
    ]


out = {}
for kind in KINDS:
    out[f"{kind}_seed200_alpha0.1_T1200"] = figures(kind, 200, 0.1, 1200)
    for alpha in (0.01, 0.1):
        rows = [figures(kind, seed, alpha, 12000) for seed in range(200, 210)]
        out[f"{kind}_alpha{alpha}_T12000"] = np.mean(rows, axis=0).tolist()
out = {key: [float(x) for x in row] for key, row in out.items()}
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "weighting_toys.json")
with open(path, "w") as file:
    json.dump(out, file, indent=1)
    file.write("\n")
for key, row in out.items():
    print(key, row)
