"""The page that `speed.py` writes."""

from opening import ROWS

GMAC = {"encode": 48.7, "decode": 6.2}
"""Of the published network at 256 x 256, in 10**9 multiplications with addition."""
TARGETS = {
    "encode one slice": 4,
    "decode one prompt": 4,
    "8 prompts on one slice": 8,
    "40 slices x 6 objects": 20,
    "a 2D image with 50 boxes": 15,
    "the same, 50 small boxes looked at twice here": 15,
}


def verdict(met):
    return "met" if met else "**missed**"


def write_report(result, path):
    """Write the page, and its plot beside it."""
    halves, hand, facts = result["halves"], result["by hand"], result["facts"]
    times = {"encode one slice": halves["encode"], "decode one prompt": halves["decode"], **result["jobs"]}
    lines = ["# Speed", "", "Written by this command; run it to have your own machine's numbers:", ""]
    lines += [f"    {facts['command']}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in facts.items() if name != "command"]
    lines += ["", "## Against the plain way", ""]
    lines += [
        "The plain way is the network as published, in torch without compiling, float32, every slice encoded for",
        "every object, one call of the decoder for every box (`benchmarks/plain.py`). Same weights, same run, same",
        "threads, in turns, the shortest of several runs. Whole jobs of the plain way are one step times their number.",
        "",
        "| | plain, s | here, s | ratio | target | |",
        "|---|---|---|---|---|---|",
    ]
    for name, (slow, fast) in times.items():
        target = TARGETS[name]
        lines.append(
            f"| {name} | {slow:.3g} | {fast:.3g} | {slow / fast:.1f} | {target} | {verdict(slow / fast >= target)} |"
        )
    lines += ["", "## By hand", "", "| | s | target | |", "|---|---|---|---|"]
    waits = {
        **{name: (wait, 0.08 if name.startswith("mask after") else 0.4) for name, wait in hand.items()},
        "first mask of a new process, without the window": (result["cold start"], 4),
        "`import napari_swin_litemedsam`": (result["import"], 0.05),
    }
    lines += [f"| {name} | {s:.3g} | {most} | {verdict(s <= most)} |" for name, (s, most) in waits.items()]
    for (name, most), s in zip(ROWS.items(), result["opening"] or (), strict=False):
        lines.append(f"| {name} | {s:.3g} | {most or ''} | {verdict(s <= most) if most else ''} |")
    lines += ["", f"`predict` on a volume of 300 slices takes {result['memory'] / 1024:.2f} GB of memory at most"]
    lines[-1] += f" (target 1.5 GB: {verdict(result['memory'] < 1.5 * 1024)})."
    if "training" in result:
        lines += ["", "## Training", "", *_training(result["training"])]
    lines += ["", "## The same masks", "", *_agreement(result["agreement"])]
    lines += ["", "## How far it is from the arithmetic", ""]
    rate = result["rate"]
    for half, seconds in halves.items():
        limit = 2 * GMAC[half] / rate
        lines.append(
            f"- {half}: {2 * GMAC[half]:.1f} GFLOP as published; at {rate:.0f} GFLOP/s, the rate of torch's float32 "
            f"matrix product here, {1000 * limit:.0f} ms. The plain way takes {seconds[0] / limit:.1f} times that, "
            f"this package {seconds[1] / limit:.2f} times."
        )
    lines += [
        "",
        "Less than 1 is possible by calculating in 16 and 8 bits, and by doing the image's share of the decoder once.",
    ]
    if "profile" in result:
        lines += ["", "Where the time goes:", "", "| half | operations, share of the time |", "|---|---|"]
        for half, shares in result["profile"].items():
            lines.append(f"| {half} | {', '.join(f'{kind} {share:.0%}' for kind, share in shares.items())} |")
    picture = path.with_suffix(".svg")
    picture.write_text(_plot(result["curves"]))
    lines += ["", "## Time against size", "", f"![Seconds against slices, objects and size]({picture.name})", ""]
    path.write_text("\n".join(lines))


def _training(rates):
    ratio = rates["here"] / rates["plain"]
    return [
        "Prompts a second in stage 2 (`benchmarks/training.py`): the plain loop shows one prompt an image in float32,",
        "this package six, most of them corrected by clicks first.",
        "",
        "| plain | here | ratio | target | |",
        "|---|---|---|---|---|",
        f"| {rates['plain']:.3g} | {rates['here']:.3g} | {ratio:.1f} | 4 | {verdict(ratio >= 4)} |",
    ]


def _agreement(rows):
    same, ours, exact = rows.T
    change = 100 * (ours.mean() - exact.mean())
    return [
        f"Masks of {len(rows)} validation objects against those of torch in float32, and of both against the truth:",
        "",
        "| | | target | |",
        "|---|---|---|---|",
        f"| mean DSC with float32 | {same.mean():.4f} | 0.995 | {verdict(same.mean() >= 0.995)} |",
        f"| lowest DSC with float32 | {same.min():.4f} | 0.97 | {verdict(same.min() >= 0.97)} |",
        f"| change of the mean DSC against the truth, points | {change:+.2f} | 0.1 | {verdict(abs(change) <= 0.1)} |",
    ]


def _plot(curves, width=260, height=200, gap=60):
    """An SVG picture with one panel for each curve, both axes linear from 0."""
    parts = []
    for number, (name, points) in enumerate(curves.items()):
        left, most_x, most_y = gap + number * (width + gap), max(points), max(points.values())
        places = [(left + width * x / most_x, gap / 2 + height * (1 - y / most_y)) for x, y in points.items()]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="#2060c0" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#2060c0"/>' for x, y in places]
        bottom = gap / 2 + height
        parts.append(f'<path d="M{left},{gap / 2} V{bottom} H{left + width}" fill="none" stroke="#808080"/>')
        labels = [
            (left + width / 2, bottom + 34, "middle", name),
            (left + width, bottom + 16, "middle", most_x),
            (left, bottom + 16, "middle", 0),
            (left - 6, gap / 2 + 4, "end", f"{most_y:.2g} s"),
        ]
        parts += [f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>' for x, y, anchor, text in labels]
    whole = gap + len(curves) * (width + gap)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole} {height + 1.5 * gap:.0f}"'
    return "\n".join([f'{head} font-family="sans-serif" font-size="12" fill="#808080">', *parts, "</svg>\n"])
