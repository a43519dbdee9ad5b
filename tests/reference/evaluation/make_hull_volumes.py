"""Makes hull_volumes.json: volumes of the convex coverage in three dimensions.

    python make_hull_volumes.py > hull_volumes.json      (numpy, scipy)

The coverage of points p_k is {x >= 0 : x <= some convex combination of p_k}.
Here it is the polytope of the points' projections to far below, cut by the
octant: facets from Qhull, vertices from a half-space intersection, volume from
the hull of these. Half of the points lie below the reference in a coordinate,
so that the axes leave the coverage through faces. 40 random fronts; they are
kept when the volume is at least 1e-3.
"""

import itertools
import json

import numpy as np
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, HalfspaceIntersection

FAR = 10.0


def coverage_volume(points):
    spread = [
        np.where(low, -FAR, p)
        for p in points
        for low in itertools.product([False, True], repeat=3)
    ]
    hull = ConvexHull(np.array(spread))
    halfspaces = np.vstack(
        [hull.equations, np.hstack([-np.eye(3), np.zeros((3, 1))])]
    )
    # The centre of the largest ball inside.
    norms = np.linalg.norm(halfspaces[:, :-1], axis=1)
    found = linprog(
        [0, 0, 0, -1],
        A_ub=np.hstack([halfspaces[:, :-1], norms[:, None]]),
        b_ub=-halfspaces[:, -1],
        bounds=[(None, None)] * 3 + [(0, None)],
    )
    if not found.success or found.x[-1] < 1e-6:
        return 0.0
    inside = HalfspaceIntersection(halfspaces, found.x[:-1])
    return float(ConvexHull(inside.intersections).volume)


def main():
    random = np.random.default_rng(19)
    cases = []
    while len(cases) < 40:
        count = int(random.integers(3, 9))
        points = np.round(random.uniform(-0.6, 0.6, (count, 3)), 3)
        volume = coverage_volume(points)
        if volume < 1e-3:
            continue
        cases.append({"points": points.tolist(), "volume": volume})
    print(json.dumps(cases, indent=None))


main()
