"""Fronts of two objectives as SVG: V_1 to the right, V_2 upwards, as figure 3."""

import figures_claims as claims

WIDTH, HEIGHT, MARGIN = 480, 380, 56
METHODS = (
    ("full", "full", "#1b6ca8"),
    ("attention", "attention", "#2a9d8f"),
    ("logits", "logits", "#b5651d"),
    ("words", "words", "#8e44ad"),
    ("soup", "soup", "#c0392b"),
    ("mod", "MOD", "#7f8c8d"),
)
STYLE = (
    "text{font:12px sans-serif;fill:#222}.axis{stroke:#888;fill:none}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.ground{fill:#111}}"
)


def values(front):
    """(V_1, V_2) at every weighting."""
    points = []
    for rewards, kl, alpha in zip(front.rewards, front.kl, front.alphas):
        points.append([(1 - alpha) * r - alpha * kl for r in rewards])
    return points


def mean_front(found, name):
    """The seeds' mean front of a method, or None where no seed has it."""
    fronts = []
    for seed in found.values():
        try:
            fronts.append(values(claims.pick(seed, name)))
        except claims.Missing:
            continue
    if not fronts:
        return None
    return [[claims.mean(axis) for axis in zip(*points)] for points in zip(*fronts)]


class Scale:
    """Values to pixels; whole twentieths around all points."""

    def __init__(self, numbers, low, high):
        self.low = min(numbers) // 0.05 * 0.05
        self.high = (max(numbers) // 0.05 + 1) * 0.05
        self.pixels = (low, high)

    def at(self, x):
        low, high = self.pixels
        return low + (x - self.low) / (self.high - self.low) * (high - low)


def picture(found, title):
    """The SVG of all methods that have a front, or None without any."""
    fronts = [(label, color, mean_front(found, name)) for name, label, color in METHODS]
    fronts = [entry for entry in fronts if entry[2]]
    if not fronts:
        return None
    points = [point for _, _, front in fronts for point in front]
    x = Scale([p[0] for p in points], MARGIN, WIDTH - 20)
    y = Scale([p[1] for p in points], HEIGHT - MARGIN, 30)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img" aria-label="{title}"><style>{STYLE}</style>',
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<path class="axis" d="M{MARGIN} 30V{HEIGHT - MARGIN}H{WIDTH - 20}"/>',
        f'<text x="{MARGIN}" y="18">{title}</text>',
        f'<text x="{WIDTH - 20}" y="{HEIGHT - 18}" text-anchor="end">'
        "V of faithful</text>",
        f'<text x="14" y="{HEIGHT / 2:.0f}" transform="rotate(-90 14 '
        f'{HEIGHT / 2:.0f})" text-anchor="middle">V of rouge</text>',
    ]
    for level in (x.low, x.high):
        out.append(f'<text x="{x.at(level):.1f}" y="{HEIGHT - MARGIN + 16}" '
                   f'text-anchor="middle">{level:.2f}</text>')
    for level in (y.low, y.high):
        out.append(f'<text x="{MARGIN - 6}" y="{y.at(level) + 4:.1f}" '
                   f'text-anchor="end">{level:.2f}</text>')
    for number, (label, color, front) in enumerate(fronts):
        path = " ".join(f"{x.at(a):.1f},{y.at(b):.1f}" for a, b in front)
        out.append(f'<polyline points="{path}" fill="none" stroke="{color}"/>')
        out += [f'<circle cx="{x.at(a):.1f}" cy="{y.at(b):.1f}" r="2.5" '
                f'fill="{color}"/>' for a, b in front]
        row = HEIGHT - MARGIN - 14 * (len(fronts) - number)
        out.append(f'<text x="{MARGIN + 8}" y="{row}" style="fill:{color}">'
                   f"{label}</text>")
    return "\n".join(out) + "\n</svg>\n"
