"""Charts as SVG text, without a plotting library: box plots, and points against a logarithmic axis."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import ArrayLike

COLOURS = (
    *("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377"),
    *("#bb5522", "#777777", "#004488", "#117733", "#882255", "#999933"),
)
_WIDTH = 760
_LEFT = 90
_RIGHT = 36


def _svg(height: float, parts: Sequence[str], label: str) -> str:
    body = "".join(parts)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:g}" width="{_WIDTH}" height="{height:g}" role="img" '
        f'aria-label="{escape(label)}" xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="12">'
        f"{body}</svg>"
    )


def _text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#222">{escape(words)}</text>'


def _line(x0: float, y0: float, x1: float, y1: float, colour: str = "#ddd", width: float = 1) -> str:
    ends = f'x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{width}"/>'


def _dot(x: float, y: float, colour: str, told: str = "", radius: float = 2.4) -> str:
    title = f"<title>{escape(told)}</title>" if told else ""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}" fill-opacity="0.6">{title}</circle>'


def box_plots(rows: Mapping[str, Sequence[ArrayLike]], series: Sequence[str], axis: str) -> str:
    """Draw a box plot of values in 0..1 for each row and series.

    The box reaches from the first to the third quartile with a line at the median; the whiskers to the last value
    within 1.5 times its length; the values beyond are dots.

    Parameters
    ----------
    rows : mapping
        Name to the values of each series.
    series : sequence of str
        Names for the legend, shown if there are several.
    axis : str
        Label of the axis.
    """
    thick = 12
    step = thick * len(series) + 14
    top = 30 if len(series) > 1 else 10
    bottom = top + step * len(rows)

    def at(value: float) -> float:
        return _LEFT + value * (_WIDTH - _LEFT - _RIGHT)

    parts = [_text(at(0.5), bottom + 34, axis)]
    for tick in np.linspace(0, 1, 6):
        parts += [_line(at(tick), top, at(tick), bottom), _text(at(tick), bottom + 16, f"{tick:.1f}")]
    if len(series) > 1:
        for number, name in enumerate(series):
            x = _LEFT + 220 * number
            parts += [f'<rect x="{x}" y="8" width="12" height="12" fill="{COLOURS[number]}"/>']
            parts += [_text(x + 18, 18, name, "start")]
    for index, (name, groups) in enumerate(rows.items()):
        y = top + step * index + 7
        parts.append(_text(_LEFT - 8, y + thick * len(series) / 2 + 4, name, "end"))
        for number, group in enumerate(groups):
            parts += _box(np.asarray(group, float), y + thick * number, thick - 2, COLOURS[number], at)
    return _svg(bottom + 42, parts, axis)


def _box(values: np.ndarray, y: float, thick: float, colour: str, at) -> list[str]:
    if not len(values):
        return []
    first, median, third = np.quantile(values, [0.25, 0.5, 0.75])
    reach = 1.5 * (third - first)
    inside = values[(values >= first - reach) & (values <= third + reach)]
    low, high = inside.min(), inside.max()
    middle = y + thick / 2
    box = f'<rect x="{at(first):.1f}" y="{y:.1f}" width="{max(at(third) - at(first), 1):.1f}" height="{thick}" '
    return [
        _line(at(low), middle, at(high), middle, colour, 1.5),
        box + f'fill="{colour}" fill-opacity="0.35" stroke="{colour}"/>',
        _line(at(median), y, at(median), y + thick, "#222", 2),
        *(_dot(at(value), middle, colour) for value in values[(values < low) | (values > high)]),
    ]


def scatter(groups: Mapping[str, tuple[ArrayLike, ArrayLike, Sequence[str]]], x_axis: str, y_axis: str) -> str:
    """Draw points whose x is positive, on a logarithmic axis, and whose y lies in 0..1.

    Parameters
    ----------
    groups : mapping
        Name to x, y and what each point is; each group has its own colour.
    x_axis, y_axis : str
        Labels of the axes.
    """
    columns = 6
    top, height = 18 + 18 * -(-len(groups) // columns), 300
    every = np.concatenate([np.log10(np.asarray(x, float)) for x, _, _ in groups.values()])
    low, high = np.floor(every.min()), max(np.ceil(every.max()), np.floor(every.min()) + 1)

    def at(x: float, y: float) -> tuple[float, float]:
        return _LEFT + (x - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT), top + (1 - y) * height

    parts = [
        _text((_LEFT + _WIDTH - _RIGHT) / 2, top + height + 38, x_axis),
        _text(_LEFT - 44, top + height / 2 + 4, y_axis, "end"),
    ]
    for tick in np.linspace(0, 1, 6):
        parts += [_line(*at(low, tick), *at(high, tick)), _text(_LEFT - 8, at(low, tick)[1] + 4, f"{tick:.1f}", "end")]
    for tick in np.arange(low, high + 1):
        parts += [_line(*at(tick, 0), *at(tick, 1)), _text(at(tick, 0)[0], top + height + 18, f"{10**tick:,.0f}")]
    for number, (name, (x, y, told)) in enumerate(groups.items()):
        colour = COLOURS[number % len(COLOURS)]
        place = _LEFT + 105 * (number % columns), 14 + 18 * (number // columns)
        parts += [_dot(place[0], place[1] - 4, colour, radius=5), _text(place[0] + 8, place[1], name, "start")]
        for across, up, words in zip(np.log10(np.asarray(x, float)), np.asarray(y, float), told, strict=True):
            parts.append(_dot(*at(across, up), colour, words))
    return _svg(top + height + 46, parts, f"{y_axis} against {x_axis}")
