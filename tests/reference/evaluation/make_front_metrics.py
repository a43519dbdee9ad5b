"""Makes front_metrics.json: indicators of random fronts by other programs.

    python make_front_metrics.py > front_metrics.json
    (numpy, scipy, pymoo, moocore, morl-baselines)

Twenty-four fronts of 2, 3 and 4 objectives, all maximised; a third of the
coordinates lie below the reference point, which is the origin; every fourth
front has ties and a constant column.

hypervolume        pymoo and moocore, which agree to 1e-12
sparsity           morl-baselines, of the non-dominated points (moocore)
spacing            pymoo, which divides by n, times sqrt(n / (n - 1))
expected_utility   morl-baselines
igd_plus, epsilon  moocore, to a second front
kendall, spearman  scipy, of the first objective and a weight; null: a constant
                   column, where scipy has no number
"""

import importlib.util
import json
import math
import pathlib
import sys

import moocore
import numpy as np
from pymoo.indicators.hv import HV
from pymoo.indicators.spacing import SpacingIndicator
from scipy.stats import kendalltau, spearmanr


def indicators_of_morl_baselines():
    """The one module, without the packages of environments it comes with."""
    for folder in map(pathlib.Path, sys.path):
        file = folder / "morl_baselines/common/performance_indicators.py"
        if file.exists():
            spec = importlib.util.spec_from_file_location("indicators", file)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    raise SystemExit("morl-baselines is not installed")


morl = indicators_of_morl_baselines()


def number(x):
    return None if math.isnan(x) else float(x)


def case(random, m, ties):
    n = int(random.integers(5, 14))
    points = random.uniform(-0.3, 1.0, (n, m)).round(1 if ties else 6)
    target = random.uniform(0.0, 1.0, (6, m)).round(6)
    weights = random.dirichlet(np.ones(m), n).round(6)
    knob = np.linspace(0, 1, n).round(2 if ties else 6)
    if ties:
        knob[0] = knob[1]
        points[:, 1] = 0.5
    origin = np.zeros(m)
    volume = HV(ref_point=-origin)(-points)
    other = moocore.hypervolume(points, ref=origin, maximise=True)
    assert abs(volume - other) < 1e-12, (volume, other)
    kept = points[
        moocore.is_nondominated(points, maximise=True, keep_weakly=True)
    ]
    return {
        "points": points.tolist(),
        "target": target.tolist(),
        "weights": weights.tolist(),
        "knob": knob.tolist(),
        "hypervolume": float(volume),
        "sparsity": float(morl.sparsity(list(kept))),
        "spacing": float(SpacingIndicator()(points) * math.sqrt(n / (n - 1))),
        "expected_utility": float(
            morl.expected_utility(list(points), list(weights))
        ),
        "igd_plus": float(
            moocore.igd_plus(points, ref=target, maximise=True)
        ),
        "epsilon": float(
            moocore.epsilon_additive(points, ref=target, maximise=True)
        ),
        "kendall": [
            number(kendalltau(knob, points[:, i]).statistic) for i in range(m)
        ],
        "spearman": [
            number(spearmanr(knob, points[:, i]).statistic) for i in range(m)
        ],
    }


def main():
    random = np.random.default_rng(17)
    cases = [case(random, 2 + k % 3, k % 4 == 3) for k in range(24)]
    lines = ",\n".join(json.dumps(one) for one in cases)
    print('{"cases": [\n' + lines + "\n]}")


if __name__ == "__main__":
    main()
