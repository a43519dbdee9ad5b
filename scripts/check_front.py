#!/usr/bin/env python3
"""Holds a finished evaluation to what the quickstart promises.

    scripts/check_front.py RUN/report/report.json [--extent 0.3]

Prints one line per promise (name, figure, ok or MISS); exits 1 on a miss. The
thresholds were fixed before the runs (docs/results/quickstart-protocol.md):
  * no objective steps back between neighbouring weightings by more than two
    paired bootstrap standard errors over prompts
  * each objective's reward at its own weight 1 minus at weight 0 is at least
    the extent
  * the value V, KL included, is above the reference's at every weighting
  * at every weighting at least 80% of the posts get an answer of their own
  * at least 80% of the answers finish at every weighting, 95% at most of them
  * at every weighting at most 20% of the answers copy the post, and none
    repeats the instruction
"""
import json
import sys


def main():
    report = json.load(open(sys.argv[1], encoding="utf-8"))
    extent = 0.3
    if "--extent" in sys.argv:
        extent = float(sys.argv[sys.argv.index("--extent") + 1])
    missed = 0

    def line(name, figure, ok):
        nonlocal missed
        missed += not ok
        print(f"{name:<44} {figure:<24} {'ok' if ok else 'MISS'}")

    back = report["summary"]["steps_back"]
    line("steps back beyond 2 paired standard errors", str(len(back)), not back)
    for name, reach in report["summary"]["reach"].items():
        line(f"extent of {name} (last minus first)", f"{reach:.3f}",
             reach >= extent)
    for point in report["points"]:
        weights = ", ".join(f"{n} {w:g}" for n, w in point["weights"].items())
        gain = point["value"]["mean"] - point["reference_value"]
        line(f"value above the reference at {weights}", f"{gain:+.3f}", gain > 0)
        line(f"distinct answers at {weights}", f"{point['distinct']:.0%}",
             point["distinct"] >= 0.8)
        line(f"finished answers at {weights}", f"{point['finished']:.0%}",
             point["finished"] >= 0.8)
        line(f"copies at {weights}", f"{point['copied']:.0%}",
             point["copied"] <= 0.2)
        line(f"echoes at {weights}", f"{point['echoed']:.1%}",
             point["echoed"] == 0)
    many = sum(point["finished"] >= 0.95 for point in report["points"])
    line("weightings at which 95% finish",
         f"{many} of {len(report['points'])}",
         2 * many > len(report["points"]))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
