"""Recomputes the reference values beside this file with plain Python.

Independent of the C++: inclusion-exclusion for volumes, definitions for the
indicators. Prints the largest difference; exits 1 above 1e-9.
"""
import itertools
import json
import math
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
worst = 0.0


def check(name, mine, theirs):
    global worst
    if abs(mine - theirs) > 1e-9:
        print("differs:", name, mine, theirs)
    worst = max(worst, abs(mine - theirs))


def hypervolume(points, reference):
    """Grid over all coordinates: slow and obviously right."""
    inside = [p for p in points if all(x > r for x, r in zip(p, reference))]
    axes = [sorted({r, *(p[i] for p in inside)})
            for i, r in enumerate(reference)]
    total = 0.0
    for cell in itertools.product(*(range(len(a) - 1) for a in axes)):
        top = [axes[i][c + 1] for i, c in enumerate(cell)]
        if any(all(x >= t for x, t in zip(p, top)) for p in inside):
            total += math.prod(axes[i][c + 1] - axes[i][c]
                               for i, c in enumerate(cell))
    return total


def ranks(x):
    return [sum(v < u for v in x) + (sum(v == u for v in x) + 1) / 2
            for u in x]


def spearman(x, y):
    a, b = ranks(x), ranks(y)
    mean = (len(x) + 1) / 2
    ab = sum((u - mean) * (v - mean) for u, v in zip(a, b))
    aa = sum((u - mean) ** 2 for u in a)
    bb = sum((v - mean) ** 2 for v in b)
    return ab / math.sqrt(aa * bb) if aa and bb else 0.0


volumes = json.loads((HERE / "hypervolume.json").read_text())
for case in volumes["random"]:
    if case["points"] and case["n"] <= 14:
        for key, r in (("hv0", 0.0), ("hv02", 0.2), ("hvm1", -1.0)):
            check(key, hypervolume(case["points"], [r] * case["d"]), case[key])
for name, case in volumes["special"].items():
    check(name, hypervolume(case["points"], case["ref"]), case["hv"])
for d, h, count, volume in volumes["lattice"]:
    check("lattice", math.comb(h, d) / h ** d, volume)
    assert count == math.comb(h + d - 1, d - 1)

fronts = json.loads((HERE / "fronts.json").read_text())
weights = [(1 - k / 10, k / 10) for k in range(11)]
for name in ("circle", "line", "collapsed", "jump", "reversed", "noisy"):
    f = fronts[name]
    p = f["points"]
    score = [[w[0] * q[0] + w[1] * q[1] for q in p] for w in weights]
    own = sum(score[k][k] for k in range(11)) / 11
    best = sum(map(max, score)) / 11
    check(name, hypervolume(p, [0.0, 0.0]), f["hv"])
    check(name, own, f["eum_own"])
    check(name, best, f["eum_best"])
    check(name, best - own, f["select_regret"])
    check(name, sum(map(math.dist, p, p[1:])), f["length"])
    for i in (0, 1):
        axis = [q[i] for q in p]
        check(name, max(axis) - min(axis), f["extent"][i])
        check(name, spearman([w[i] for w in weights], axis),
              f[f"spearman{i + 1}"])
for gap, ties, wins, losses, tied, p in fronts["winrate"]:
    n, few = wins + losses, min(wins, losses)
    exact = min(1.0, 2 * sum(math.comb(n, k) for k in range(few + 1)) / 2 ** n)
    check("sign test", exact, p)
print("largest difference", worst)
sys.exit(worst > 1e-9)
