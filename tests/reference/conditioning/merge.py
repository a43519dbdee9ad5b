"""Reference values for tests/conditioning/mixing_test.cpp.

Writes merge.json beside this script: 24 cases of
  theta_S = (1 - beta) sum_i w_i theta^(i) + beta theta_ref,  beta = f_mix(alpha)
with instances drawn by splitmix64 and sums in exact rational arithmetic,
rounded once.
"""

import json
import math
import pathlib
from fractions import Fraction

MASK = 2**64 - 1
ALPHA_MIN = 0.01


class SplitMix64:
    def __init__(self, seed):
        self.state = seed

    def uniform(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return ((z ^ (z >> 31)) >> 11) * 2.0**-53

    def normal(self):
        radius = math.sqrt(-2.0 * math.log(1.0 - self.uniform()))
        return radius * math.cos(2.0 * math.pi * self.uniform())

    def simplex(self, size):
        draws = [-math.log(1.0 - self.uniform()) for _ in range(size)]
        return [x / sum(draws) for x in draws]


def mixing_amount(f_mix, alpha):
    a, low = Fraction(alpha), Fraction(ALPHA_MIN)
    return (a - low) / (a * (1 - low)) if f_mix == "softmdp" else a


def main():
    cases = []
    for seed, objectives, size in ((71, 1, 4), (72, 2, 4), (73, 3, 5)):
        stream = SplitMix64(seed)
        reference = [stream.normal() for _ in range(size)]
        copies = [
            [stream.normal() for _ in range(size)] for _ in range(objectives)
        ]
        weights = stream.simplex(objectives)
        for alpha in (0.01, 0.05, 0.3, 1.0):
            for f_mix in ("softmdp", "linear"):
                beta = mixing_amount(f_mix, alpha)
                merged = [
                    beta * Fraction(reference[j])
                    + (1 - beta)
                    * sum(
                        Fraction(w) * Fraction(copy[j])
                        for w, copy in zip(weights, copies)
                    )
                    for j in range(size)
                ]
                cases.append(
                    dict(
                        alpha=alpha,
                        alpha_min=ALPHA_MIN,
                        f_mix=f_mix,
                        beta=float(beta),
                        w=weights,
                        reference=reference,
                        copies=copies,
                        merged=[float(x) for x in merged],
                    )
                )
    text = json.dumps(cases, indent=1) + "\n"
    (pathlib.Path(__file__).parent / "merge.json").write_text(text)


if __name__ == "__main__":
    main()
